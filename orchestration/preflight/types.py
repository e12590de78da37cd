"""One looked-at piece of a run, and all of them together."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from infra.errors import ExternalError


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One piece: ``remedy`` is one line that helps, empty where nothing is wrong."""

    name: str
    passed: bool
    detail: str
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreflightReport:
    """Every check of one recipe over one root."""

    recipe: str
    root: str
    seconds: float
    checks: tuple[Check, ...]

    @property
    def faults(self) -> tuple[Check, ...]:
        """The checks that failed."""
        return tuple(check for check in self.checks if not check.passed)

    @property
    def passed(self) -> bool:
        """Whether the run may begin."""
        return not self.faults

    def to_json(self) -> dict[str, Any]:
        """What ``--json`` prints."""
        return {"passed": self.passed, **asdict(self)}

    def in_words(self) -> str:
        """Every fault on a line, its remedy behind it."""
        lines = [f"{len(self.faults)} of {len(self.checks)} checks of {self.recipe} at {self.root} failed:"]
        lines += [f"* {fault.name}: {fault.detail}; {fault.remedy}" for fault in self.faults]
        return "\n".join(lines)


def guarded(name: str, remedy: str, look: Callable[[], Iterator[Check]]) -> tuple[Check, ...]:
    """What ``look`` finds; what it raises is one more fault, so that one broken piece hides no other."""
    found: list[Check] = []
    try:
        found.extend(look())
    except (ValueError, OSError, ExternalError) as error:
        detail = " ".join(str(error).split()) or type(error).__name__
        found.append(Check(name=name, passed=False, detail=detail, remedy=remedy))
    return tuple(found)
