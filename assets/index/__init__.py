"""The index over the corpus: building it, searching it, measuring it."""
