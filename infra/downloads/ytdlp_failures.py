"""Why a video did not come: yt-dlp's errors sorted into a few stable reasons. Holds no network and no files."""

import re
from collections.abc import Iterator
from enum import StrEnum

from yt_dlp.networking.exceptions import HTTPError, IncompleteRead, TransportError
from yt_dlp.utils import ContentTooShortError, GeoRestrictedError, UnsupportedError

DETAIL_CHARS = 300


class VideoReason(StrEnum):
    """What became of a video that is not there."""

    GONE = "gone"  # removed, or never there
    PRIVATE = "private"  # for members or invited people
    GEO = "geo"  # not shown in this country
    FORBIDDEN = "forbidden"  # refused to us: 403, sign-in, age
    RATE_LIMITED = "rate_limited"
    TRUNCATED = "truncated"  # it ended early, or cannot be read to its end
    TOO_LARGE = "too_large"  # above a limit of ours, in bytes or in time
    UNSUPPORTED = "unsupported"  # nothing there that can be fetched as a video
    UNREACHABLE = "unreachable"  # nobody answered
    OTHER = "other"


LASTING = frozenset(
    {
        VideoReason.GONE,
        VideoReason.PRIVATE,
        VideoReason.GEO,
        VideoReason.TOO_LARGE,
        VideoReason.UNSUPPORTED,
    }
)
"""Reasons that do not change by themselves; what has one is asked for again only when told to."""

BY_STATUS = {
    401: VideoReason.FORBIDDEN,
    403: VideoReason.FORBIDDEN,
    404: VideoReason.GONE,
    410: VideoReason.GONE,
    429: VideoReason.RATE_LIMITED,
    451: VideoReason.GEO,
}
BY_TYPE = (
    (GeoRestrictedError, VideoReason.GEO),
    (ContentTooShortError, VideoReason.TRUNCATED),
    (IncompleteRead, VideoReason.TRUNCATED),
    (UnsupportedError, VideoReason.UNSUPPORTED),
    (TransportError, VideoReason.UNREACHABLE),
)
BY_WORDS = (  # the first that is said; sites word these by hand, and change them
    (
        r"not (made this video )?available in your (country|location|region)|blocked it in your country",
        VideoReason.GEO,
    ),
    (r"private video|video is private|members.only|join this channel", VideoReason.PRIVATE),
    (r"not a bot|too many requests|rate.?limit|try again later", VideoReason.RATE_LIMITED),
    (r"confirm your age|age.restricted|sign in|log ?in required|inappropriate", VideoReason.FORBIDDEN),
    (
        r"requested format|drm|no video formats|premieres|live event|unsupported url|no suitable extractor",
        VideoReason.UNSUPPORTED,
    ),
    (
        r"removed|terminated|no longer available|does not exist|has been deleted|video (is )?unavailable|is not available",
        VideoReason.GONE,
    ),
    (r"failed to resolve|connection refused|network is unreachable|timed out", VideoReason.UNREACHABLE),
    (
        r"content too short|incomplete|did not get any data|bytes read, \d+ more expected",
        VideoReason.TRUNCATED,
    ),
)
_QUERY = re.compile(r"\?[^\s'\"]+")  # of addresses: signatures and tokens stand there
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def reason_of(error: BaseException) -> VideoReason:
    """The reason of an error that yt-dlp raised: by what lies at its root, else by its words."""
    for cause in causes(error):
        if isinstance(cause, HTTPError):
            if known := BY_STATUS.get(cause.status):
                return known
            break
        for kind, reason in BY_TYPE:
            if isinstance(cause, kind):
                return reason
    text = str(error).lower()
    return next((reason for words, reason in BY_WORDS if re.search(words, text)), VideoReason.OTHER)


def detail_of(error: BaseException) -> str:
    """One line for a report, without what an address carries behind its question mark."""
    text = _QUERY.sub("?...", _COLOUR.sub("", str(error)))
    return " ".join(text.removeprefix("ERROR: ").split())[:DETAIL_CHARS]


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what led to it, by every way in which yt-dlp keeps that."""
    waiting: list[BaseException | None] = [error]
    known: set[int] = set()
    while waiting:
        current = waiting.pop(0)
        if current is None or id(current) in known:
            continue
        known.add(id(current))
        yield current
        kept = getattr(current, "exc_info", None) or (None, None, None)
        waiting += [kept[1], getattr(current, "cause", None), current.__cause__, current.__context__]
