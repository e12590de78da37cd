"""What decoding gives, and the arithmetic of clips and frames. Pure: no decoder is imported here."""

import math
from typing import NamedTuple

from PIL import Image

from infra.errors import ExternalError
from infra.limits import CLIP_SECONDS, MIN_TAIL_SECONDS


class OcrError(ExternalError):
    """The OCR engine could not be loaded or failed on an image."""


class SpeechError(ExternalError):
    """The recogniser of speech is not there, or its model cannot be loaded."""


class OcrModel(NamedTuple):
    """A recognition model of PP-OCR that is used in place of the package's."""

    path: str
    """Of its file."""
    characters: str
    """The text file of its characters; empty where it holds them itself."""
    height: int
    """Pixels of a line that it reads."""
    scripts: tuple[str, ...]
    """Those it can write, most letters first."""
    digest: str
    """Hash of both files, in hex."""


class PageFacts(NamedTuple):
    """What tells whether a page is a scan, a poster or garbled. Shares are of 1."""

    full_width: int = 0
    """Pixels of the whole page at the resolution asked for, however many were rendered."""
    full_height: int = 0
    picture_share: float = 0.0
    """Of the page's area that pictures cover."""
    word_share: float = 0.0
    """Of the page's height that has words in the text layer."""
    unmapped_share: float = 0.0
    """Of the text layer's characters, whose font does not say what they are."""


class PdfPage(NamedTuple):
    """One page. ``number`` counts from 1; width and height are those of ``image``, in pixels."""

    number: int
    image: Image.Image
    text: str
    width: int
    height: int
    facts: PageFacts = PageFacts()


class PlainPage(NamedTuple):
    """One page without its pixels. Width and height are those it is rendered with at the resolution asked for.

    ``own``: a PDF of this page alone, which shows the very same; empty where that cannot be told, or where it is too large.
    """

    number: int
    text: str
    width: int
    height: int
    facts: PageFacts
    own: bytes


class VideoInfo(NamedTuple):
    """What a video file holds. ``fps`` is the mean rate, in frames a second."""

    duration_s: float
    fps: float
    width: int
    height: int


class Frame(NamedTuple):
    """A decoded frame; ``time_s`` is the time asked for."""

    time_s: float
    image: Image.Image


class SubtitleLine(NamedTuple):
    """Words and the second at which they are shown; they may hold the markup of their format."""

    start_s: float
    text: str


class SubtitleTrack(NamedTuple):
    """One track of a file; ``language`` as the file names it, empty if it does not."""

    language: str
    lines: tuple[SubtitleLine, ...]
    kind: str = ""
    """"chapters": their titles; "lyrics": a text that is kept beside the sound, in one line; "heard": by a machine; else ""."""


class ClipRange(NamedTuple):
    """A half-open interval of a video, in seconds."""

    start_s: float
    end_s: float


def uniform_times(duration_s: float, fps: float, max_frames: int) -> tuple[float, ...]:
    """Centres of n equal intervals; n = duration times ``fps`` (1/s), at least 1, at most ``max_frames``."""
    if duration_s <= 0 or fps <= 0 or max_frames < 1:
        raise ValueError(
            f"duration, rate and frame count must be positive: {duration_s}, {fps}, {max_frames}"
        )
    count = min(max_frames, max(1, math.floor(duration_s * fps + 1e-6)))
    return tuple(duration_s * (index + 0.5) / count for index in range(count))


def clip_ranges(
    duration_s: float, *, length_s: float = CLIP_SECONDS, min_tail_s: float = MIN_TAIL_SECONDS
) -> list[ClipRange]:
    """Consecutive clips of ``length_s``; a last one below ``min_tail_s`` is dropped unless it is alone."""
    if length_s <= 0 or duration_s < 0:
        raise ValueError(f"clips need a positive length and no negative duration: {length_s}, {duration_s}")
    starts = [index * length_s for index in range(math.ceil(duration_s / length_s))]
    clips = [ClipRange(start, min(start + length_s, duration_s)) for start in starts]
    if len(clips) > 1 and clips[-1].end_s - clips[-1].start_s < min_tail_s:
        clips.pop()
    return clips
