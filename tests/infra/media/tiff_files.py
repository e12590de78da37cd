"""TIFF files of one uncompressed picture, for the tags that Pillow does not write."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

import numpy as np

SHORT, LONG = 3, 4
WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, OFFSET, SAMPLES, ROWS, BYTES = (
    *(256, 257, 258, 259, 262, 273, 277, 278, 279),
)


def tiff_bytes(values: np.ndarray[Any, Any], tags: Mapping[int, int]) -> bytes:
    """Grey ``values``, little-endian, with ``tags`` beside those that every file needs."""
    height, width = values.shape
    data = values.astype(values.dtype.newbyteorder("<")).tobytes()
    longs = {WIDTH: width, HEIGHT: height, OFFSET: 8, ROWS: height, BYTES: len(data)}
    shorts = {BITS: 8 * values.itemsize, COMPRESSION: 1, PHOTOMETRIC: 1, SAMPLES: 1, **tags}
    entries = {
        **{tag: (LONG, value) for tag, value in longs.items()},
        **{tag: (SHORT, v) for tag, v in shorts.items()},
    }
    directory = b"".join(
        struct.pack("<HHII", tag, kind, 1, value) for tag, (kind, value) in sorted(entries.items())
    )
    return (
        b"II*\0"
        + struct.pack("<I", 8 + len(data))
        + data
        + struct.pack("<H", len(entries))
        + directory
        + bytes(4)
    )
