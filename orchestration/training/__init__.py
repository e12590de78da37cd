"""Training with GGPO: the run, and what it is made from."""
