"""Recognition models to be named: copies of the package's, with their characters inside or in a text file beside them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import onnxruntime
import rapidocr
from PIL import Image, ImageDraw, ImageFont

PACKAGED = Path(rapidocr.__file__).parent / "models"
DETECTOR = next(PACKAGED.glob("*_det_*.onnx"))
RECOGNISER = next(PACKAGED.glob("*_rec_*.onnx"))
METADATA = 14  # number of the field in ModelProto (onnx.proto)


def with_characters_inside(folder: Path, name: str = "mine.onnx") -> Path:
    """A copy of the package's model."""
    folder.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copy(RECOGNISER, folder / name))


def without_characters(folder: Path, name: str = "mine.onnx") -> Path:
    """A copy that does not hold its characters."""
    folder.mkdir(parents=True, exist_ok=True)
    data = RECOGNISER.read_bytes()
    kept = (data[start:end] for number, start, end in _fields(data) if number != METADATA)
    target = folder / name
    target.write_bytes(b"".join(kept))
    return target


def characters() -> list[str]:
    """What the package's model tells apart."""
    session = onnxruntime.InferenceSession(str(RECOGNISER))
    held: dict[str, str] = session.get_modelmeta().custom_metadata_map
    return held["character"].splitlines()


def with_characters_beside(folder: Path, *, swapped: str = "") -> Path:
    """A copy with a text file of its characters; it takes each of two ``swapped`` ones for the other."""
    names = characters()
    if swapped:
        first, second = map(names.index, swapped)
        names[first], names[second] = names[second], names[first]
    model = without_characters(folder)
    model.with_suffix(".txt").write_text("\n".join(names) + "\n", encoding="utf-8")
    return model


def sign(text: str) -> Image.Image:
    """A picture of words."""
    image = Image.new("RGB", (420, 90), "white")
    ImageDraw.Draw(image).text((20, 20), text, "black", ImageFont.load_default(size=40))
    return image


def _fields(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Number, start and end of each field of a protobuf message."""
    at = 0
    while at < len(data):
        start = at
        key, at = _varint(data, at)
        value, at = _varint(data, at)
        if key & 7 == 2:  # a length, and so many bytes
            at += value
        yield key >> 3, start, at


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
