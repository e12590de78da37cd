"""Texts, images and clips to vectors, one embedder a module; ``types.py`` says what an embedder is."""
