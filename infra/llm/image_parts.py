"""Images and clips as parts of a chat message.

Holds the choice of frames, size and encoding for requests that are made once (captions, the building of benchmarks); the
agent's images have granted sizes and are the business of ``model``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from infra.media import MediaDecoder, data_uri, encode_jpeg, encode_png, media_decoder, uniform_times

SMALL_SIDE = 128  # pixels; up to here PNG costs little

MessagePart = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipSampling:
    """How closely a clip is looked at."""

    frames: int = 8
    """Frames of a clip, at uniform times."""
    side: int = 448
    """Longest side of an image in pixels; larger ones are made smaller."""

    def __post_init__(self) -> None:
        if self.frames < 1 or self.side < 16:
            raise ValueError(f"a clip is shown by a frame and a side of 16 pixels at least: {self}")


def text_part(text: str) -> MessagePart:
    """A text between images."""
    return {"type": "text", "text": text}


def image_part(image: Image.Image, *, side: int) -> MessagePart:
    """An image whose longest side is at most ``side`` pixels, as a data URI."""
    scale = side / max(image.size)
    if scale < 1:
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        image = image.resize(size, Image.Resampling.LANCZOS)
    small = max(image.size) <= SMALL_SIDE
    uri = data_uri(encode_png(image), "image/png") if small else data_uri(encode_jpeg(image), "image/jpeg")
    return {"type": "image_url", "image_url": {"url": uri}}


def clip_parts(
    path: Path, sampling: ClipSampling, *, decoder: MediaDecoder | None = None
) -> Sequence[MessagePart]:
    """The frames of a clip file in order, as parts of a message.

    Raises:
        MediaError: if the file cannot be read.
    """
    decoder = decoder or media_decoder()
    times = uniform_times(decoder.probe(path).duration_s, sampling.frames, sampling.frames)
    return tuple(image_part(frame.image, side=sampling.side) for frame in decoder.frames(path, times))
