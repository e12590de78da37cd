"""From samples to weights: batches, log-probabilities, engine, checkpoints, parity."""
