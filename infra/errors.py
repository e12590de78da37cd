"""What can go wrong outside, the one boundary that names it, and the text for a name that nobody knows.

Bad input of a caller stays ``ValueError``; our own mistakes stay ``assert``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches

MAX_NAME_CHARS = 60  # of a name that is quoted


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


def nearest_name(name: str, known: Iterable[str], *, cutoff: float = 0.5) -> str:
    """The known name that ``name`` may have meant; "" if none is near. ``cutoff`` is a share of equal characters."""
    return next(iter(get_close_matches(name, tuple(known), n=1, cutoff=cutoff)), "")


def unknown_name(kind: str, name: str, known: Iterable[str], *, cutoff: float = 0.5) -> str:
    """``unknown dataset 'slidvqa': did you mean 'slidevqa'? known are ...``."""
    names = tuple(known)
    close = nearest_name(name, names, cutoff=cutoff)
    hint = f"did you mean {close!r}? " if close else ""
    return f"unknown {kind} {name[:MAX_NAME_CHARS]!r}: {hint}known are {', '.join(names)}"
