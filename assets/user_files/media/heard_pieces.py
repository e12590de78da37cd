"""What was heard of sound, kept piece by piece: ``speech/<hash of the file>/<what heard it>/<piece>.json``.

A piece is written when it is heard, so that a killed run goes on behind it; ``whole.json`` says that the last one is there. Of
several models the latest that heard all of a file stays.
"""

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

from assets.user_files.media.transcripts import TranscriptCue
from infra.storage.root import Storage

FOLDER = "speech"
WHOLE = "whole.json"
SCHEMA_VERSION = 1


class HeardPiece(NamedTuple):
    """The words of one piece in seconds of the film, and their language, empty where there are none."""

    language: str
    cues: tuple[TranscriptCue, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeardPieces:
    """The pieces of one file that ``heard_by`` heard."""

    storage: Storage
    file: str
    """Hash of the file, in hex."""
    heard_by: str
    """What names the model and how it listens."""

    def read(self, index: int) -> HeardPiece | None:
        """Piece ``index``; None if it was not heard, or if what is kept of it is damaged."""
        try:
            raw = json.loads(self.storage.read_bytes(self._path(f"{index:05d}.json")))
            if raw["schema_version"] != SCHEMA_VERSION:
                return None
            cues = tuple(TranscriptCue(float(start_s), str(text)) for start_s, text in raw["cues"])
            return HeardPiece(str(raw["language"]), cues)
        except (FileNotFoundError, KeyError, TypeError, ValueError):
            return None

    def write(self, index: int, piece: HeardPiece) -> None:
        """Keep piece ``index``."""
        raw = {"schema_version": SCHEMA_VERSION, "language": piece.language, "cues": piece.cues}
        self.storage.write_bytes(
            self._path(f"{index:05d}.json"), json.dumps(raw, ensure_ascii=False).encode()
        )

    def count(self) -> int | None:
        """How many pieces the file has; None if it was not heard to its end."""
        try:
            pieces = json.loads(self.storage.read_bytes(self._path(WHOLE)))["pieces"]
        except (FileNotFoundError, KeyError, TypeError, ValueError):
            return None
        return pieces if isinstance(pieces, int) and pieces >= 0 else None

    def finish(self, pieces: int) -> None:
        """Say that the file has so many pieces; what others heard of it goes."""
        self.storage.write_bytes(self._path(WHOLE), json.dumps({"pieces": pieces}).encode())
        for other in _models(self.storage, self.file):
            if other != self.heard_by:
                self.storage.remove_tree(f"{FOLDER}/{self.file}/{other}")

    def forget(self) -> None:
        """Remove them."""
        self.storage.remove_tree(f"{FOLDER}/{self.file}/{self.heard_by}")

    def _path(self, name: str) -> str:
        return f"{FOLDER}/{self.file}/{self.heard_by}/{name}"


def heard_before(storage: Storage, file: str) -> str | None:
    """What heard the whole of a file; None if nothing did."""
    found = [HeardPieces(storage=storage, file=file, heard_by=each) for each in _models(storage, file)]
    return next((pieces.heard_by for pieces in found if pieces.count() is not None), None)


def known_files(storage: Storage) -> tuple[str, ...]:
    """Hashes of the files that something was heard of."""
    return storage.list(FOLDER)


def sweep(storage: Storage, used: Collection[str]) -> None:
    """Remove what was heard of all files but ``used``."""
    for file in known_files(storage):
        if file not in used:
            storage.remove_tree(f"{FOLDER}/{file}")


def _models(storage: Storage, file: str) -> tuple[str, ...]:
    return storage.list(f"{FOLDER}/{file}")
