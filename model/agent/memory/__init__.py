"""Memory policies: what a context holds, one file each. What they share is in ``session.py`` and ``cycle.py``."""
