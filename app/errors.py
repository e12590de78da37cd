"""The error of a command line that is wrong; every other error is the layer's that raises it."""


class UsageError(ValueError):
    """The command line itself is wrong; exit code 2."""
