"""The error of a command line that is wrong, and the exit code of Ctrl-C; every other error is the layer's that raises it."""

from collections.abc import Iterator
from contextlib import contextmanager

STOPPED = 130  # the exit code of a program that Ctrl-C ended, as shells have it


class UsageError(ValueError):
    """The command line itself is wrong; exit code 2."""


@contextmanager
def usage_errors() -> Iterator[None]:
    """Raise what was refused as a ``UsageError``, with the same words."""
    try:
        yield
    except ValueError as error:
        raise UsageError(str(error)) from error
