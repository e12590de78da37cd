"""Error texts for a name that nobody knows: the known name that is nearest, and all there are."""

from collections.abc import Iterable
from difflib import get_close_matches

MAX_CHARS = 60  # of a name that is quoted


def nearest(name: str, known: Iterable[str], *, cutoff: float = 0.5) -> str:
    """The known name that ``name`` may have meant; "" if none is near. ``cutoff`` is a share of equal characters."""
    return next(iter(get_close_matches(name, tuple(known), n=1, cutoff=cutoff)), "")


def unknown(kind: str, name: str, known: Iterable[str], *, cutoff: float = 0.5) -> str:
    """``unknown dataset 'slidvqa': did you mean 'slidevqa'? known are ...``."""
    names = tuple(known)
    close = nearest(name, names, cutoff=cutoff)
    hint = f"did you mean {close!r}? " if close else ""
    return f"unknown {kind} {name[:MAX_CHARS]!r}: {hint}known are {', '.join(names)}"
