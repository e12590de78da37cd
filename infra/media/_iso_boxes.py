"""The outer boxes of an MP4 or MOV file (ISO/IEC 14496-12): what tells a film whose recording was never finished."""

import io
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

MAX_BOXES = 10_000  # of fragments a long film has thousands
_HEADER, _LONG_SIZE, _TO_THE_END = 8, 1, 0


def lacks_index(source: Path | bytes) -> bool:
    """Whether it is such a file, and its index (``moov``) is not there: no frame can be found without."""
    kinds = set(_kinds(source))
    return b"ftyp" in kinds and not kinds & {b"moov", b"moof"}


def _kinds(source: Path | bytes) -> Iterator[bytes]:
    """The kinds of the boxes, as far as they follow each other."""
    with ExitStack() as opened:
        file = io.BytesIO(source) if isinstance(source, bytes) else opened.enter_context(source.open("rb"))
        for _ in range(MAX_BOXES):
            header = file.read(_HEADER)
            if len(header) < _HEADER:
                return
            size, read = int.from_bytes(header[:4], "big"), _HEADER
            if size == _LONG_SIZE:
                size, read = int.from_bytes(file.read(8), "big"), 2 * _HEADER
            yield header[4:]
            if size == _TO_THE_END or size < read:
                return
            file.seek(size - read, io.SEEK_CUR)
