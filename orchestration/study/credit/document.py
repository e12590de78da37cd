"""The document of an audit, ``reports/study-credit/<name>/credit.json``: gains with their errors. Unknown numbers are null."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue, TypeAdapter

from model.audit.judgement import CategoryVerdict, Verdict
from model.audit.rollouts import Kind, kinds
from model.evaluation.statistics import Number
from model.types import Outcome, Trajectory

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyFigures:
    """What the policy did in the rollouts."""

    accuracy: Number
    searches: Number
    """A rollout."""
    refused: Number
    """Of all replies."""
    noise: Number
    """Search steps of right rollouts that their answer does not rest on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditDocument:
    """All figures of an audit. Gains are shares of accuracy a unit step, differences against GSPO's."""

    schema_version: int = SCHEMA_VERSION
    study: Mapping[str, JsonValue]
    policy: str
    """Fingerprint."""
    figures: PolicyFigures
    questions: int
    with_spread: int
    """Questions with right and wrong rollouts; the others have no gradient."""
    rollouts: int
    sources: Mapping[str, str]
    objectives: Mapping[str, Verdict]
    categories: Mapping[str, CategoryVerdict]
    seconds_rollouts: Number
    seconds_audit: Number

    def to_json(self, *, indent: int | None = 1) -> bytes:
        """The file; one line without ``indent``."""
        return ADAPTER.dump_json(self, indent=indent)

    @classmethod
    def from_json(cls, data: bytes | str) -> "CreditDocument":
        """The document of a file; ``ValueError`` for anything else."""
        return ADAPTER.validate_json(data)


ADAPTER = TypeAdapter(CreditDocument)


def policy_figures(trajectories: Sequence[Trajectory]) -> PolicyFigures:
    """Figures over the rollouts that did not fail."""
    ran = [each for each in trajectories if each.outcome is not Outcome.FAILED]
    verdicts = [each.correct for each in ran if each.correct is not None]
    replies = [kind for each in ran for segment in each.segments for kind in kinds(segment)]
    on_path: list[bool] = []
    for each in ran:
        if each.correct and each.graph.answer is not None:
            path = each.graph.ancestors(each.graph.answer.parents)
            on_path += [node.id in path for node in each.graph.nodes]
    return PolicyFigures(
        accuracy=_share(verdicts),
        searches=sum(each.counters.searches for each in ran) / max(1, len(ran)),
        refused=_share([kind is Kind.REFUSED for kind in replies]),
        noise=_share([not each for each in on_path]),
    )


def _share(values: Sequence[bool]) -> float:
    return sum(values) / len(values) if values else float("nan")
