"""The training study: objectives compared from one cold start."""
