"""Which questions are trained on, which choose between checkpoints, and which measure: a record, and what keeps it honest."""
