"""Which stream of a file is the film, and how its frames are turned upright. Runs in the decoding process only."""

import struct
from contextlib import suppress
from fractions import Fraction
from typing import Any, cast

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.sidedata.sidedata import Type
from av.stream import Disposition
from av.video.stream import VideoStream
from PIL import Image
from PIL.Image import Transpose

from infra.limits import MAX_VIDEO_PIXELS

STILL_CODECS = frozenset({"mjpeg", "png", "apng", "bmp", "gif", "webp", "tiff", "jpeg2000", "ppm"})
COUNTED_PACKETS = 20_000  # read to see whether a stream moves; a cover beside a film has one
MOST_STRETCHED = 4.0  # pixels of films are at most some twice as wide as tall
NEARLY_SQUARE = 0.01  # rounding of a size, and not to be seen
_MATRIX = struct.Struct("<9i")
# what a display matrix does to the two axes, by the signs of its four numbers
_TURNS = {
    (0, 1, -1, 0): Transpose.ROTATE_270,
    (-1, 0, 0, -1): Transpose.ROTATE_180,
    (0, -1, 1, 0): Transpose.ROTATE_90,
    (-1, 0, 0, 1): Transpose.FLIP_LEFT_RIGHT,
    (1, 0, 0, -1): Transpose.FLIP_TOP_BOTTOM,
    (0, 1, 1, 0): Transpose.TRANSPOSE,
    (0, -1, -1, 0): Transpose.TRANSVERSE,
}


def moving_stream(container: InputContainer) -> VideoStream | None:
    """The film: no cover, and of several the first that is more than one picture; None if there is only sound."""
    streams = [
        stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic
    ]
    moving = [stream for stream in streams if _codec(stream) not in STILL_CODECS]
    if moving:
        return moving[0]
    if len(streams) == 1 and not container.streams.audio:
        return streams[0]  # a film of one picture, if it is one
    return next((stream for stream in streams if _has_frames(container, stream)), None)


def first_tick(container: InputContainer, stream: VideoStream) -> int:
    """When the first frame is shown, in ticks of the stream; times of a film count from it.

    Of a Matroska file without the order of decoding FFmpeg may tell the second frame's time, so its first packet is asked.
    """
    told = stream.start_time or 0
    if "matroska" not in container.format.name:
        return told
    with suppress(FFmpegError):
        packet = next(container.demux(stream), None)
        container.seek(0)
        if packet is not None and packet.pts is not None:
            return min(told, packet.pts)
    return told


def turn_of(frame: av.VideoFrame) -> Transpose | None:
    """How the pixels of ``frame`` are to be turned to stand upright; None if they do."""
    side_data = cast(Any, frame.side_data)
    matrix = next((bytes(data) for data in side_data if data.type == Type.DISPLAYMATRIX), b"")
    if len(matrix) < _MATRIX.size:
        return None
    a, b, _, c, d, *_ = _MATRIX.unpack(matrix[: _MATRIX.size])
    largest = max(abs(a), abs(b), abs(c), abs(d))
    return _TURNS.get((_sign(a, largest), _sign(b, largest), _sign(c, largest), _sign(d, largest)))


def shown_size(width: int, height: int, pixel_shape: Fraction | None) -> tuple[int, int]:
    """The size at which pixels of ``pixel_shape`` (width to height) stand as squares: as players do, the width changes.

    What no film has (nothing, or above four to one) is taken for squares. The height changes where there would be too many.
    """
    shape = float(pixel_shape or 0)
    if not 1 / MOST_STRETCHED <= shape <= MOST_STRETCHED or abs(shape - 1) < NEARLY_SQUARE:
        return width, height
    if (wide := max(1, round(width * shape))) * height <= MAX_VIDEO_PIXELS:
        return wide, height
    return width, max(1, round(height / shape))


def _sign(value: int, largest: int) -> int:
    return 0 if 2 * abs(value) < largest else (value > 0) - (value < 0)


def swaps_sides(turn: Transpose | None) -> bool:
    """Whether width and height change places."""
    return turn in (Transpose.ROTATE_90, Transpose.ROTATE_270, Transpose.TRANSPOSE, Transpose.TRANSVERSE)


def upright(frame: av.VideoFrame, pixel_shape: Fraction | None) -> Image.Image:
    """The frame as RGB, as it is to be seen."""
    turn = turn_of(frame)
    width, height = shown_size(frame.width, frame.height, pixel_shape)
    image = frame.to_image(width=width, height=height)
    return image if turn is None else image.transpose(turn)


def _codec(stream: VideoStream) -> str:
    return stream.codec_context.name if stream.codec_context else ""


def _has_frames(container: InputContainer, stream: VideoStream) -> bool:
    if stream.frames > 1:
        return True
    found = 0
    try:
        for count, packet in enumerate(container.demux(stream)):
            found += packet.size > 0
            if found > 1 or count > COUNTED_PACKETS:
                break
        container.seek(0)
    except FFmpegError:
        return False
    return found > 1
