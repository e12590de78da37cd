"""Layouts of grey TIFFs that Pillow can unpack and does not list. Runs in the decoding process only.

Whether zero is white is left to ``_tones.py``, which sees the same tag.
"""

from itertools import product
from typing import Any, cast

from PIL import Image, TiffImagePlugin

_WHITE_IS_ZERO, _BLACK_IS_ZERO = 0, 1
_UNSIGNED, _SIGNED = 1, 2
# byte order, kind of number and bits to Pillow's mode and how it is unpacked
_LAYOUTS = {
    (b"II", _UNSIGNED, 12): ("I;16", "I;12"),
    (b"MM", _UNSIGNED, 12): ("I;16", "I;12"),
    (b"II", _UNSIGNED, 16): ("I;16", "I;16"),
    (b"MM", _UNSIGNED, 16): ("I;16B", "I;16B"),
    (b"II", _SIGNED, 16): ("I", "I;16S"),
    (b"MM", _SIGNED, 16): ("I", "I;16BS"),
    (b"II", _UNSIGNED, 32): ("I", "I;32N"),
    (b"MM", _UNSIGNED, 32): ("I", "I;32BS"),
    (b"II", _SIGNED, 32): ("I", "I;32S"),
    (b"MM", _SIGNED, 32): ("I", "I;32BS"),
}

_NATIVE = {"I;16BS": "I;16NS", "I;32BS": "I;32NS"}


def list_grey_layouts() -> None:
    """Tell Pillow of them; what it knows stays as it is."""
    known: dict[Any, tuple[str, str]] = TiffImagePlugin.OPEN_INFO
    for ((order, kind, bits), modes), zero in product(_LAYOUTS.items(), (_WHITE_IS_ZERO, _BLACK_IS_ZERO)):
        known.setdefault((order, zero, (kind,), 1, (bits,), ()), modes)


def unpack_as_decoded(image: Image.Image) -> None:
    """Of a compressed TIFF that is to be loaded: libtiff turns round the bytes of its numbers, which Pillow does again."""
    tiles = [
        tile._replace(args=(_NATIVE[tile.args[0]], *tile.args[1:]))
        if tile.codec_name == "libtiff" and tile.args and tile.args[0] in _NATIVE
        else tile
        for tile in getattr(image, "tile", ())
    ]
    if image.format == "TIFF" and tiles:
        cast(Any, image).tile = tiles
