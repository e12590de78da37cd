"""Raw reading of the subtitle tracks in a file, through PyAV. Runs in the decoding process only.

Tracks that are pictures are left out. What the words mean for clips is ``assets.user_files``.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from av.container import InputContainer
from av.error import FFmpegError

from infra.errors import MediaError
from infra.media._video import container_of, name_of
from infra.media._video_streams import first_tick, moving_stream

MAX_TRACKS = 8
MAX_CUES = 100_000  # of all tracks together
MAX_CUE_CHARACTERS = 2_000
MAX_CHAPTERS = 2_000
MAX_LYRICS = 200_000  # characters
_LYRICS = ("lyrics", "unsyncedlyrics", "unsynced lyrics", "uslt")
_NUMBERED = re.compile(r"(?:chapter|kapitel|chapitre)?\W*\d+", re.IGNORECASE)
ASS_FIELDS = 8  # before the words of a line: order, layer, style, name, three margins, effect


class Track(NamedTuple):
    """``cues``: seconds and words, in order of time; ``kind`` as ``SubtitleTrack`` has it."""

    language: str
    cues: list[tuple[float, str]]
    kind: str = ""


def subtitle_tracks(source: Path | bytes) -> list[Track]:
    """Each subtitle track that has words, then titles of chapters, then lyrics. Raises ``MediaError``."""
    try:
        with container_of(source) as container:
            return [*_tracks(container), *_chapters(container), *_lyrics(container)]
    except FFmpegError as error:
        raise MediaError("video_unreadable", f"{name_of(source)}: {error.strerror or error}") from error


def _chapters(container: InputContainer) -> Iterator[Track]:
    """The titles of chapters that have some of their own."""
    cues: list[tuple[float, str]] = []
    for chapter in container.chapters()[:MAX_CHAPTERS]:
        title = str(chapter["metadata"].get("title", "")).strip()[:MAX_CUE_CHARACTERS]
        if title and not _NUMBERED.fullmatch(title):
            cues.append((max(0.0, float(chapter["start"] * (chapter["time_base"] or 0))), title))
    if cues:
        yield Track("", sorted(cues, key=lambda cue: cue[0]), "chapters")


def _lyrics(container: InputContainer) -> Iterator[Track]:
    """What tags of the file or of its sound hold, whatever they are called in its format."""
    for tags in (container.metadata, *(stream.metadata for stream in container.streams.audio)):
        for name, text in tags.items():
            if name.lower().startswith(_LYRICS) and text.strip():
                yield Track(name.partition("-")[2], [(0.0, text.strip()[:MAX_LYRICS])], "lyrics")
                return


def _tracks(container: InputContainer) -> list[Track]:
    streams = list(container.streams.subtitles)[:MAX_TRACKS]
    if not streams:
        return []
    film = moving_stream(container)  # times are those from its first frame
    first_s = float(first_tick(container, film) * (film.time_base or 0)) if film is not None else 0.0
    found: dict[int, list[tuple[float, str]]] = {stream.index: [] for stream in streams}
    count = 0
    for packet in container.demux(streams):
        if packet.pts is None or packet.time_base is None:
            continue
        start_s = max(0.0, float(packet.pts * packet.time_base) - first_s)
        for words in _words(packet):
            found[packet.stream_index].append((start_s, words[:MAX_CUE_CHARACTERS]))
            count += 1
        if count >= MAX_CUES:
            break
    return [
        Track(str(stream.metadata.get("language", "")), sorted(found[stream.index], key=lambda cue: cue[0]))
        for stream in streams
        if found[stream.index]
    ]


def _words(packet: Any) -> Iterator[str]:
    try:
        decoded = packet.decode()
    except (FFmpegError, ValueError):
        return
    for subtitle in decoded:
        for part in getattr(subtitle, "rects", None) or (subtitle,):
            written = getattr(part, "ass", b"") or getattr(part, "text", b"")
            text = written.decode("utf-8", "replace") if isinstance(written, bytes) else str(written)
            if text := text.split(",", ASS_FIELDS)[-1].replace("\\N", "\n").replace("\\n", "\n").strip():
                yield text
