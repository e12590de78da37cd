"""A question of one's own, and the list of them that a root keeps.

``ingest/questions.json`` is replaced as a whole; the corpus follows it, so that questions outlive a file that is read again.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from assets.user_files.parsed_files import FOLDER
from infra.storage.root import Storage

SCHEMA_VERSION = 1
QUESTIONS = f"{FOLDER}/questions.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnQuestion:
    """One line. ``file`` is the location of a file that was ingested; pages count from 1, seconds from the start."""

    id: str
    question: str
    answers: tuple[str, ...]
    kind: str = "text"
    choices: tuple[str, ...] = ()
    split: str = "test"
    """``train``, ``val`` or ``test``."""
    file: str = ""
    pages: tuple[int, ...] = ()
    seconds: tuple[float, float] | None = None
    """The beginning and the end of what answers it in a film or a recording."""


def read(storage: Storage) -> list[OwnQuestion]:
    """The questions kept so far. Raises ``ValueError`` if the list is damaged or of a newer schema."""
    try:
        raw = json.loads(storage.read_bytes(QUESTIONS))
        version, entries = raw["schema_version"], raw["questions"]
        found = [OwnQuestion(**{**entry, **_tuples(entry)}) for entry in entries]
    except FileNotFoundError:
        return []
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"damaged {storage.path(QUESTIONS)!r}: {error}; remove it and add them again"
        ) from error
    if version > SCHEMA_VERSION:
        raise ValueError(f"{storage.path(QUESTIONS)!r} has schema {version}, known up to {SCHEMA_VERSION}")
    return found


def write(storage: Storage, questions: Sequence[OwnQuestion]) -> None:
    """Replace the list."""
    storage.write_bytes(QUESTIONS, to_bytes(questions))


def to_bytes(questions: Sequence[OwnQuestion]) -> bytes:
    """The list as it is stored; equal lists give equal bytes."""
    raw = {"schema_version": SCHEMA_VERSION, "questions": [asdict(question) for question in questions]}
    return json.dumps(raw, indent=1, ensure_ascii=False).encode() + b"\n"


def _tuples(entry: dict[str, Any]) -> dict[str, Any]:
    names = ("answers", "choices", "pages", "seconds")
    return {name: tuple(value) for name in names if isinstance(value := entry.get(name), list)}
