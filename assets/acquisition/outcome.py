"""What a fetch did: one outcome a file, and the report of one dataset."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple


class FetchStatus(StrEnum):
    """What became of one file."""

    FETCHED = "fetched"
    PRESENT = "present"  # it was there, as recorded
    ADOPTED = "adopted"  # it was there, and is recorded now
    QUARANTINED = "quarantined"  # it may be missing; see the quarantine table
    FAILED = "failed"


class FetchOutcome(NamedTuple):
    """One file; ``size`` in bytes, ``reason`` and ``detail`` where it did not come."""

    name: str
    status: FetchStatus
    size: int = 0
    reason: str = ""
    detail: str = ""


@dataclass(slots=True)
class FetchReport:
    """What was done for one dataset, in order."""

    dataset: str
    folder: str
    outcomes: list[FetchOutcome] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What a person should know, one sentence each."""
    quarantine: Mapping[str, int] = field(default_factory=dict)
    """Rows of the quarantine table by reason, those of earlier runs too."""
    questions: dict[str, int] = field(default_factory=dict)
    """Counted in each file of questions."""

    @property
    def failures(self) -> list[FetchOutcome]:
        """What makes the run fail."""
        return [outcome for outcome in self.outcomes if outcome.status is FetchStatus.FAILED]

    def count(self, status: FetchStatus) -> int:
        """How many files became that."""
        return sum(outcome.status is status for outcome in self.outcomes)

    @property
    def fetched_bytes(self) -> int:
        """Size of what was fetched in this run."""
        return sum(outcome.size for outcome in self.outcomes if outcome.status is FetchStatus.FETCHED)

    def to_json(self) -> dict[str, Any]:
        """What ``--json`` prints of a dataset."""
        counts = Counter(outcome.status.value for outcome in self.outcomes)
        return {
            "folder": self.folder,
            **{status.value: counts[status.value] for status in FetchStatus},
            "fetched_bytes": self.fetched_bytes,
            "questions": self.questions,
            "failures": [
                {"name": outcome.name, "reason": outcome.reason, "detail": outcome.detail}
                for outcome in self.failures
            ],
            "quarantine": dict(self.quarantine),
            "notes": self.notes,
        }
