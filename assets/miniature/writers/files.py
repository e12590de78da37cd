"""JSON files that grow record by record, and the shape all writers share.

Holds streaming output only; what the records say is each format's own module.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Protocol

from assets.miniature.plans import PlacedQuestion, PlannedQuestion
from assets.miniature.sentences import EvidenceKey
from assets.miniature.world import MiniatureWorld


class DatasetWriter(Protocol):
    """One dataset's raw folder, being written."""

    def add(
        self, world: MiniatureWorld, asked: Sequence[PlannedQuestion], ids: dict[EvidenceKey, str]
    ) -> list[PlacedQuestion]:
        """Write one world's items and questions; put the items' ids into ``ids``."""
        ...

    def close(self) -> None:
        """End every file."""
        ...


class GrowingJson:
    """A JSON array or object written entry by entry, created at the first one."""

    def __init__(self, path: Path, *, head: str = "[", tail: str = "]") -> None:
        self._path, self._head, self._tail = path, head, tail
        self._file: IO[str] | None = None
        self.count = 0
        """Entries written so far."""

    def append(self, entry: object, *, name: str | None = None) -> None:
        """Add an element, or the member ``name`` of an object."""
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("w", encoding="utf-8", newline="\n")
            self._file.write(self._head)
        self._file.write(",\n" if self.count else "\n")
        if name is not None:
            self._file.write(json.dumps(name) + ": ")
        self._file.write(json.dumps(entry, ensure_ascii=False))
        self.count += 1

    def close(self) -> None:
        """Write the closing bracket."""
        if self._file is not None:
            self._file.write("\n" + self._tail + "\n")
            self._file.close()
            self._file = None


class GrowingLines:
    """A text file written line by line, created at the first one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None
        self.size = 0
        """Bytes written so far."""

    def append(self, line: str) -> None:
        """Add one line; the line end is added here."""
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("wb")
        self.size += self._file.write(line.encode() + b"\n")

    def append_json(self, entry: object) -> None:
        """Add one record as a JSON line."""
        self.append(json.dumps(entry, ensure_ascii=False))

    def close(self) -> None:
        """Close the file, if there is one."""
        if self._file is not None:
            self._file.close()
            self._file = None


def held_out(split: str) -> bool:
    """Whether a world's questions belong into the evaluation file of a format that publishes no answers for its test."""
    return split != "train"
