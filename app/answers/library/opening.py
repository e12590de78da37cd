"""The place in a source that a sentence rests on: rectangles on a page, or a film with its words to be played.

Where words stand is asked of the document itself as long as it lies at its place and still says them; else, and for scans,
the picture of the page that the corpus keeps is read again.
"""

import mimetypes
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from app.answers.library.listing import Library
from app.answers.records import ItemRecord, Record, Text
from assets.corpus.media import ShardMedia
from assets.user_files.encodings import decode
from assets.user_files.file_kinds import FileKind, head_of, kind_of
from assets.user_files.media.subtitle_files import subtitles_of
from assets.user_files.media.transcripts import TranscriptCue, cues
from infra.errors import ExternalError, MediaError
from infra.media import media_decoder, ocr_reader

LONGEST_CUE_S = 6.0
LAYER, OCR, SAID, NOWHERE = "text layer", "ocr", "subtitles", "not found"
MOST_TRACKS = 16
MOST_SUBTITLE_BYTES = 4 * 1024 * 1024
MEDIA_TYPES = {".mkv": "video/x-matroska", ".mov": "video/mp4", ".m4v": "video/mp4", ".ogv": "video/ogg"}


class BoxRecord(Record):
    """A rectangle as shares of the page's width and height, from its upper left corner."""

    x: float
    y: float
    width: float
    height: float


class PlaceRecord(Record):
    """Where words stand on a page, or the second at which they are said in a film.

    ``how`` says what was asked: "text layer", "ocr", "subtitles", or "not found".
    """

    page: int | None
    how: str
    boxes: tuple[BoxRecord, ...]
    second: float | None = None


class TrackRecord(Record):
    """Subtitles of a film as WebVTT."""

    label: Text
    language: Text
    href: str


class FilmRecord(Record):
    """A film that can be played."""

    key: str
    name: Text
    media_type: str
    tracks: tuple[TrackRecord, ...]


class Track(NamedTuple):
    """Timed words of a film and what they are called."""

    label: str
    language: str
    cues: tuple[TranscriptCue, ...]


def place_of(library: Library, item: ItemRecord, words: str, media: ShardMedia) -> PlaceRecord:
    """Where ``words`` stand on the page or the picture that ``item`` is, or are said in its film."""
    if item.modality == "video":
        second = _second_of(library, item, words)
        return PlaceRecord(page=None, how=NOWHERE if second is None else SAID, boxes=(), second=second)
    if item.page is not None and item.file and float(item.page).is_integer():
        path = _path_of(library, item.file)
        if path is not None and _kind(path) is FileKind.PDF:
            try:
                with media_decoder().open_pdf(path) as pdf:
                    boxes = pdf.find(item.page, words) if item.page <= pdf.num_pages else []
            except ExternalError:
                boxes = []
            if boxes:
                return _record(item, LAYER, boxes)
    try:
        boxes = ocr_reader().find(media.image(item.id), words)
    except (KeyError, ValueError, ExternalError):
        boxes = []
    return _record(item, OCR if boxes else NOWHERE, boxes)


def _second_of(library: Library, item: ItemRecord, words: str) -> float | None:
    """When the first of ``words`` are said, within the clip that ``item`` is."""
    found = film_of(library, item.file) if item.file else None
    wanted, start_s = _letters(words), item.start_s or 0.0
    if found is None or not wanted:
        return None
    for track in tracks_of(found[0]):
        for cue in track.cues:
            said = _letters(cue.text)
            inside = start_s - 0.5 <= cue.start_s <= start_s + item.duration_s + 0.5
            if inside and said and (wanted.startswith(said) or wanted[:40] in said):
                return cue.start_s
    return None


def _letters(text: str) -> str:
    return "".join(char for char in text.casefold() if char.isalnum())


def film_of(library: Library, key: str) -> tuple[Path, FilmRecord] | None:
    """The film behind a key as it lies on the disk now; None if there is none."""
    path = _path_of(library, key)
    if path is None or _kind(path) is not FileKind.VIDEO:
        return None
    suffix = path.suffix.lower()
    media_type = MEDIA_TYPES.get(suffix) or mimetypes.guess_type(path.name)[0] or "video/mp4"
    tracks = tuple(
        TrackRecord(
            label=track.label,
            language=track.language,
            href=f"/v1/sources/{quote(key, safe='')}/subtitles/{number}",
        )
        for number, track in enumerate(tracks_of(path))
    )
    return path, FilmRecord(key=key, name=path.name, media_type=media_type, tracks=tracks)


def tracks_of(film: Path) -> list[Track]:
    """The words that lie beside a film, then those inside of it."""
    tracks: list[Track] = []
    for beside in subtitles_of(film)[:MOST_TRACKS]:
        try:
            if beside.stat().st_size > MOST_SUBTITLE_BYTES:
                continue
            timed = cues(decode(beside.read_bytes()).text)
        except (OSError, MediaError):
            continue
        if timed:
            tracks.append(Track(beside.name, "", tuple(timed)))
    try:
        inside = [track for track in media_decoder().spoken(film) if not track.kind]
    except MediaError:
        inside = []
    for number, track in enumerate(inside[: MOST_TRACKS - len(tracks)], start=1):
        timed = [TranscriptCue(line.start_s, line.text) for line in track.lines]
        if timed:
            tracks.append(Track(f"inside of it {number}", track.language or "", tuple(timed)))
    return tracks


def web_vtt(lines: Sequence[TranscriptCue]) -> str:
    """Timed words as WebVTT; each stays until the next one comes."""
    blocks = ["WEBVTT"]
    for at, line in enumerate(lines):
        following = lines[at + 1].start_s if at + 1 < len(lines) else line.start_s + LONGEST_CUE_S
        end_s = max(line.start_s + 0.5, min(following, line.start_s + LONGEST_CUE_S))
        text = line.text.replace("&", "&amp;").replace("<", "&lt;").replace("-->", "->")
        said = "\n".join(filter(None, (part.strip() for part in text.splitlines())))
        blocks.append(f"{_clock(line.start_s)} --> {_clock(end_s)}\n{said}")
    return "\n\n".join(blocks) + "\n"


def _clock(seconds: float) -> str:
    millis = max(0, round(seconds * 1000))
    return f"{millis // 3_600_000:02}:{millis // 60_000 % 60:02}:{millis // 1000 % 60:02}.{millis % 1000:03}"


def _path_of(library: Library, key: str) -> Path | None:
    """Where a file lies that was ingested; None if it was not, or is not there any more."""
    file = library.file(key)
    if file is None:
        return None
    path = Path(file.location)
    return path if path.is_file() else None


def _kind(path: Path) -> FileKind | None:
    try:
        with path.open("rb") as file:
            return kind_of(head_of(file, path.suffix), path.suffix)
    except OSError:
        return None


def _record(item: ItemRecord, how: str, boxes: Sequence[tuple[float, float, float, float]]) -> PlaceRecord:
    shown = (BoxRecord(x=x, y=y, width=width, height=height) for x, y, width, height in boxes)
    return PlaceRecord(page=item.page, how=how, boxes=tuple(shown))
