"""TIFF files of one picture, for the tags that Pillow does not write."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

SHORT, LONG = 3, 4
WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, OFFSET, SAMPLES, ROWS, BYTES = (
    *(256, 257, 258, 259, 262, 273, 277, 278, 279),
)


def tiff_bytes(
    values: np.ndarray[Any, Any], tags: Mapping[int, int], *, order: str = "<", packed: bool = False
) -> bytes:
    """Grey ``values`` in the byte ``order``, with ``tags`` beside those that every file needs; ``packed`` by Deflate."""
    height, width = values.shape
    data = values.astype(values.dtype.newbyteorder(order)).tobytes()
    data = zlib.compress(data) if packed else data
    data += bytes(len(data) % 2)
    longs = {WIDTH: width, HEIGHT: height, OFFSET: 8, ROWS: height, BYTES: len(data)}
    shorts = {BITS: 8 * values.itemsize, COMPRESSION: 8 if packed else 1, PHOTOMETRIC: 1, SAMPLES: 1, **tags}
    entries = {
        **{tag: struct.pack(f"{order}HHII", tag, LONG, 1, value) for tag, value in longs.items()},
        **{tag: struct.pack(f"{order}HHIHH", tag, SHORT, 1, value, 0) for tag, value in shorts.items()},
    }
    return b"".join(
        (
            struct.pack(f"{order}2sHI", b"II" if order == "<" else b"MM", 42, 8 + len(data)),
            data,
            struct.pack(f"{order}H", len(entries)),
            *(entry for _, entry in sorted(entries.items())),
            bytes(4),
        )
    )
