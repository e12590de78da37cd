"""Text to vectors, one embedder a file."""
