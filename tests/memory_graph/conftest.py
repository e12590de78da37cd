"""Properties get as much time as a busy machine needs: how long an example takes says nothing about it."""

from hypothesis import settings

settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
