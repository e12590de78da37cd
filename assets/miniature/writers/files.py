"""JSON files that grow record by record, and the base class of all writers.

Holds streaming output only; records are made in each format's own module.
"""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import IO, NamedTuple, TypeVar

from assets.miniature.plans import PlannedQuestion
from assets.miniature.sentences import EvidenceKey
from assets.miniature.world import MiniatureWorld


class GrowingFile:
    """A text file written piece by piece, created at the first one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None
        self.size = 0
        """Bytes written so far."""
        self.count = 0
        """Entries written so far."""

    def _write(self, text: str) -> None:
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("wb")
        self.size += self._file.write(text.encode())

    def close(self) -> None:
        """Close the file, if there is one."""
        if self._file is not None:
            self._file.close()
            self._file = None


class GrowingJson(GrowingFile):
    """A JSON array or object."""

    def __init__(self, path: Path, *, head: str = "[", tail: str = "]") -> None:
        super().__init__(path)
        self._head, self._tail = head, tail

    def append(self, entry: object, *, name: str | None = None) -> None:
        """Add an element, or the member ``name`` of an object."""
        member = "" if name is None else f"{json.dumps(name)}: "
        start = ",\n" if self.count else f"{self._head}\n"
        self._write(f"{start}{member}{json.dumps(entry, ensure_ascii=False)}")
        self.count += 1

    def close(self) -> None:
        """Write the closing bracket, if anything was written."""
        if self.count:
            self._write(f"\n{self._tail}\n")
        super().close()


class GrowingLines(GrowingFile):
    """A file of lines."""

    def append(self, line: str) -> None:
        """Add one line; the line end is added here."""
        self._write(f"{line}\n")
        self.count += 1

    def append_json(self, entry: object) -> None:
        """Add one record as a JSON line."""
        self.append(json.dumps(entry, ensure_ascii=False))


_File = TypeVar("_File", bound=GrowingFile)


class WrittenQuestion(NamedTuple):
    """A question with the id under which the parser will yield it."""

    id: str
    question: PlannedQuestion


class WrittenWorld(NamedTuple):
    """Ids of the items and questions of one world in one dataset."""

    item_ids: dict[EvidenceKey, str]
    questions: list[WrittenQuestion]


class DatasetWriter(ABC):
    """One dataset's raw folder, being written."""

    def __init__(self) -> None:
        self._open_files: list[GrowingFile] = []

    @abstractmethod
    def add(self, world: MiniatureWorld, questions: Sequence[PlannedQuestion]) -> WrittenWorld:
        """Write one world's items and questions; returns their ids."""

    def growing(self, file: _File) -> _File:
        """``file``, which ``close`` ends."""
        self._open_files.append(file)
        return file

    def close(self) -> None:
        """End every file."""
        for file in self._open_files:
            file.close()


def md5_prefix(text: str, length: int) -> str:
    """The first hex digits of the MD5 hash of ``text``, in the form of the originals' ids."""
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()[:length]


def held_out(split: str) -> bool:
    """Whether a world's questions belong into the evaluation file of a format that publishes no answers for its test."""
    return split != "train"
