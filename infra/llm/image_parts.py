"""Pictures and clips as parts of a chat message.

Holds the choice of frames, size and encoding for requests that are made once (captions, the building of benchmarks); the
agent's pictures have granted sizes and are the business of ``model``.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from infra.media._images import encode_jpeg, encode_png
from infra.media._video import frames, probe, uniform_times

SMALL_SIDE = 128  # pixels; up to here PNG costs little

Part = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipSampling:
    """How closely a clip is looked at."""

    frames: int = 8
    """Pictures of a clip, at uniform times."""
    side: int = 448
    """Longest side of a picture in pixels; larger ones are made smaller."""

    def __post_init__(self) -> None:
        if self.frames < 1 or self.side < 16:
            raise ValueError(f"a look needs a frame and a side of 16 pixels at least: {self}")


def text_part(text: str) -> Part:
    """A text between pictures."""
    return {"type": "text", "text": text}


def image_part(image: Image.Image, *, side: int) -> Part:
    """A picture whose longest side is at most ``side`` pixels, as a data URI."""
    scale = side / max(image.size)
    if scale < 1:
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        image = image.resize(size, Image.Resampling.LANCZOS)
    small = max(image.size) <= SMALL_SIDE
    kind, data = ("png", encode_png(image)) if small else ("jpeg", encode_jpeg(image))
    return {
        "type": "image_url",
        "image_url": {"url": f"data:image/{kind};base64,{base64.b64encode(data).decode()}"},
    }


def clip_parts(path: Path, look: ClipSampling) -> Sequence[Part]:
    """The frames of a clip file in order, as parts of a message.

    Raises:
        MediaError: if the file cannot be read.
    """
    times = uniform_times(probe(path).duration_s, look.frames, look.frames)
    return tuple(image_part(frame.image, side=look.side) for frame in frames(path, times))
