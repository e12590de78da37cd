"""A model measured: arms of an evaluation, its record, comparisons of two, and what other programs read of it."""
