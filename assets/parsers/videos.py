"""Videos and their clips: where the files are, what is shown and said in which minute.

A video becomes clips of ``context.clip_s`` seconds with frames at uniform times; a video of which only the
transcript is at hand becomes one text item. Which clips are gold is decided by the dataset parsers, with
``overlapping``.
"""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from assets.corpus.item import Item, ItemKind, Modality, item_id
from assets.parsers.files.raw_folder import RawFile, RawFolder
from assets.parsers.identity import bytes_hash, text_hash
from assets.parsers.images import encode, item_or_skip
from assets.parsers.types import MediaBlob, ParseContext, ParsedItem, SkippedRecord
from infra.errors import MediaError
from infra.limits import MIN_TAIL_SECONDS
from infra.media import ClipRange, clip_ranges, media_decoder, uniform_times

VIDEO_SUFFIXES = (".mp4", ".webm", ".mkv", ".mov", ".m4v", ".avi")
_IN_BRACKETS = re.compile(r".*\[([\w-]{11})\]")  # "<title> [<id>].mp4", as yt-dlp names files
_YOUTUBE_URL = re.compile(r"(?:v=|youtu\.be/|/shorts/|/embed/)([\w-]{11})")


class VideoSource(NamedTuple):
    """One video as the corpus knows it; ``path`` is None where only the transcript is at hand."""

    dataset: str
    id: str  # as the dataset writes it
    path: Path | None
    transcript: str
    licence: str
    source: str  # relative to the raw folder
    is_partial: bool = False  # a clip of which frames are lost has those that are left


class ClipItem(NamedTuple):
    """Where one item lies in its video; a text item covers all of it."""

    item_id: str
    start_s: float
    end_s: float


class VideoFiles(NamedTuple):
    """The video files of a raw folder."""

    by_id: dict[str, RawFile]
    skipped: list[SkippedRecord]
    sidecars: set[str]  # names of the files that a downloader wrote beside them


def video_files(folder: RawFolder) -> VideoFiles:
    """Every video file by video id: what a downloader's sidecar or the name's brackets say, else the stem."""
    videos = VideoFiles({}, [], set())
    files = folder.take(VIDEO_SUFFIXES)
    for file in files:
        video_id = _sidecar_id(file.path) or _bracketed(file.path.stem) or file.path.stem
        if (first := videos.by_id.setdefault(video_id, file)) is not file:
            videos.skipped.append(SkippedRecord(reason="video_duplicate", where=file.name, detail=first.name))
    stems = {file.path.with_suffix("") for file in files}
    sidecars = folder.take((".json",), lambda file: _beside(file.path) in stems)
    videos.sidecars.update(file.name for file in sidecars)
    return videos


def video_stem(reference: str) -> str:
    """A video's name as a record writes it, without folders and without the suffix of a video."""
    name = PurePosixPath(reference.strip().replace("\\", "/"))
    return name.stem if name.suffix.lower() in VIDEO_SUFFIXES else name.name


def clip_id(dataset: str, video_id: str, start_s: float) -> str:
    """The item id of the clip that starts at ``start_s`` (whole seconds where it is whole)."""
    return item_id(dataset, ItemKind.CLIP, f"{video_id}#{_seconds(start_s)}")


def video_title(video_id: str, path: Path | None) -> str:
    """The title in the downloader's sidecar, else the id in words."""
    return _sidecar(path, ".info.json").get("title", "").strip() or video_id.replace("_", " ").strip()


def clip_title(title: str, start_s: float) -> str:
    """The video's title and when the clip begins, so that whoever sees only the clip knows which minute it is."""
    minutes, seconds = divmod(round(start_s), 60)
    return f"{title} {minutes:02d}:{seconds:02d}"


def video_items(video: VideoSource, context: ParseContext) -> Iterator[ParsedItem | SkippedRecord]:
    """The items of one video: its clips, or where no file can be read its transcript, if there is one."""
    if video.path is None:
        yield from _transcript_item(video)
        return
    try:
        duration_s = media_decoder().probe(video.path).duration_s
        ranges = clip_ranges(duration_s, length_s=context.clip_s, min_tail_s=context.min_tail_s)
    except MediaError as error:
        yield SkippedRecord.of(error, video.source)
        yield from _transcript_item(video)
        return
    title = video_title(video.id, video.path)
    for clip, text in zip(ranges, _shares(video.transcript, ranges), strict=True):
        named = clip_title(title, clip.start_s) if len(ranges) > 1 else title
        where = f"{video.source}#{_seconds(clip.start_s)}"
        yield item_or_skip(where, _clip_item, video, video.path, clip, named, text, context)


def placed(item: Item) -> ClipItem:
    """Where ``item`` lies in its video."""
    if item.modality == Modality.TEXT:
        return ClipItem(item.id, 0.0, float("inf"))
    return ClipItem(item.id, item.position, item.position + item.duration_s)


def overlapping(
    clips: Iterable[ClipItem], start_s: float, end_s: float, *, tail_s: float = MIN_TAIL_SECONDS
) -> tuple[str, ...]:
    """The items that show part of [start_s, end_s), at least one second long.

    A span that starts less than ``tail_s`` after the last clip lies in the dropped tail, and means the clip
    before it; one that starts later lies outside the video, and means none.
    """
    end_s = max(end_s, start_s + 1.0)
    clips = sorted(clips, key=lambda clip: clip.start_s)
    overlaps = tuple(clip.item_id for clip in clips if clip.start_s < end_s and start_s < clip.end_s)
    if not overlaps and clips and clips[-1].end_s <= start_s < clips[-1].end_s + tail_s:
        return (clips[-1].item_id,)
    return overlaps


def _clip_item(
    video: VideoSource, path: Path, clip: ClipRange, title: str, text: str, context: ParseContext
) -> ParsedItem:
    length_s = clip.end_s - clip.start_s
    times = uniform_times(length_s, context.fps, context.max_frames)
    wanted = [clip.start_s + time_s for time_s in times]
    frames = media_decoder().frames(path, wanted, is_partial=video.is_partial)
    images = [frame.image for frame in frames]
    encoded = [encode(image) for image in images]
    identifier = clip_id(video.dataset, video.id, clip.start_s)
    return ParsedItem(
        item=Item(
            id=identifier,
            dataset=video.dataset,
            modality=Modality.VIDEO,
            content_hash=bytes_hash(*(frame.data for frame in encoded)),
            title=title,
            text=text,
            media_key=identifier,
            width=images[0].width,
            height=images[0].height,
            duration_s=length_s,
            parent=video.id,
            position=clip.start_s,
            licence=video.licence,
            source=video.source,
        ),
        media=MediaBlob(
            members=tuple((f"{index}.{frame.extension}", frame.data) for index, frame in enumerate(encoded)),
            meta={"times": list(times[: len(frames)])},
        ),
    )


def _transcript_item(video: VideoSource) -> Iterator[ParsedItem]:
    if not video.transcript.strip():
        return
    yield ParsedItem(
        item=Item(
            id=item_id(video.dataset, ItemKind.VIDEO, video.id),
            dataset=video.dataset,
            modality=Modality.TEXT,
            content_hash=text_hash(video.transcript),
            title=video_title(video.id, video.path),
            text=video.transcript,
            parent=video.id,
            licence=video.licence,
            source=video.source,
        )
    )


def _shares(transcript: str, ranges: list[ClipRange]) -> list[str]:
    """The words of each clip, on the assumption of an even rate of speech: transcripts carry no times."""
    if len(ranges) == 1:
        return [transcript.strip()]
    spoken = transcript.split()
    total_s = ranges[-1].end_s if ranges else 0.0
    borders = [round(len(spoken) * clip.end_s / total_s) for clip in ranges]
    return [" ".join(spoken[start:end]) for start, end in zip([0, *borders[:-1]], borders, strict=True)]


def _sidecar(path: Path | None, suffix: str) -> dict[str, str]:
    """The string fields of a JSON file beside a video; empty where there is none to read."""
    if path is None or not (beside := path.with_suffix(suffix)).is_file():
        return {}
    try:
        value = json.loads(beside.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return (
        {key: text for key, text in value.items() if isinstance(text, str)} if isinstance(value, dict) else {}
    )


def _beside(path: Path) -> Path:
    """The path, without suffix, of the video that a sidecar belongs to."""
    return path.with_name(path.name.removesuffix(path.suffix).removesuffix(".info"))


def _bracketed(stem: str) -> str:
    match = _IN_BRACKETS.fullmatch(stem)
    return match.group(1) if match else ""


def _sidecar_id(path: Path) -> str:
    """The video id that a bulk downloader, which numbers its files, keeps in ``<stem>.json``."""
    fields = _sidecar(path, ".json")
    match = _YOUTUBE_URL.search(fields.get("url", ""))
    return fields.get("video_id", "") or (match.group(1) if match else "")


def _seconds(value: float) -> str:
    return str(int(value)) if value == int(value) else f"{value:.3f}".rstrip("0")
