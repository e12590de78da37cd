"""``vimrag study credit``: rollouts once, then every objective judged from its weights."""
