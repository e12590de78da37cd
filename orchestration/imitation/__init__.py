"""Supervised learning wired to the corpus and the miniature."""
