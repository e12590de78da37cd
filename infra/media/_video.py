"""Frames of video clips, through PyAV.

Holds probing, the choice of times and decoding; what a clip becomes in the corpus is decided by the dataset
parsers. All times are seconds from the first picture of the file.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream
from PIL import Image

from infra.errors import MediaError
from infra.limits import CLIP_SECONDS, MAX_VIDEO_PIXELS, MAX_VIDEO_SECONDS, MIN_TAIL_SECONDS

# never playlists or concat scripts: they open other files
FORMATS = ("mov", "mp4", "matroska", "webm", "avi", "mpegts")
SEEK_GAP_S = 5.0  # decode through gaps up to this (about one keyframe interval), seek over longer ones
SEEK_MARGIN_S = 1.0  # seek this much earlier: indexes hold decoding times, which run ahead of those on screen
# their index names key frames; a seek elsewhere is a guess
SEEKABLE = frozenset({"mov", "mp4", "matroska", "webm"})
TRUNCATION_GAP_S = 5.0  # a file whose pictures end this long before a time asked for was cut short
HALF_TICK_S = 5e-4  # containers round times to milliseconds: a frame at 0.0335 answers for 0.0333


class VideoInfo(NamedTuple):
    """What a file holds. ``fps`` is the mean rate, in frames a second."""

    duration_s: float
    fps: float
    width: int
    height: int


class Frame(NamedTuple):
    """A decoded picture; ``time_s`` is the time asked for."""

    time_s: float
    image: Image.Image


class ClipRange(NamedTuple):
    """A half-open interval of a video, in seconds."""

    start_s: float
    end_s: float


def probe(source: Path | bytes) -> VideoInfo:
    """Duration, rate and size of the first video stream.

    Raises:
        MediaError: ``video_missing``, ``video_unreadable``, ``video_without_picture``, ``video_too_large``,
            ``video_too_long``.
    """
    with opened(source) as (container, stream):
        duration_s = _duration(container, stream)
        fps = float(stream.average_rate or stream.guessed_rate or 0) or 25.0
        info = VideoInfo(duration_s, fps, stream.width, stream.height)
    if not info.width * info.height:  # also what FFmpeg says of sizes that no picture can have
        raise MediaError("video_unreadable", "pictures without a size")
    if info.width * info.height > MAX_VIDEO_PIXELS:
        raise MediaError("video_too_large", f"{info.width} x {info.height} pixels")
    if info.duration_s > MAX_VIDEO_SECONDS:
        raise MediaError("video_too_long", f"{info.duration_s:.0f} s, limit {MAX_VIDEO_SECONDS:.0f} s")
    return info


def uniform_times(duration_s: float, fps: float, max_frames: int) -> tuple[float, ...]:
    """Centres of n equal intervals; n = duration times ``fps`` (1/s), at least 1, at most ``max_frames``."""
    if duration_s <= 0 or fps <= 0 or max_frames < 1:
        raise ValueError(
            f"duration, rate and frame count must be positive: {duration_s}, {fps}, {max_frames}"
        )
    count = min(max_frames, max(1, math.floor(duration_s * fps + 1e-6)))
    return tuple(duration_s * (index + 0.5) / count for index in range(count))


def clip_ranges(
    duration_s: float, *, length_s: float = CLIP_SECONDS, min_tail_s: float = MIN_TAIL_SECONDS
) -> list[ClipRange]:
    """Consecutive clips of ``length_s``; a last one below ``min_tail_s`` is dropped unless it is alone."""
    if length_s <= 0 or duration_s < 0:
        raise ValueError(f"clips need a positive length and no negative duration: {length_s}, {duration_s}")
    starts = [index * length_s for index in range(math.ceil(duration_s / length_s))]
    clips = [ClipRange(start, min(start + length_s, duration_s)) for start in starts]
    if len(clips) > 1 and clips[-1].end_s - clips[-1].start_s < min_tail_s:
        clips.pop()
    return clips


def clips(
    source: Path | bytes, *, length_s: float = CLIP_SECONDS, min_tail_s: float = MIN_TAIL_SECONDS
) -> list[ClipRange]:
    """``clip_ranges`` of a file's duration; raises ``MediaError`` as ``probe`` does."""
    return clip_ranges(probe(source).duration_s, length_s=length_s, min_tail_s=min_tail_s)


def frames(source: Path | bytes, times_s: Sequence[float]) -> list[Frame]:
    """The pictures on screen at the given times (each the latest frame not after it), in the order asked for.

    Raises:
        ValueError: if a time is negative.
        MediaError: as ``probe``; ``video_truncated`` if the file ends before a time asked for can be decoded.
    """
    if any(time_s < 0 for time_s in times_s):
        raise ValueError(f"negative times: {[time_s for time_s in times_s if time_s < 0]}")
    wanted = sorted(set(times_s))
    try:
        pictures = _pictures(source, wanted, may_seek=True)
    except _SeekFailed:
        pictures = _pictures(source, wanted, may_seek=False)
    return [Frame(time_s, pictures[time_s]) for time_s in times_s]


def _pictures(source: Path | bytes, wanted: Sequence[float], *, may_seek: bool) -> dict[float, Image.Image]:
    with opened(source) as (container, stream):
        may_seek = may_seek and not SEEKABLE.isdisjoint(container.format.name.split(","))
        walk = _Walk(container, stream, may_seek=may_seek)
        return {time_s: walk.at(time_s) for time_s in wanted}


class _SeekFailed(Exception):
    """No key frame was found at or before the time sought."""


class _Walk:
    """Forward-only decoding: holds the frame on screen and the one after it."""

    def __init__(self, container: InputContainer, stream: VideoStream, *, may_seek: bool) -> None:
        self._container, self._stream, self._may_seek = container, stream, may_seek
        self._tick_s = float(stream.time_base or 0)
        self._first_pts = stream.start_time or 0
        self._decoder = self._decode()
        self._shown: av.VideoFrame | None = None
        self._next: av.VideoFrame | None = None

    def at(self, time_s: float) -> Image.Image:
        """The picture on screen at ``time_s``, not before the last time asked for."""
        reached_s = self._time(self._shown) if self._shown is not None else 0.0
        if self._may_seek and time_s - reached_s > SEEK_GAP_S:
            self._seek(time_s)
        while self._advance(time_s):
            pass
        ended = self._next is None
        if self._shown is None or (ended and time_s - self._end(self._shown) > TRUNCATION_GAP_S):
            raise MediaError("video_truncated", f"no frame at {time_s:.2f} s")
        if self._shown.width * self._shown.height > MAX_VIDEO_PIXELS:  # which may change within a film
            raise MediaError("video_too_large", f"{self._shown.width} x {self._shown.height} pixels")
        return self._shown.to_image()

    def _advance(self, time_s: float) -> bool:
        self._next = self._next or next(self._decoder, None)
        if self._next is None or (self._shown is not None and self._time(self._next) > time_s + HALF_TICK_S):
            return False
        self._shown, self._next = self._next, None
        return True

    def _seek(self, time_s: float) -> None:
        """Go on from the key frame nearest before ``time_s``: what comes before it lacks what it builds on."""
        reached_s = self._time(self._shown) if self._shown is not None else -1.0
        frame = self._key_frame(time_s - SEEK_MARGIN_S)
        if frame is None and self._key_frame(time_s - SEEK_MARGIN_S - TRUNCATION_GAP_S) is None:
            raise MediaError("video_truncated", f"nothing to decode at {time_s:.2f} s")
        if frame is None or self._time(frame) > time_s + HALF_TICK_S:
            raise _SeekFailed
        if self._time(frame) <= reached_s:
            self._may_seek = False  # key frames are rarer than the times asked for: decoding on is cheaper
        self._shown, self._next = None, frame

    def _key_frame(self, time_s: float) -> av.VideoFrame | None:
        """The first one that is found after seeking to ``time_s``; None if there is nothing to decode.

        Raises:
            _SeekFailed: if the file cannot be sought in, or no picture there is a key frame.
        """
        try:
            offset = round(time_s / self._tick_s) + self._first_pts
            self._container.seek(offset, stream=self._stream, backward=True)
        except (FFmpegError, ValueError) as error:
            raise _SeekFailed from error
        self._decoder = self._decode()
        any_frame = None
        for any_frame in self._decoder:
            if any_frame.key_frame:
                return any_frame
        if any_frame is not None:
            raise _SeekFailed
        return None

    def _decode(self) -> Iterator[av.VideoFrame]:
        return (frame for frame in self._container.decode(self._stream) if frame.pts is not None)

    def _time(self, frame: av.VideoFrame) -> float:
        return ((frame.pts or 0) - self._first_pts) * self._tick_s

    def _end(self, frame: av.VideoFrame) -> float:
        return self._time(frame) + (frame.duration or 0) * self._tick_s


@contextmanager
def opened(source: Path | bytes) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The container and its first video stream, while the block lasts. Raises ``MediaError`` as ``probe`` does."""
    if isinstance(source, Path) and not source.is_file():
        raise MediaError("video_missing", source.name)
    name = source.name if isinstance(source, Path) else "bytes"
    try:
        with av.open(io.BytesIO(source) if isinstance(source, bytes) else str(source), mode="r") as container:
            if not set(container.format.name.split(",")) & set(FORMATS):
                raise MediaError("video_unreadable", f"{name}: container {container.format.name} is refused")
            if not container.streams.video:
                raise MediaError("video_without_picture", name)
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            yield container, stream
    except FFmpegError as error:
        reason = "too_much_memory" if isinstance(error, MemoryError) else "video_unreadable"
        raise MediaError(reason, f"{name}: {error.strerror or error}") from error


def _duration(container: InputContainer, stream: VideoStream) -> float:
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    if container.duration:
        return container.duration / av.time_base
    # browsers write WebM without a duration: the last packet tells it
    packets = (packet for packet in container.demux(stream) if packet.pts is not None)
    ticks = max(((packet.pts or 0) + (packet.duration or 0) for packet in packets), default=0) - (
        stream.start_time or 0
    )
    return float(ticks * (stream.time_base or 0))
