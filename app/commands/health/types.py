"""The result of one check."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How a check ended; only ``failed`` makes the exit code 1."""

    OK = "ok"
    FAILED = "failed"
    MISSING = "missing"  # something optional is not there
    SKIPPED = "not asked"  # nothing was named that could be checked


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One line of the table."""

    name: str
    state: State
    detail: str
    remedy: str = ""
    """One line that helps; empty where nothing is wrong."""
