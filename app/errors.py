"""The error of a command line that is wrong; every other error is the layer's that raises it."""

from collections.abc import Iterator
from contextlib import contextmanager


class UsageError(ValueError):
    """The command line itself is wrong; exit code 2."""


@contextmanager
def usage_errors() -> Iterator[None]:
    """Raise what was refused as a ``UsageError``, with the same words."""
    try:
        yield
    except ValueError as error:
        raise UsageError(str(error)) from error
