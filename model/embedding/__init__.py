"""Training of an embedder by contrast: what belongs together is to be nearer than what only stands in the same batch."""
