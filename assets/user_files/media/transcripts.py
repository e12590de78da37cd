"""What is said in a video and when: SubRip, WebVTT and plain text with or without times.

Holds parsing and the share of each clip; which file is a video's transcript is known by ``reading.py``.
"""

import html
import re
from collections.abc import Sequence
from typing import NamedTuple

_CLOCK = r"(?:(\d{1,3}):)?(\d{1,2}):(\d{2})(?:[.,](\d{1,3}))?"
_CUE_TIME = re.compile(rf"\s*{_CLOCK}\s*-->\s*(?:\d{{1,3}}:)?\d{{1,2}}:\d{{2}}.*")
_STAMPED = re.compile(rf"\s*[\[(]?{_CLOCK}[\])]?(?:\s*[-–|:])?(?:\s+(.*)|\s*)")
_MARKUP = re.compile(r"<[^<>]*>|\{\\[^{}]*\}")


class TranscriptCue(NamedTuple):
    """Some words and the second at which they begin."""

    start_s: float
    text: str


def cues(transcript: str) -> list[TranscriptCue]:
    """The words with their times, in time order; empty if the transcript has no times.

    Words that a cue repeats from the one before, as rolling captions do, are said once.
    """
    lines = transcript.split("\n")
    timed = any(_CUE_TIME.fullmatch(line) for line in lines)
    return sorted(_captions(lines) if timed else _stamped(lines), key=lambda cue: cue.start_s)


def spoken_between(timed: Sequence[TranscriptCue], start_s: float, end_s: float) -> str:
    """The words of the cues that begin in [start_s, end_s)."""
    return "\n".join(cue.text for cue in timed if start_s <= cue.start_s < end_s)


def _captions(lines: Sequence[str]) -> list[TranscriptCue]:
    timed: list[TranscriptCue] = []
    start_s: float | None = None
    last = ""
    for line in lines:
        if match := _CUE_TIME.fullmatch(line):
            start_s = _seconds(match)
        elif not line.strip():
            start_s = None  # what follows is a number, a note or the next cue
        elif start_s is not None:
            text = " ".join(html.unescape(_MARKUP.sub("", line)).split())
            if text and text != last:
                timed.append(TranscriptCue(start_s, text))
                last = text
    return timed


def _stamped(lines: Sequence[str]) -> list[TranscriptCue]:
    """Lines that each begin with a time, or belong to the line before that did."""
    timed: list[TranscriptCue] = []
    start_s: float | None = None
    for line in filter(str.strip, lines):
        match = _STAMPED.fullmatch(line)
        if match is None and start_s is None:
            return []  # it does not begin with a time: a text that mentions some
        text = line.strip()
        if match is not None:
            start_s, text = _seconds(match), (match.group(5) or "").strip()
        if text and start_s is not None:
            timed.append(TranscriptCue(start_s, text))
    return timed


def _seconds(match: re.Match[str]) -> float:
    hours, minutes, seconds, fraction = match.group(1, 2, 3, 4)
    return 3600 * int(hours or 0) + 60 * int(minutes) + int(seconds) + float(f"0.{fraction or 0}")
