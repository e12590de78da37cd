"""The evaluation document, ``metrics/<run>/evaluation.json``: what every method scored and spent, all that the report needs.

Holds the methods, the records, their JSON and its older form. Numbers that are not known are nan here and null in JSON.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from pydantic import TypeAdapter

from infra.reporting.report import ReportExample
from model.agent.memory.names import TRAINED
from model.agent.memory.registry import MEMORIES
from model.evaluation.evaluation import DatasetScore, Evaluation, PairedComparison, compare
from model.evaluation.judge import JudgeCounts
from model.evaluation.spending import Spending, SpendingDifference, saving, spending
from model.evaluation.statistics import Agreement, Interval

DOCUMENT = "evaluation.json"
SCHEMA_VERSION = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One row of the table: ``checkpoint`` is ``cold_start`` or ``ggpo``, ``memory`` a memory policy."""

    checkpoint: str
    memory: str
    is_sampled: bool = False
    """``SAMPLES`` answers to each question at the temperature of the training rollouts, not one greedy answer."""


_BASELINES = tuple(name for name in MEMORIES if name not in ("vimrag", TRAINED))
METHODS = {
    **{name: Method(checkpoint="cold_start", memory=name) for name in _BASELINES},
    "cold_start": Method(checkpoint="cold_start", memory="vimrag"),
    "ggpo": Method(checkpoint="ggpo", memory="vimrag"),
    "cold_start_sampled": Method(checkpoint="cold_start", memory="vimrag", is_sampled=True),
    "ggpo_sampled": Method(checkpoint="ggpo", memory="vimrag", is_sampled=True),
}
SAMPLES = 2
REFERENCE = "cold_start"  # what the spending of every other method is compared with
GREEDY_PAIR, SAMPLED_PAIR = (REFERENCE, "ggpo"), ("cold_start_sampled", "ggpo_sampled")
COMPARED = (*((name, REFERENCE) for name in _BASELINES), GREEDY_PAIR, SAMPLED_PAIR)


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodScores:
    """What one method scored and spent."""

    name: str
    overall: Interval  # unweighted mean of the datasets' accuracies
    datasets: tuple[DatasetScore, ...]
    policies: tuple[str, ...]  # fingerprints
    spending: Spending | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodComparison(PairedComparison):
    """The method ``after`` against ``before``."""

    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodSaving(SpendingDifference):
    """What ``method`` spends more than ``against``."""

    method: str
    against: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Judging:
    """Who graded a method, what the judge did, and how far it agrees with the datasets' own metrics."""

    judge: str
    tally: JudgeCounts
    agreement_with_metric: Agreement | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationDocument:
    """Scores of each method and dataset, comparisons in pairs, examples."""

    schema_version: int = SCHEMA_VERSION
    run: str
    index: str  # fingerprint
    questions: int
    methods: tuple[MethodScores, ...]
    comparisons: tuple[MethodComparison, ...]
    savings: tuple[MethodSaving, ...] = ()
    examples: tuple[ReportExample, ...] = ()
    judging: Mapping[str, Judging] = field(default_factory=dict)

    def to_json(self) -> bytes:
        """The file."""
        return ADAPTER.dump_json(self, indent=1)

    @classmethod
    def from_json(cls, data: bytes) -> "EvaluationDocument":
        """The document of a file of this or an older version; ``ValueError`` for anything else."""
        document = json.loads(data)
        if isinstance(document, dict) and document.get("schema_version") == 1:
            document = _of_version_1(document)
        return ADAPTER.validate_python(document)


ADAPTER = TypeAdapter(EvaluationDocument)


def method_scores(name: str, evaluation: Evaluation) -> MethodScores:
    """The scores of one method."""
    return MethodScores(
        name=name,
        overall=evaluation.overall,
        datasets=evaluation.datasets,
        policies=tuple(
            sorted({trajectory.policy for trajectory in evaluation.trajectories if trajectory.policy})
        ),
        spending=spending(evaluation.trajectories),
    )


def comparisons(evaluations: Mapping[str, Evaluation]) -> tuple[MethodComparison, ...]:
    """The pairs of ``COMPARED`` whose methods were both evaluated."""
    return tuple(
        MethodComparison(
            before=before,
            after=after,
            **fields_of(compare(evaluations[before].trajectories, evaluations[after].trajectories)),
        )
        for before, after in COMPARED
        if before in evaluations and after in evaluations
    )


def savings(evaluations: Mapping[str, Evaluation]) -> tuple[MethodSaving, ...]:
    """What every other method with greedy answers spends more than ``REFERENCE``; empty where that was not evaluated."""
    if REFERENCE not in evaluations:
        return ()
    reference = evaluations[REFERENCE].trajectories
    return tuple(
        MethodSaving(method=name, against=REFERENCE, **fields_of(saving(reference, evaluation.trajectories)))
        for name, evaluation in evaluations.items()
        if name != REFERENCE and not METHODS[name].is_sampled
    )


def fields_of(record: Any) -> dict[str, Any]:
    """The fields of a dataclass by name, those of nested ones as they are."""
    return {field_.name: getattr(record, field_.name) for field_ in fields(record)}


def _of_version_1(document: Mapping[str, Any]) -> dict[str, Any]:
    """Version 1 held a dataset's accuracy, outcomes and means as columns: ``accuracy_low``, ``outcome_failed``."""
    methods = [
        {**method, "datasets": [_nested_score(row) for row in method["datasets"]]}
        for method in document["methods"]
    ]
    return {**document, "schema_version": SCHEMA_VERSION, "methods": methods}


def _nested_score(row: Mapping[str, Any]) -> dict[str, Any]:
    groups = {"accuracy": "accuracy_", "outcomes": "outcome_", "means": "mean_"}
    plain = {name: value for name, value in row.items() if not name.startswith(tuple(groups.values()))}
    return plain | {
        group: {name.removeprefix(prefix): row[name] for name in row if name.startswith(prefix)}
        for group, prefix in groups.items()
    }
