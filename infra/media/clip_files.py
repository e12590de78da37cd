"""A film cut into files of one clip each, through PyAV.

Holds decoding and encoding: pictures only, H.264 in MP4, at the film's size and times. Which clips a film has is decided by
``frames.clip_ranges``, what the files are called by whoever cuts.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import chain, groupby
from pathlib import Path
from typing import NamedTuple

import av
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError
from av.video.frame import PictureType
from av.video.stream import VideoStream

from infra.errors import MediaError
from infra.media._video import HALF_TICK_S, TRUNCATION_GAP_S, ClipRange, opened

TICKS = 90_000  # a second; the usual clock of films, finer than any rate of pictures
QUALITY = "20"  # x264 constant rate factor: hardly to be told from the film
MAX_SIDE = 3840  # pixels; ``probe`` refuses larger films, a stream may still change its size


class _Shown(NamedTuple):
    """A picture and when it comes on screen; ``end_s`` is when it goes, as far as the file says."""

    time_s: float
    end_s: float
    picture: av.VideoFrame


class _Placed(NamedTuple):
    """A picture in a clip, ``offset_s`` after the clip's start."""

    clip: int
    offset_s: float
    picture: av.VideoFrame


def cut(source: Path, clips: Sequence[ClipRange], targets: Sequence[Path]) -> list[Path]:
    """Write each of ``clips`` (in order, apart from each other) to its target, as one decodes once; gives what was written.

    A target appears when it is whole. A clip that begins between two pictures begins with the one on screen.

    Raises:
        MediaError: as ``frames.probe``; ``video_truncated`` if the file ends before the last clip begins.
    """
    if len(clips) != len(targets):
        raise ValueError(f"{len(clips)} clips for {len(targets)} targets")
    paths = dict(enumerate(targets))
    written: list[Path] = []
    if not clips:
        return written
    with opened(source) as (container, stream):
        placed = _placed(_shown(container, stream), clips)
        size = (_even(stream.width), _even(stream.height))
        for index, pictures in groupby(placed, key=lambda each: each.clip):
            length_s = clips[index].end_s - clips[index].start_s
            _write(paths[index], pictures, size, length_s)
            written.append(paths[index])
    return written


def _shown(container: InputContainer, stream: VideoStream) -> Iterator[_Shown]:
    tick_s, first = float(stream.time_base or 0), stream.start_time or 0
    for frame in container.decode(stream):
        if frame.pts is not None:
            time_s = (frame.pts - first) * tick_s
            yield _Shown(time_s, time_s + (frame.duration or 0) * tick_s, frame)


def _placed(shown: Iterable[_Shown], clips: Sequence[ClipRange]) -> Iterator[_Placed]:
    """Every picture in its clip, clip after clip."""
    last: _Shown | None = None
    entered = -1
    for each in chain(shown, (None,)):
        time_s = math.inf if each is None else each.time_s
        while entered + 1 < len(clips) and time_s > clips[entered + 1].start_s - HALF_TICK_S:
            entered += 1
            if last is not None and time_s > clips[entered].start_s + HALF_TICK_S:
                yield _Placed(entered, 0.0, _still_there(last, clips[entered], ended=each is None))
        if each is None or (entered == len(clips) - 1 and time_s > clips[entered].end_s - HALF_TICK_S):
            return
        if entered >= 0 and time_s < clips[entered].end_s - HALF_TICK_S:
            yield _Placed(entered, max(0.0, time_s - clips[entered].start_s), each.picture)
        last = each


def _still_there(last: _Shown, clip: ClipRange, *, ended: bool) -> av.VideoFrame:
    if ended and clip.start_s - last.end_s > TRUNCATION_GAP_S:
        raise MediaError("video_truncated", f"no picture at {clip.start_s:.0f} s")
    return last.picture


def _write(target: Path, pictures: Iterable[_Placed], size: tuple[int, int], length_s: float) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.partial")
    try:
        with av.open(str(partial), "w", format="mp4") as container:
            _encode(container, pictures, size, length_s)
    except FFmpegError as error:
        partial.unlink(missing_ok=True)
        raise MediaError("video_unreadable", f"{target.name}: {error.strerror or error}") from error
    descriptor = os.open(partial, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)
    partial.replace(target)


def _encode(
    container: OutputContainer,
    pictures: Iterable[_Placed],
    size: tuple[int, int],
    length_s: float,
) -> None:
    """One thread and no pictures out of order: the same bytes for the same film, and packets in order of time."""
    stream = container.add_stream("libx264", rate=30)  # a hint only: the pictures carry their times
    stream.width, stream.height = size
    stream.pix_fmt = "yuv420p"
    stream.time_base = stream.codec_context.time_base = Fraction(1, TICKS)
    stream.codec_context.thread_count = 1
    stream.options = {"crf": QUALITY, "preset": "veryfast", "threads": "1", "bf": "0"}
    waiting: av.Packet | None = None
    for packet in _packets(stream, pictures, size):
        if waiting is not None:
            container.mux(waiting)
        waiting = packet
    if waiting is not None:  # the last picture stays until the clip ends
        time_s = float((waiting.pts or 0) * (waiting.time_base or 0))
        waiting.duration = max(1, round((length_s - time_s) / float(waiting.time_base or 1)))
        container.mux(waiting)


def _packets(stream: VideoStream, pictures: Iterable[_Placed], size: tuple[int, int]) -> Iterator[av.Packet]:
    ticks = -1
    for each in pictures:
        if (at := round(each.offset_s * TICKS)) <= ticks:
            continue  # two pictures at once: the first is shown
        ticks = at
        frame = each.picture.reformat(width=size[0], height=size[1], format="yuv420p")
        frame.pts, frame.time_base, frame.pict_type = ticks, Fraction(1, TICKS), PictureType.NONE
        yield from stream.encode(frame)
    yield from stream.encode(None)


def _even(side: int) -> int:
    """H.264 takes even sides only."""
    return max(2, min(side, MAX_SIDE) // 2 * 2)
