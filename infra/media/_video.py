"""Raw decoding of videos to frames, through PyAV. Runs in the decoding process only.

All times are seconds from the first frame of the file.
"""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import cast

import av
from av.container import InputContainer
from av.error import FFmpegError, InvalidDataError
from av.video.stream import VideoStream
from PIL import Image
from PIL.Image import Transpose

from infra.errors import MediaError
from infra.limits import MAX_VIDEO_PIXELS, MAX_VIDEO_SECONDS
from infra.media._iso_boxes import lacks_index
from infra.media._video_streams import first_tick, moving_stream, shown_size, swaps_sides, turn_of, upright
from infra.media.types import Frame, VideoInfo

# never playlists or concat scripts: they open other files
FORMATS = ("mov", "mp4", "matroska", "webm", "avi", "mpegts", "mpeg", "asf", "flv", "ogg")
SOUND_FORMATS = (
    "mp3",
    "flac",
    "wav",
    "aac",
    "aiff",
)  # opened to say that they are sound, and for their words
SEEK_GAP_S = 5.0  # decode through gaps up to this (about one keyframe interval), seek over longer ones
SEEK_MARGIN_S = 1.0  # seek this much earlier: indexes hold decoding times, which run ahead of those on screen
# their index names key frames; a seek elsewhere is a guess
SEEKABLE = frozenset({"mov", "mp4", "matroska", "webm"})
TRUNCATION_GAP_S = 5.0  # a file whose frames end this long before a time asked for was cut short
NEVER_FINISHED = (
    "its index (moov) is missing: the recording was never finished or the copy was cut short; "
    "tools that repair films can often make one, given another film of the same camera"
)
HALF_TICK_S = 5e-4  # containers round times to milliseconds: a frame at 0.0335 answers for 0.0333


def probe(source: Path | bytes) -> VideoInfo:
    """As ``MediaDecoder.probe``; raises ``MediaError`` alike."""
    with opened(source) as (container, stream):
        duration_s = _duration(container, stream)
        fps = float(stream.average_rate or stream.guessed_rate or 0) or 25.0
        size = shown_size(stream.width, stream.height, stream.sample_aspect_ratio)
        width, height = reversed(size) if swaps_sides(_turn(container, stream)) else size
        info = VideoInfo(duration_s, fps, width, height)
    if not info.width * info.height:  # also what FFmpeg says of sizes that no frame can have
        raise MediaError("video_unreadable", "frames without a size")
    if info.width * info.height > MAX_VIDEO_PIXELS:
        raise MediaError("video_too_large", f"{info.width} x {info.height} pixels")
    if info.duration_s > MAX_VIDEO_SECONDS:
        raise MediaError("video_too_long", f"{info.duration_s:.0f} s, limit {MAX_VIDEO_SECONDS:.0f} s")
    return info


def frames(source: Path | bytes, times_s: Sequence[float], *, is_partial: bool = False) -> list[Frame]:
    """As ``MediaDecoder.frames``; raises alike."""
    if any(time_s < 0 for time_s in times_s):
        raise ValueError(f"negative times: {[time_s for time_s in times_s if time_s < 0]}")
    ascending = sorted(set(times_s))
    try:
        images = _images(source, ascending, may_seek=True, is_partial=is_partial)
    except _SeekError:
        images = _images(source, ascending, may_seek=False, is_partial=is_partial)
    return [Frame(time_s, images[time_s]) for time_s in times_s if time_s in images]


def _images(
    source: Path | bytes, ascending: Sequence[float], *, may_seek: bool, is_partial: bool
) -> dict[float, Image.Image]:
    with opened(source) as (container, stream):
        may_seek = may_seek and not SEEKABLE.isdisjoint(container.format.name.split(","))
        decoder = _ForwardDecoder(container, stream, may_seek=may_seek, is_partial=is_partial)
        images: dict[float, Image.Image] = {}
        for time_s in ascending:
            try:
                images[time_s] = decoder.image_at(time_s)
            except MediaError as error:
                if not (is_partial and images and error.reason == "video_truncated"):
                    raise
                break
        return images


class _SeekError(Exception):
    """No key frame was found at or before the time sought."""


class _ForwardDecoder:
    """Forward-only decoding: holds the frame on screen and the one after it. ``is_partial`` leaves out what is damaged."""

    def __init__(
        self, container: InputContainer, stream: VideoStream, *, may_seek: bool, is_partial: bool
    ) -> None:
        self._container, self._stream, self._may_seek = container, stream, may_seek
        self._is_partial = is_partial
        self._tick_s = float(stream.time_base or 0)
        self._first_pts = first_tick(container, stream)
        self._decoder = self._decode()
        self._shown: av.VideoFrame | None = None
        self._next: av.VideoFrame | None = None

    def image_at(self, time_s: float) -> Image.Image:
        """The image on screen at ``time_s``, not before the last time asked for."""
        reached_s = self._time(self._shown) if self._shown is not None else 0.0
        if self._may_seek and time_s - reached_s > SEEK_GAP_S:
            self._seek(time_s)
        while self._advance(time_s):
            pass
        ended = self._next is None
        if self._shown is None or (ended and time_s - self._end(self._shown) > TRUNCATION_GAP_S):
            raise MediaError("video_truncated", f"no frame at {time_s:.2f} s")
        if self._shown.width * self._shown.height > MAX_VIDEO_PIXELS:  # which may change within a video
            raise MediaError("video_too_large", f"{self._shown.width} x {self._shown.height} pixels")
        return upright(self._shown, self._stream.sample_aspect_ratio)

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
            raise _SeekError
        if self._time(frame) <= reached_s:
            self._may_seek = False  # key frames are rarer than the times asked for: decoding on is cheaper
        self._shown, self._next = None, frame

    def _key_frame(self, time_s: float) -> av.VideoFrame | None:
        """The first one that is found after seeking to ``time_s``; None if there is nothing to decode.

        Raises:
            _SeekError: if the file cannot be sought in, or no frame there is a key frame.
        """
        try:
            offset = round(time_s / self._tick_s) + self._first_pts
            self._container.seek(offset, stream=self._stream, backward=True)
        except (FFmpegError, ValueError) as error:
            raise _SeekError from error
        self._decoder = self._decode()
        frame = None
        for frame in self._decoder:
            if frame.key_frame:
                return frame
        if frame is not None:
            raise _SeekError
        return None

    def _decode(self) -> Iterator[av.VideoFrame]:
        decoded = self._sound_frames() if self._is_partial else self._container.decode(self._stream)
        return (frame for frame in decoded if frame.pts is not None)

    def _sound_frames(self) -> Iterator[av.VideoFrame]:
        """The frames of all packets that can be decoded, up to where the file cannot be read on."""
        with suppress(InvalidDataError):
            for packet in self._container.demux(self._stream):
                with suppress(InvalidDataError):
                    yield from cast(list[av.VideoFrame], packet.decode())
            return
        with suppress(InvalidDataError):  # what the decoder holds back until the end
            yield from self._stream.decode(None)

    def _time(self, frame: av.VideoFrame) -> float:
        return ((frame.pts or 0) - self._first_pts) * self._tick_s

    def _end(self, frame: av.VideoFrame) -> float:
        return self._time(frame) + (frame.duration or 0) * self._tick_s


@contextmanager
def opened(source: Path | bytes) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The container and its first video stream, while the block lasts. Raises ``MediaError`` as ``probe`` does."""
    name = name_of(source)
    try:
        with container_of(source) as container:
            is_sound = bool(formats_of(container) & set(SOUND_FORMATS))
            stream = None if is_sound else moving_stream(container)
            if stream is None:
                raise MediaError("video_without_picture", name)
            stream.thread_type = "AUTO"
            yield container, stream
    except FFmpegError as error:
        reason = "too_much_memory" if isinstance(error, MemoryError) else "video_unreadable"
        detail = NEVER_FINISHED if lacks_index(source) else error.strerror or error
        raise MediaError(reason, f"{name}: {detail}") from error


@contextmanager
def container_of(source: Path | bytes) -> Iterator[InputContainer]:
    """The one door to films and sound, while the block lasts: what could open other files is refused.

    Raises:
        MediaError: ``video_missing``, ``video_unreadable``.
        FFmpegError: for what is no such file.
    """
    if isinstance(source, Path) and not source.is_file():
        raise MediaError("video_missing", source.name)
    with av.open(io.BytesIO(source) if isinstance(source, bytes) else str(source), mode="r") as container:
        if not formats_of(container) & {*FORMATS, *SOUND_FORMATS}:
            refused = f"{name_of(source)}: container {container.format.name} is refused"
            raise MediaError("video_unreadable", refused)
        yield container


def formats_of(container: InputContainer) -> set[str]:
    """The names of a container's format."""
    return set(container.format.name.split(","))


def name_of(source: Path | bytes) -> str:
    """What a message calls it."""
    return source.name if isinstance(source, Path) else "bytes"


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


def _turn(container: InputContainer, stream: VideoStream) -> Transpose | None:
    """How the first frame must be turned; none if it cannot be decoded, which is found out when it is wanted."""
    with suppress(FFmpegError):
        frame = next(container.decode(stream), None)
        turn = None if frame is None else turn_of(frame)
        container.seek(0)
        return turn
    return None
