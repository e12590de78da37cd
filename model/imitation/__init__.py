"""Supervised learning before reinforcement learning: demonstrations, stages, rejection sampling."""
