"""A film to items: its clips, each with the words that begin in it; a sound file to the words of its transcript.

Where there are no words, and somebody hears, they are those of ``hearing.py``, and the titles say so.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from assets.corpus.item import Item, Modality
from assets.parsers.identity import text_hash
from assets.parsers.types import ParseContext, ParsedItem, SkippedRecord
from assets.parsers.videos import VideoSource, clip_title, video_items
from assets.user_files.encodings import decode
from assets.user_files.media.heard_pieces import HeardPiece
from assets.user_files.media.transcripts import TranscriptCue, cues, lines_of, rolled_up, spoken_between
from assets.user_files.passages import passages
from assets.user_files.paths import shown_path
from assets.user_files.records import DATASET, FileRecord, ReaderNote
from infra.errors import MediaError
from infra.media import ClipRange, clip_ranges, media_decoder, uniform_times

WITHOUT_PICTURE = "video_without_picture"
CHAPTERS, LYRICS = "chapters", "lyrics"  # kinds of tracks
BY_MACHINE = " (machine transcript)"  # behind the titles of items whose words were heard
Hear = Callable[[Path], Iterator[HeardPiece | SkippedRecord]]
"""Hears what is said in a file, in order of time."""


@dataclass(slots=True)
class _Words:
    """What is said: tracks of cues, one for each language, or texts without times."""

    tracks: list[list[TranscriptCue]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    chapters: list[TranscriptCue] = field(default_factory=list)
    is_heard: bool = False

    def mark(self, said: str) -> str:
        """What the title of an item says about its words."""
        return BY_MACHINE if self.is_heard and said else ""

    def between(self, start_s: float, end_s: float) -> str:
        """The words that begin in [start_s, end_s), track after track."""
        return "\n".join(filter(None, (spoken_between(track, start_s, end_s) for track in self.tracks)))


def film_records(
    path: Path,
    transcripts: Sequence[Path],
    context: ParseContext,
    passage_words: int,
    hear: Hear | None = None,
) -> Iterator[FileRecord]:
    """Everything in a film, in order of time; words without times are shared out evenly. Without words ``hear`` finds some.

    Raises:
        MediaError: as ``MediaDecoder.probe``; for sound alone only if no words come with it.
    """
    words = _Words()
    yield from _read_words(path, transcripts, words)
    duration_s, sound_alone = 0.0, None
    try:
        duration_s = media_decoder().probe(path).duration_s
    except MediaError as error:
        if error.reason != WITHOUT_PICTURE:
            raise
        sound_alone = error
    if hear is not None and not (words.tracks or words.texts):
        yield from _hear(path, hear, words)
    if sound_alone is not None:
        if words.chapters and not words.texts:
            words.tracks.insert(0, words.chapters)
        if not (words.tracks or words.texts):
            raise sound_alone
        yield SkippedRecord(reason=WITHOUT_PICTURE, where="picture", detail="sound only; its words are read")
        yield from _spoken(words, context.clip_s, passage_words)
        return
    ranges = clip_ranges(duration_s, length_s=context.clip_s, min_tail_s=context.min_tail_s)
    yield from _clips(path, words, ranges, context)


def _clips(
    path: Path, words: _Words, ranges: Sequence[ClipRange], context: ParseContext
) -> Iterator[FileRecord]:
    ends = {clip.start_s: clip.end_s for clip in ranges[:-1]}  # words after the last clip belong to it
    transcript = "" if words.tracks else "\n\n".join(words.texts)
    video = VideoSource(DATASET, "", path, transcript, "unknown", "", is_partial=True)
    for record in video_items(video, context):
        if isinstance(record, SkippedRecord):
            yield replace(record, where=f"clip {record.where.removeprefix('#')} s")
            continue
        item, start_s = record.item, record.item.position
        yield from _lost(record, context)
        end_s = ends.get(start_s, math.inf)
        said = words.between(start_s, end_s) if words.tracks else item.text
        text = "\n".join(filter(None, (spoken_between(words.chapters, start_s, end_s), said)))
        title = f"{clip_title('', start_s) if len(ranges) > 1 else ''}{words.mark(said)}"
        kept_id = item.id.removeprefix(f"{DATASET}:")
        placed = replace(item, id=kept_id, title=title, text=text, media_key=kept_id)
        yield replace(record, item=placed)


def _lost(clip: ParsedItem, context: ParseContext) -> Iterator[SkippedRecord]:
    """What is said of a clip that has fewer frames than its length gives."""
    wanted = uniform_times(clip.item.duration_s, context.fps, context.max_frames)
    found = len(clip.media.members) if clip.media else 0
    if found < len(wanted):
        yield SkippedRecord(
            reason="video_truncated",
            where=f"clip {clip.item.position:g} s",
            detail=f"{found} of {len(wanted)} frames are left",
        )


def _read_words(path: Path, transcripts: Sequence[Path], words: _Words) -> Iterator[FileRecord]:
    """What lies beside the film; if that is nothing, the subtitle tracks inside of it; the titles of its chapters."""
    for transcript in transcripts:
        try:
            decoded = decode(transcript.read_bytes())
        except MediaError as error:
            yield SkippedRecord(
                reason="transcript_unreadable", where=shown_path(transcript.name), detail=error.detail
            )
            continue
        yield from (ReaderNote(f"{shown_path(transcript.name)} {note}") for note in decoded.notes)
        if timed := cues(decoded.text):
            words.tracks.append(timed)
        elif decoded.text.strip():
            words.texts.append(decoded.text.strip())
    yield from _read_inside(path, words)


def _read_inside(path: Path, words: _Words) -> Iterator[FileRecord]:
    has_words = bool(words.tracks or words.texts)
    for track in media_decoder().spoken(path):
        said = rolled_up(line for cue in track.lines for line in lines_of(*cue))
        if track.kind == CHAPTERS:
            words.chapters += said
            yield ReaderNote("titles of chapters inside of it")
        elif has_words:
            continue
        elif track.kind == LYRICS:
            yield from _add_lyrics(track.lines[0].text, words)
        elif said:
            words.tracks.append(said)
            yield ReaderNote(f"subtitles inside of it{f' ({track.language})' if track.language else ''}")


def has_words_inside(path: Path) -> bool:
    """Whether the file has subtitles or lyrics of its own. Raises ``MediaError`` as ``MediaDecoder.spoken``."""
    words = _Words()
    for _ in _read_inside(path, words):
        pass
    return bool(words.tracks or words.texts)


def _hear(path: Path, hear: Hear, words: _Words) -> Iterator[FileRecord]:
    heard: list[TranscriptCue] = []
    languages: dict[str, None] = {}
    for piece in hear(path):
        if isinstance(piece, SkippedRecord):
            yield piece
            continue
        heard += piece.cues
        languages |= {piece.language: None} if piece.language else {}
    if heard:
        words.tracks.append(heard)
        words.is_heard = True
        yield ReaderNote(f"words heard by a machine ({', '.join(languages)})")


def _add_lyrics(text: str, words: _Words) -> Iterator[ReaderNote]:
    """Lyrics of a tag, if nothing else says what is sung."""
    if words.tracks or words.texts:
        return
    if timed := cues(text):
        words.tracks.append(timed)
    else:
        words.texts.append(text)
    yield ReaderNote("lyrics inside of it")


def _spoken(words: _Words, length_s: float, passage_words: int) -> Iterator[ParsedItem]:
    """The words of a sound file: by the time at which they are said, if that is known."""
    last_s = max((track[-1].start_s for track in words.tracks), default=-1.0)
    number = 0
    for index in range(math.floor(last_s / length_s) + 1):
        start_s = index * length_s
        for passage in passages(
            words.between(start_s, start_s + length_s), markdown=False, max_words=passage_words
        ):
            number += 1
            title = f"{clip_title('', start_s)}{words.mark(passage.text)}"
            yield _text_item(number, title, passage.text, start_s)
    for text in () if words.tracks else words.texts:
        for passage in passages(text, markdown=False, max_words=passage_words):
            number += 1
            yield _text_item(number, "", passage.text, float(number))


def _text_item(number: int, title: str, text: str, position: float) -> ParsedItem:
    return ParsedItem(
        item=Item(
            id=f"text:#{number}",
            dataset=DATASET,
            modality=Modality.TEXT,
            content_hash=text_hash(title, text),
            title=title,
            text=text,
            position=position,
        )
    )
