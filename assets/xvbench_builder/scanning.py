"""The films of a folder and the names they get in the benchmark.

Names are chosen so that the parser of XVBench, which knows a clip's film and minute by its file name alone, reads every
clip back as what it is.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from assets.parsers.files.raw_folder import RawFile, RawFolder
from assets.parsers.types import SkippedRecord
from assets.parsers.videos import VIDEO_SUFFIXES, video_files
from assets.xvbench_builder.records import SourceVideo

MAX_NAME_BYTES = 160  # of a film; a file name may have 255
_UNSAFE = re.compile(r"[^\w-]+")
# "abc_clip" + "_000.mp4" would be clip 0 of "abc"; "abc_000" would be taken for a clip of "abc"
_AMBIGUOUS = re.compile(r"(.*_)?(chunk|clip|part)|.*_\d{3,}", re.IGNORECASE)


class VideoListing(NamedTuple):
    """The films of a folder in name order, and what cannot be one."""

    films: list[SourceVideo]
    skipped: list[SkippedRecord]


def videos_in(folder: Path, *, apart_from: Path) -> VideoListing:
    """Every video file below ``folder``, the builder's own below ``apart_from`` left out.

    Raises:
        ValueError: if there is none.
    """
    raw = RawFolder(folder)
    own = apart_from.resolve()
    files = video_files(raw)
    chosen = {key: file for key, file in files.by_id.items() if own not in file.path.resolve().parents}
    if not chosen:
        raise ValueError(f"no video below {folder}; known kinds are {', '.join(VIDEO_SUFFIXES)}")
    skipped = [
        skip for skip in (*raw.faults, *files.skipped) if own not in (folder / skip.where).resolve().parents
    ]
    return VideoListing(_named(chosen.items()), skipped)


def _named(files: Iterable[tuple[str, RawFile]]) -> list[SourceVideo]:
    films: dict[str, SourceVideo] = {}
    for video_id, file in files:
        name = video_name(video_id)
        if name.casefold() in films:
            name = _with_hash(name, f"{video_id}\0{file.name}")
        films[name.casefold()] = SourceVideo(id=name, path=file.path, source=file.name)
    return list(films.values())


def video_name(video_id: str) -> str:
    """``video_id`` where it is a plain name, as a YouTube id is; else what is left of it, with a hash where needed."""
    name = _UNSAFE.sub("_", unicodedata.normalize("NFC", video_id))
    if len(name.encode()) > MAX_NAME_BYTES:
        return _with_hash(name.encode()[:MAX_NAME_BYTES].decode(errors="ignore"), video_id)
    if not name.strip("_") or _AMBIGUOUS.fullmatch(name):
        return _with_hash(name, video_id)
    return name


def _with_hash(name: str, told_apart_by: str) -> str:
    return f"{name}-{hashlib.sha256(told_apart_by.encode(errors='surrogateescape')).hexdigest()[:8]}"
