"""Films to clip files of one minute, each film once.

What was cut is recorded a film, with the hash of its bytes: a killed run goes on with the film it was at, a changed film is
cut again. The folder of clips mirrors the films; whatever else is in it is removed at the end.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from assets.parsers.types import SkippedRecord
from assets.xvbench_builder.records import ClipFile, SourceVideo
from infra.errors import MediaError
from infra.limits import CLIP_SECONDS, MIN_TAIL_SECONDS
from infra.media import clip_ranges, cut_clips, media_decoder
from infra.progress import ProgressListener
from infra.storage.manifest import sha256_of
from infra.storage.root import Storage

RULE = {"clip_s": CLIP_SECONDS, "min_tail_s": MIN_TAIL_SECONDS}  # as the benchmark's own script cuts


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipFolders:
    """Where clip files and the records of what was cut lie."""

    chunks: Path
    records: Path


class CutResult(NamedTuple):
    """Clips by film, and the films that cannot be cut."""

    clips: dict[str, tuple[ClipFile, ...]]
    skipped: list[SkippedRecord]


def cut_videos(films: Sequence[SourceVideo], folders: ClipFolders, progress: ProgressListener) -> CutResult:
    """The clips of every film that can be read; one of less than ``MIN_TAIL_SECONDS`` in all has none."""
    done = CutResult({}, [])
    for number, film in enumerate(films):
        progress("films cut", number, len(films))
        try:
            clips = _clips(film, folders)
        except MediaError as error:
            done.skipped.append(SkippedRecord(reason=error.reason, where=film.source, detail=error.detail))
            continue
        if clips:
            done.clips[film.id] = clips
        else:
            done.skipped.append(SkippedRecord(reason="video_too_short", where=film.source))
    progress("films cut", len(films), len(films))
    _sweep(folders, done.clips)
    return done


def _clips(film: SourceVideo, folders: ClipFolders) -> tuple[ClipFile, ...]:
    source = {"sha256": sha256_of(film.path), **RULE}
    record = folders.records / f"{film.id}.json"
    known = _recorded(record, film, source, folders.chunks)
    if known is not None:
        return known
    duration_s = media_decoder().probe(film.path).duration_s
    ranges = [clip for clip in clip_ranges(duration_s) if clip.end_s - clip.start_s >= MIN_TAIL_SECONDS]
    clips = tuple(
        ClipFile(
            film=film.id,
            index=index,
            start_s=start_s,
            end_s=end_s,
            path=folders.chunks / f"{film.id}_{index:03d}.mp4",
        )
        for index, (start_s, end_s) in enumerate(ranges)
    )
    cut_clips(film.path, ranges, [clip.path for clip in clips])
    value = {**source, "clips": [[clip.start_s, clip.end_s] for clip in clips]}
    Storage(folders.records).write_bytes(record.name, json.dumps(value).encode())
    return clips


def _recorded(
    record: Path, film: SourceVideo, source: Mapping[str, Any], chunks: Path
) -> tuple[ClipFile, ...] | None:
    """The clips of an earlier run; None if the film is another, or a file is gone."""
    try:
        value = json.loads(record.read_bytes())
        spans = [(float(start_s), float(end_s)) for start_s, end_s in value["clips"]]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if any(value.get(name) != wanted for name, wanted in source.items()):
        return None
    clips = tuple(
        ClipFile(
            film=film.id,
            index=index,
            start_s=start_s,
            end_s=end_s,
            path=chunks / f"{film.id}_{index:03d}.mp4",
        )
        for index, (start_s, end_s) in enumerate(spans)
    )
    return clips if all(clip.path.is_file() for clip in clips) else None


def _sweep(folders: ClipFolders, clips: Mapping[str, Sequence[ClipFile]]) -> None:
    """Remove the clips of films that are gone or unreadable, and what killed runs left."""
    wanted = {clip.name for of_film in clips.values() for clip in of_film}
    for path in folders.chunks.glob("*") if folders.chunks.is_dir() else ():
        if path.name not in wanted and path.is_file():
            path.unlink()
