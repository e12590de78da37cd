"""Where the rollouts of a training run come from."""
