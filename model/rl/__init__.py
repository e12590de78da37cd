"""The algorithm: rollouts, rewards, advantages, segments, loss."""
