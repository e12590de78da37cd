"""Raw cutting of a video into clips, through PyAV. Runs in the decoding process only.

Holds decoding and encoding: no sound, H.264 in MP4, at the video's size and times. Which clips a video has is decided by
``types.clip_ranges``, where they are written by ``decoding.cut_clips``.
"""

import io
import math
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import chain, groupby
from pathlib import Path
from typing import NamedTuple

import av
from av.container import InputContainer, OutputContainer
from av.video.frame import PictureType
from av.video.stream import VideoStream

from infra.errors import MediaError
from infra.media._video import HALF_TICK_S, TRUNCATION_GAP_S, opened
from infra.media._video_streams import first_tick, shown_size, swaps_sides, turn_of, upright
from infra.media.types import ClipRange

TICKS = 90_000  # a second; the usual clock of video, finer than any frame rate
QUALITY = "20"  # x264 constant rate factor: hardly to be told from the source
MAX_SIDE = 3840  # pixels; ``probe`` refuses larger videos, a stream may still change its size


class _ShownFrame(NamedTuple):
    """A frame and when it comes on screen; ``end_s`` is when it goes, as far as the file says."""

    time_s: float
    end_s: float
    frame: av.VideoFrame


class _ClipFrame(NamedTuple):
    """A frame in a clip, ``offset_s`` after the clip's start."""

    clip: int
    offset_s: float
    frame: av.VideoFrame


def encoded_clips(source: Path, clips: Sequence[ClipRange]) -> Iterator[bytes]:
    """Each of ``clips`` (in order, apart from each other) as an MP4 file, decoding the video once.

    A clip that begins between two frames begins with the one on screen.

    Raises:
        MediaError: as ``_video.probe``; ``video_truncated`` if the file ends before the last clip begins.
    """
    with opened(source) as (container, stream):
        clip_frames = _clip_frames(_shown_frames(container, stream), clips)
        size: tuple[int, int] | None = None
        for index, frames in groupby(clip_frames, key=lambda clip_frame: clip_frame.clip):
            of_clip = iter(frames)
            first = next(of_clip)  # of a clip there is always one
            size = size or _upright_size(first.frame, stream.sample_aspect_ratio)
            target = io.BytesIO()
            with av.open(target, "w", format="mp4") as output:
                _encode(output, chain((first,), of_clip), size, clips[index].end_s - clips[index].start_s)
            yield target.getvalue()


def _shown_frames(container: InputContainer, stream: VideoStream) -> Iterator[_ShownFrame]:
    tick_s, first = float(stream.time_base or 0), first_tick(container, stream)
    for frame in container.decode(stream):
        if frame.pts is not None:
            time_s = (frame.pts - first) * tick_s
            yield _ShownFrame(time_s, time_s + (frame.duration or 0) * tick_s, frame)


def _clip_frames(shown_frames: Iterable[_ShownFrame], clips: Sequence[ClipRange]) -> Iterator[_ClipFrame]:
    """Every frame in its clip, clip after clip."""
    last: _ShownFrame | None = None
    entered = -1
    for shown in chain(shown_frames, (None,)):
        time_s = math.inf if shown is None else shown.time_s
        while entered + 1 < len(clips) and time_s > clips[entered + 1].start_s - HALF_TICK_S:
            entered += 1
            if last is not None and time_s > clips[entered].start_s + HALF_TICK_S:
                yield _ClipFrame(entered, 0.0, _still_shown(last, clips[entered], ended=shown is None))
        if shown is None or (entered == len(clips) - 1 and time_s > clips[entered].end_s - HALF_TICK_S):
            return
        if entered >= 0 and time_s < clips[entered].end_s - HALF_TICK_S:
            yield _ClipFrame(entered, max(0.0, time_s - clips[entered].start_s), shown.frame)
        last = shown


def _still_shown(last: _ShownFrame, clip: ClipRange, *, ended: bool) -> av.VideoFrame:
    if ended and clip.start_s - last.end_s > TRUNCATION_GAP_S:
        raise MediaError("video_truncated", f"no frame at {clip.start_s:.0f} s")
    return last.frame


def _encode(
    container: OutputContainer,
    clip_frames: Iterable[_ClipFrame],
    size: tuple[int, int],
    length_s: float,
) -> None:
    """One thread and no frames out of order: the same bytes for the same video, and packets in order of time."""
    stream = container.add_stream("libx264", rate=30)  # a hint only: the frames carry their times
    stream.width, stream.height = size
    stream.pix_fmt = "yuv420p"
    stream.time_base = stream.codec_context.time_base = Fraction(1, TICKS)
    stream.codec_context.thread_count = 1
    stream.options = {"crf": QUALITY, "preset": "veryfast", "threads": "1", "bf": "0"}
    waiting: av.Packet | None = None
    for packet in _packets(stream, clip_frames, size):
        if waiting is not None:
            container.mux(waiting)
        waiting = packet
    if waiting is not None:  # the last frame stays until the clip ends
        time_s = float((waiting.pts or 0) * (waiting.time_base or 0))
        waiting.duration = max(1, round((length_s - time_s) / float(waiting.time_base or 1)))
        container.mux(waiting)


def _packets(
    stream: VideoStream, clip_frames: Iterable[_ClipFrame], size: tuple[int, int]
) -> Iterator[av.Packet]:
    ticks = -1
    for clip_frame in clip_frames:
        if (at := round(clip_frame.offset_s * TICKS)) <= ticks:
            continue  # two frames at once: the first is shown
        ticks = at
        shown = clip_frame.frame
        if turn_of(shown) is not None:
            shown = av.VideoFrame.from_image(upright(shown, None))
        frame = shown.reformat(width=size[0], height=size[1], format="yuv420p")
        frame.pts, frame.time_base, frame.pict_type = ticks, Fraction(1, TICKS), PictureType.NONE
        yield from stream.encode(frame)
    yield from stream.encode(None)


def _upright_size(frame: av.VideoFrame, pixel_shape: Fraction | None) -> tuple[int, int]:
    width, height = map(_even, shown_size(frame.width, frame.height, pixel_shape))
    return (height, width) if swaps_sides(turn_of(frame)) else (width, height)


def _even(side: int) -> int:
    """H.264 takes even sides only."""
    return max(2, min(side, MAX_SIDE) // 2 * 2)
