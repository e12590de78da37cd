"""What can go wrong outside, and the one boundary that names it.

Holds error types only. Bad input of a caller stays ``ValueError``; our own mistakes stay ``assert``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class ExternalError(Exception):
    """A system outside this process failed; the text names the system and the act."""


class StorageError(ExternalError):
    """A file system or object store failed."""


class VectorStoreError(ExternalError):
    """A vector store failed, or reported objects it did not take."""


class EmbedderError(ExternalError):
    """An embedder could not be loaded or run."""


class EngineError(ExternalError):
    """The engine that spreads work over processes is not there, or lost a worker for good."""


class EndpointError(ExternalError):
    """A served model did not answer."""


class MediaError(ExternalError):
    """A document, image or clip cannot be read. ``reason`` is a stable word that skips are counted by."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail

    def __reduce__(self) -> tuple[type[MediaError], tuple[str, str]]:
        """Pickle by the two parts, so that the error crosses process borders whole."""
        return type(self), (self.reason, self.detail)


class DownloadError(ExternalError):
    """A file could not be fetched. ``reason`` is a stable word: see ``downloads/http.py`` and ``downloads/ytdlp_fetcher.py``."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


@contextmanager
def boundary(
    error: type[ExternalError], action: str, *, passing: tuple[type[Exception], ...] = ()
) -> Iterator[None]:
    """Re-raise what escapes as ``error``, ``action`` in front; ``ExternalError`` and ``passing`` pass."""
    try:
        yield
    except (ExternalError, *passing):
        raise
    except Exception as cause:
        raise error(f"{action}: {type(cause).__name__}: {cause}") from cause
