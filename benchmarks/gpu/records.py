"""Results as lines: each is written and synced the moment it is known, so that a run that is cut keeps what it had.

Holds the record, its check and the file; who measures is elsewhere.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

FORMAT = 1


class State(StrEnum):
    """What a line says."""

    MACHINE = "machine"  # what the run has to work with; the first line
    MEASURED = "measured"  # figures of one part of a step
    SKIPPED = "skipped"  # a part or step that this machine cannot run; ``note`` says why
    FAILED = "failed"  # a part or step that raised; ``note`` says what
    CUT = "cut"  # a step that ran out of its time
    DONE = "done"  # a step that ended by itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One line. Figures are numbers, texts, booleans or flat tables of these; units are in their names."""

    step: str
    part: str = ""
    state: State
    figures: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""
    at_s: float = 0.0
    format: int = FORMAT

    def __post_init__(self) -> None:
        if not self.step or self.format != FORMAT or self.at_s < 0:
            raise ValueError(f"no record of this format: {self}")
        if self.state is State.MEASURED and not self.figures:
            raise ValueError(f"{self.step}/{self.part} was measured and has no figures")
        if self.state in (State.SKIPPED, State.FAILED, State.CUT) and not self.note:
            raise ValueError(f"{self.step}/{self.part} is {self.state} and does not say why")
        for name, value in self.figures.items():
            _check(f"{self.step}/{self.part}: {name}", value)


def _check(name: str, value: Any) -> None:
    if isinstance(value, Mapping):
        for inner, each in value.items():
            _check(f"{name}.{inner}", each)
    elif value is not None and not isinstance(value, str | bool | int | float):
        raise ValueError(f"{name} is {type(value).__name__}, not a figure")
    elif isinstance(value, float) and not (value == value and abs(value) != float("inf")):
        raise ValueError(f"{name} is {value}")


def append(path: Path, record: Record) -> None:
    """The record as one more line, on the disk when this returns."""
    with path.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(asdict(record), sort_keys=True) + "\n")
        lines.flush()
        os.fsync(lines.fileno())


def read(path: Path) -> Iterator[Record]:
    """The records of a file. ``ValueError`` names the line that is none."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            fields = json.loads(line)
            yield Record(**{**fields, "state": State(fields["state"])})
        except (ValueError, TypeError, KeyError) as cause:
            raise ValueError(f"{path}, line {number}: {cause}") from None
