"""WebQA's ``imgs.tsv``: tens of gigabytes of base64 images, read one line at a time by offset.

A line is "<image_id> TAB <base64>"; ``imgs.lineidx`` holds the byte offset of each line, and the published
table has image ``i`` on line ``i % 10_000_000``. Where the offsets are missing, or a partial table is
numbered otherwise, one pass over the table finds them.
"""

from __future__ import annotations

import base64
import binascii
from array import array
from pathlib import Path

from infra.errors import MediaError

TABLE_NAME, OFFSETS_NAME = "imgs.tsv", "imgs.lineidx"
ID_BASE = 10_000_000
MAX_LINE_BYTES = 1 << 28  # of one image in base64; a table that has lost its line ends is one line
PART_BYTES = 1 << 20  # of a line held while the table is searched
OFFSET_DIGITS = 18  # of a byte offset: a thousand petabytes
HEAD_BYTES = 64  # an id, a tab and the beginning of the image


class ImageTable:
    """Images by image id; holds offsets only, so that it may be opened on any machine."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / TABLE_NAME
        self._present = self._path.is_file()
        self._lines = _line_offsets(folder / OFFSETS_NAME)
        self._scanned: dict[int, int] | None = None

    def image(self, image_id: int) -> bytes:
        """The encoded image.

        Raises:
            MediaError: ``image_missing``, ``image_unreadable`` (not base64).
        """
        if not self._present:
            raise MediaError("image_missing", f"{image_id}: no {TABLE_NAME}")
        offset = self._offset(image_id)
        if offset is None:
            raise MediaError("image_missing", f"{image_id} is not in {TABLE_NAME}")
        with self._path.open("rb") as table:
            table.seek(offset)
            line = table.readline(MAX_LINE_BYTES)
        try:
            return base64.b64decode(line.partition(b"\t")[2].strip(), validate=True)
        except binascii.Error as error:
            raise MediaError("image_unreadable", f"{image_id}: {error}") from error

    def _offset(self, image_id: int) -> int | None:
        number = image_id % ID_BASE
        if number < len(self._lines) and self._id_at(self._lines[number]) == image_id:
            return self._lines[number]
        if self._scanned is None:
            self._scanned = self._scan()
        return self._scanned.get(image_id)

    def _id_at(self, offset: int) -> int | None:
        with self._path.open("rb") as table:
            table.seek(offset)
            return _leading_id(table.read(HEAD_BYTES))

    def _scan(self) -> dict[int, int]:
        offsets: dict[int, int] = {}
        with self._path.open("rb") as table:
            offset, begins = 0, True
            while part := table.readline(PART_BYTES):
                image_id = _leading_id(part[:HEAD_BYTES]) if begins else None
                if image_id is not None:
                    offsets.setdefault(image_id, offset)
                offset += len(part)
                begins = part.endswith(b"\n")
        return offsets


def _leading_id(line: bytes) -> int | None:
    name, tab, _ = line.partition(b"\t")
    return int(name) if tab and name.strip().isdigit() else None


def _line_offsets(path: Path) -> array[int]:
    """The offsets of the file, or none if it is absent or holds anything but numbers."""
    offsets = array("Q")
    if path.is_file():
        with path.open("rb") as lines:
            for line in lines:
                if not line.strip().isdigit() or len(line.strip()) > OFFSET_DIGITS:
                    return array("Q")
                offsets.append(int(line))
    return offsets
