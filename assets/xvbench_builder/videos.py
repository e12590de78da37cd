"""The videos of a folder: the names they get in the benchmark, and their clips, one file for each minute.

Names are chosen so that the parser of XVBench, which knows a clip's video and minute by its file name alone, reads every
clip back as what it is. What was cut is recorded for each video, with the hash of its bytes: a killed run goes on with the
video it was at, a changed video is cut again. Whatever else is in the folder of clips is removed at the end.
"""

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from assets.parsers.files.raw_folder import RawFile, RawFolder
from assets.parsers.types import SkippedRecord
from assets.parsers.videos import VIDEO_SUFFIXES, video_files
from assets.xvbench_builder.records import ClipFile, SourceVideo
from infra.errors import MediaError
from infra.limits import CLIP_SECONDS, MIN_TAIL_SECONDS
from infra.media import ClipRange, clip_ranges, cut_clips, media_decoder
from infra.progress import ProgressListener
from infra.storage.manifest import sha256_of
from infra.storage.root import Storage

MAX_NAME_BYTES = 160  # of a video; a file name may have 255
_UNSAFE = re.compile(r"[^\w-]+")
# "abc_clip" + "_000.mp4" would be clip 0 of "abc"; "abc_000" would be taken for a clip of "abc"
_AMBIGUOUS = re.compile(r"(.*_)?(chunk|clip|part)|.*_\d{3,}", re.IGNORECASE)
RULE = {"clip_s": CLIP_SECONDS, "min_tail_s": MIN_TAIL_SECONDS}  # as the benchmark's own script cuts


class VideoListing(NamedTuple):
    """The videos of a folder in name order, and what cannot be one."""

    videos: list[SourceVideo]
    skipped: list[SkippedRecord]


def find_videos(folder: Path, *, leave_out: Path) -> VideoListing:
    """Every video file below ``folder``, except those below ``leave_out``, where the builder writes.

    Raises:
        ValueError: if there is none.
    """
    raw = RawFolder(folder)
    left_out = leave_out.resolve()
    files = video_files(raw)
    sources = {key: file for key, file in files.by_id.items() if left_out not in file.path.resolve().parents}
    if not sources:
        raise ValueError(f"no video below {folder}; known kinds are {', '.join(VIDEO_SUFFIXES)}")
    skipped = [
        skip
        for skip in (*raw.faults, *files.skipped)
        if left_out not in (folder / skip.where).resolve().parents
    ]
    return VideoListing(_source_videos(sources.items()), skipped)


def _source_videos(files: Iterable[tuple[str, RawFile]]) -> list[SourceVideo]:
    videos: dict[str, SourceVideo] = {}
    for video_id, file in files:
        name = video_name(video_id)
        if name.casefold() in videos:
            name = _with_hash(name, f"{video_id}\0{file.name}")
        videos[name.casefold()] = SourceVideo(id=name, path=file.path, source=file.name)
    return list(videos.values())


def video_name(video_id: str) -> str:
    """``video_id`` where it is a plain name, as a YouTube id is; else what is left of it, with a hash where needed."""
    name = _UNSAFE.sub("_", unicodedata.normalize("NFC", video_id))
    if len(name.encode()) > MAX_NAME_BYTES:
        return _with_hash(name.encode()[:MAX_NAME_BYTES].decode(errors="ignore"), video_id)
    if not name.strip("_") or _AMBIGUOUS.fullmatch(name):
        return _with_hash(name, video_id)
    return name


def _with_hash(name: str, distinct: str) -> str:
    return f"{name}-{hashlib.sha256(distinct.encode(errors='surrogateescape')).hexdigest()[:8]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipFolders:
    """Where clip files and the records of what was cut lie."""

    chunks: Path
    records: Path


class CutResult(NamedTuple):
    """Clips by video, and the videos that cannot be cut."""

    clips: dict[str, tuple[ClipFile, ...]]
    skipped: list[SkippedRecord]


def cut_videos(videos: Sequence[SourceVideo], folders: ClipFolders, progress: ProgressListener) -> CutResult:
    """The clips of every video that can be read; one of less than ``MIN_TAIL_SECONDS`` in all has none."""
    result = CutResult({}, [])
    for number, video in enumerate(videos):
        progress("videos cut", number, len(videos))
        try:
            clips = _clips(video, folders)
        except MediaError as error:
            result.skipped.append(SkippedRecord.of(error, video.source))
            continue
        if clips:
            result.clips[video.id] = clips
        else:
            result.skipped.append(SkippedRecord(reason="video_too_short", where=video.source))
    progress("videos cut", len(videos), len(videos))
    _sweep(folders, result.clips)
    return result


def _clips(video: SourceVideo, folders: ClipFolders) -> tuple[ClipFile, ...]:
    source = {"sha256": sha256_of(video.path), **RULE}
    record = folders.records / f"{video.id}.json"
    recorded = _recorded_ranges(record, source)
    if recorded is not None:
        clips = _clip_files(video, recorded, folders.chunks)
        if all(clip.path.is_file() for clip in clips):
            return clips
    duration_s = media_decoder().probe(video.path).duration_s
    ranges = [clip for clip in clip_ranges(duration_s) if clip.end_s - clip.start_s >= MIN_TAIL_SECONDS]
    clips = _clip_files(video, ranges, folders.chunks)
    cut_clips(video.path, ranges, [clip.path for clip in clips])
    value = {**source, "clips": [list(clip) for clip in ranges]}
    Storage(folders.records).write_bytes(record.name, json.dumps(value).encode())
    return clips


def _recorded_ranges(record: Path, source: Mapping[str, Any]) -> list[ClipRange] | None:
    """The clips that an earlier run cut; None if there was none, or the video or the rule was another."""
    try:
        value = json.loads(record.read_bytes())
        ranges = [ClipRange(float(start_s), float(end_s)) for start_s, end_s in value["clips"]]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return ranges if source.items() <= value.items() else None


def _clip_files(video: SourceVideo, ranges: Sequence[ClipRange], chunks: Path) -> tuple[ClipFile, ...]:
    return tuple(
        ClipFile(
            video=video.id,
            index=index,
            start_s=clip.start_s,
            end_s=clip.end_s,
            path=chunks / f"{video.id}_{index:03d}.mp4",
        )
        for index, clip in enumerate(ranges)
    )


def _sweep(folders: ClipFolders, clips: Mapping[str, Sequence[ClipFile]]) -> None:
    """Remove the clips of videos that are gone or unreadable, and what killed runs left."""
    names = {clip.name for video_clips in clips.values() for clip in video_clips}
    for path in folders.chunks.glob("*") if folders.chunks.is_dir() else ():
        if path.name not in names and path.is_file():
            path.unlink()
