"""What is said in a film and when: the text formats of subtitles, and plain text with or without times.

Holds parsing and the share of each clip; which files are a film's subtitles is known by ``subtitle_files.py``.
"""

import html
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import starmap
from typing import NamedTuple

from assets.user_files.media.recognised import SPOKEN_COLUMNS, spoken_columns, spoken_json

_FRACTION = r"(?:[.,:](\d{1,3}))?"
_CLOCK = rf"(?:(\d{{1,3}}):)?(\d{{1,2}}):(\d{{2}}){_FRACTION}"
_LOOSE_CLOCK = rf"(?:(\d{{1,3}}):)?(\d{{1,2}}):(\d{{1,2}}){_FRACTION}"
_CUE_TIME = re.compile(rf"\s*{_LOOSE_CLOCK}\s*(?:-{{1,2}}\s?>|[→,])\s*(?:\d{{1,3}}:)?\d{{1,2}}:\d{{1,2}}.*")
_STAMPED = re.compile(rf"\s*[\[(]?{_CLOCK}[\])]?(?:\s*[-–|:])?(?:\s+(.*)|\s*)")
_DRAWN = re.compile(r"\{[^{}]*\\p[1-9][^{}]*\}.*?(?=\{[^{}]*\\p0[^{}]*\}|\Z)", re.DOTALL)  # shapes of ASS
# a sign of "less than" opens a tag only before a letter, or a time
_MARKUP = re.compile(r"<[A-Za-z/!?][^<>]*>|<\d[\d:.]*>|\{\\?[^{}]*\}")
_LYRIC = re.compile(rf"\s*((?:\[{_CLOCK}\]\s*)+)(.*)")
_LYRIC_TAG = re.compile(r"\s*\[[A-Za-z#]+:.*\]\s*")
_LYRIC_TIME = re.compile(rf"\[{_CLOCK}\]")
_TENTHS = re.compile(r"\s*\[(\d+)\]\[\d*\](.*)")
_TIMED = re.compile(r"<(p|text)\b([^<>]*)>(.*?)</\1>", re.DOTALL | re.IGNORECASE)
_ATTRIBUTE = re.compile(r"""\b(\w+)\s*=\s*["']([^"']*)["']""")
_TIMED_LINE = re.compile(r"\s*(\d{1,2}):(\d{2}):(\d{2})()[:=](\S.*)")
_FRAMES = re.compile(r"\s*\{(\d+)\}\{(\d*)\}(.*)")
_BLOCK = re.compile(
    r"<(?P<end>/?)(?:\w+:)?(?:body|div)\b(?P<around>[^<>]*)>"
    r"|<(?:\w+:)?p\b(?P<head>[^<>]*)>(?P<words>.*?)</(?:\w+:)?p>",
    re.DOTALL | re.IGNORECASE,
)
_TIMED_TEXT = re.compile(r"<(?:\w+:)?tt\b")
_TIMED_SPAN = re.compile(r"<(?:\w+:)?span\b([^<>]*\bbegin\s*=[^<>]*)>", re.IGNORECASE)
_BEGIN = re.compile(r"""\bbegin\s*=\s*["']([^"']+)["']""", re.IGNORECASE)
_SYNC = re.compile(r"<sync\b[^<>]*?start\s*=\s*[\"']?(\d+)[^<>]*>", re.IGNORECASE)
_BREAK = re.compile(r"<(?:\w+:)?br\s*/?>|\[br\]", re.IGNORECASE)
_HIDDEN_BLOCKS = ("NOTE", "STYLE", "REGION")  # of WebVTT
EVENT_FIELDS = (
    *("layer", "start", "end", "style", "name", "marginl", "marginr", "marginv"),
    "effect",
    "text",
)
USUAL_FRAME_RATE = 23.976  # of subtitles that count frames and do not say how fast they come
NEAR_S = 10.0  # seconds within which a line that comes again is one that rolls up


class TranscriptCue(NamedTuple):
    """Some words and the second at which they begin."""

    start_s: float
    text: str


def cues(transcript: str) -> list[TranscriptCue]:
    """The words with their times, in time order; empty if the transcript has no times.

    Words that a cue repeats from the one before, as rolling captions do, are said once.
    """
    lines = transcript.split("\n")
    if any(_CUE_TIME.fullmatch(line) for line in lines):
        return _said_once(_captions(lines))
    if (marked := _of_head(transcript, lines)) is not None:
        return _said_once(marked)
    for parse in (_scripted, _frames, _tenths, _lyrics, _timed_lines):
        if found := list(parse(lines)):
            return _said_once(found)
    return sorted(_stamped(lines), key=lambda cue: cue.start_s)


def _of_head(transcript: str, lines: Sequence[str]) -> Iterable[TranscriptCue] | None:
    """The cues of a format that its beginning tells; None if it tells none."""
    head = transcript[:4096].lower()
    if head.startswith(SPOKEN_COLUMNS):
        return starmap(TranscriptCue, spoken_columns(lines))
    if _TIMED_TEXT.search(head) and _BLOCK.search(transcript):
        return _paragraphs(transcript)
    if "<sami" in head:
        return _synchronised(transcript)
    if "<timedtext" in head or "<transcript" in head:
        return _timed_texts(transcript)
    spoken = starmap(TranscriptCue, spoken_json(transcript)) if head.lstrip().startswith("{") else ()
    return list(spoken) or None


def lines_of(start_s: float, text: str) -> Iterator[TranscriptCue]:
    """The lines of a cue without markup."""
    for line in _BREAK.sub("\n", _DRAWN.sub("", text)).split("\n"):
        if plain := " ".join(html.unescape(_MARKUP.sub("", line)).split()):
            yield TranscriptCue(start_s, plain)


def rolled_up(found: Iterable[TranscriptCue]) -> list[TranscriptCue]:
    """In time order, and each line once that captions repeat while it rolls up the screen."""
    said: list[TranscriptCue] = []
    for cue in sorted(found, key=lambda cue: cue.start_s):
        recent = [last for last in said[-3:] if cue.start_s - last.start_s <= NEAR_S]
        if any(last.text == cue.text and last.start_s <= cue.start_s for last in recent):
            continue
        last = recent[-1] if recent else None
        if last and last.start_s < cue.start_s and cue.text.startswith(last.text + " "):
            said[-1] = TranscriptCue(last.start_s, cue.text)  # a line that grows word by word
            continue
        said.append(cue)
    return said


def spoken_between(timed: Sequence[TranscriptCue], start_s: float, end_s: float) -> str:
    """The words of the cues that begin in [start_s, end_s)."""
    return "\n".join(cue.text for cue in timed if start_s <= cue.start_s < end_s)


def _said_once(cues_: Iterable[TranscriptCue]) -> list[TranscriptCue]:
    return rolled_up(line for cue in cues_ for line in lines_of(cue.start_s, cue.text))


def _captions(lines: Sequence[str]) -> Iterator[TranscriptCue]:
    """SubRip, WebVTT and SubViewer: everything up to the next time, but what names the next cue."""
    starts = [(at, match) for at, line in enumerate(lines) if (match := _CUE_TIME.fullmatch(line))]
    for index, (at, match) in enumerate(starts):
        end = starts[index + 1][0] if index + 1 < len(starts) else len(lines)
        text = list(lines[at + 1 : end])
        if index + 1 < len(starts) and _is_name(text):
            text.pop()
        yield TranscriptCue(_seconds(match), "\n".join(_without_hidden(text)))


def _is_name(text: Sequence[str]) -> bool:
    """Whether the last line before a time is a number or a name of the cue, and no words."""
    if not text or not text[-1].strip():
        return False
    after_blank = len(text) > 1 and not text[-2].strip()
    return text[-1].strip().isdigit() or (after_blank and " " not in text[-1].strip())


def _without_hidden(text: Sequence[str]) -> Iterator[str]:
    hidden, blank = False, False
    for line in text:
        if not line.strip():
            hidden, blank = False, True
            continue
        hidden = hidden or (blank and line.split(maxsplit=1)[0] in _HIDDEN_BLOCKS)
        blank = False
        if not hidden:
            yield line


def _scripted(lines: Sequence[str]) -> Iterator[TranscriptCue]:
    """Advanced SubStation Alpha, which may tell the order of its fields."""
    names = EVENT_FIELDS
    for line in lines:
        kind, _, rest = line.strip().partition(":")
        if kind == "Format":
            told = tuple(name.strip().lower() for name in rest.split(","))
            names = told if {"start", "text"} <= set(told) else EVENT_FIELDS
        elif kind == "Dialogue" and len(written := rest.split(",", len(names) - 1)) == len(names):
            event = dict(zip(names, written, strict=True))
            if clock := re.match(rf"\s*{_CLOCK}", event["start"]):
                text = event["text"].replace("\\N", "\n").replace("\\n", "\n").replace("\\h", " ")
                yield TranscriptCue(_seconds(clock), text)


def _frames(lines: Sequence[str]) -> Iterator[TranscriptCue]:
    """MicroDVD, which counts frames; the first cue may say how many a second has."""
    rate = USUAL_FRAME_RATE
    for line in lines:
        if match := _FRAMES.fullmatch(line):
            first, text = int(match.group(1)), match.group(3)
            if first <= 1 and re.fullmatch(r"\d{2,3}(?:[.,]\d+)?", text.strip()):
                rate = float(text.replace(",", ".")) or rate
                continue
            yield TranscriptCue(first / rate, text.replace("|", "\n"))


def _lyrics(lines: Sequence[str]) -> Iterator[TranscriptCue]:
    """LRC: one time or several before a line; what has none says who sings."""
    written = [line for line in lines if line.strip() and not _LYRIC_TAG.fullmatch(line)]
    matches = [match for line in written if (match := _LYRIC.fullmatch(line))]
    if len(matches) < len(written):
        return
    for match in matches:
        for time in _LYRIC_TIME.finditer(match.group(1)):
            yield TranscriptCue(_seconds(time), re.sub(rf"<{_CLOCK}>", "", match.group(6)))


def _tenths(lines: Sequence[str]) -> Iterator[TranscriptCue]:
    """MPL2, which counts tenths of a second."""
    written = list(filter(str.strip, lines))
    matches = [match for line in written if (match := _TENTHS.fullmatch(line))]
    if len(matches) == len(written):
        for match in matches:
            words = (part.removeprefix("/") for part in match.group(2).split("|"))  # in italics
            yield TranscriptCue(int(match.group(1)) / 10, "\n".join(words))


def _timed_lines(lines: Sequence[str]) -> Iterator[TranscriptCue]:
    """TMPlayer: a time, a colon and at once the words, on every line."""
    written = list(filter(str.strip, lines))
    matches = [match for line in written if (match := _TIMED_LINE.fullmatch(line))]
    if len(matches) == len(written):
        for match in matches:
            yield TranscriptCue(_seconds(match), match.group(5).replace("|", "\n"))


def _timed_texts(transcript: str) -> Iterator[TranscriptCue]:
    """What video platforms keep: milliseconds at paragraphs, or seconds at texts."""
    for match in _TIMED.finditer(transcript):
        attributes = dict(_ATTRIBUTE.findall(match.group(2)))
        written = attributes.get("t") or attributes.get("start") or ""
        if written.replace(".", "", 1).isdigit():
            start_s = float(written) / (1000 if "t" in attributes else 1)
            yield TranscriptCue(start_s, html.unescape(match.group(3)))


def _paragraphs(transcript: str) -> Iterator[TranscriptCue]:
    """TTML and its kin: times count from the beginning of what is around."""
    around = [0.0]
    for match in _BLOCK.finditer(transcript):
        if match["words"] is not None:
            yield from _spans(around[-1] + _begin(match["head"]), match["words"])
        elif not match["end"]:
            if not match["around"].endswith("/"):
                around.append(around[-1] + _begin(match["around"]))
        elif len(around) > 1:
            around.pop()


def _spans(start_s: float, words: str) -> Iterator[TranscriptCue]:
    """A paragraph, in parts where spans within it have times of their own."""
    timed = list(_TIMED_SPAN.finditer(words))
    starts = [start_s, *(start_s + _begin(match.group(1)) for match in timed)]
    edges = [0, *(match.start() for match in timed), len(words)]
    for index, begins_s in enumerate(starts):
        part = " ".join(_BREAK.sub("\x01", words[edges[index] : edges[index + 1]]).split())
        yield TranscriptCue(begins_s, part.replace("\x01", "\n"))


def _begin(attributes: str) -> float:
    found = _BEGIN.search(attributes)
    return _offset(found.group(1)) if found else 0.0


def _offset(written: str) -> float:
    if clock := re.match(_CLOCK, written):
        return _seconds(clock)
    if metric := re.fullmatch(r"(\d+(?:\.\d+)?)(h|m|s|ms)?", written.strip()):
        return float(metric.group(1)) * {"h": 3600.0, "m": 60.0, "ms": 0.001}.get(metric.group(2) or "s", 1.0)
    if ticks := re.fullmatch(r"(\d+)t", written.strip()):
        return int(ticks.group(1)) / 1e7
    return 0.0


def _synchronised(transcript: str) -> Iterator[TranscriptCue]:
    """SAMI: milliseconds."""
    starts = list(_SYNC.finditer(transcript))
    for index, match in enumerate(starts):
        end = starts[index + 1].start() if index + 1 < len(starts) else len(transcript)
        yield TranscriptCue(int(match.group(1)) / 1000, transcript[match.end() : end])


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
