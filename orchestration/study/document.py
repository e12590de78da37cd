"""The study document, ``reports/study-ggpo/study.json``: what the objectives reached, and how far they differ.

Numbers that are not known are nan here and null in JSON.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue, TypeAdapter

from model.evaluation.evaluation import SeedComparison
from model.evaluation.statistics import Interval

SCHEMA_VERSION = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseShare:
    """Pilot study 3: the share of search steps in right rollouts that their answer does not rest on (Eq. 11)."""

    right_rollouts: int
    search_steps: int
    noise_share: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmFigures:
    """What the runs of one objective show."""

    seeds: int
    area: Interval  # under the validation curve, over the runs
    reaches_reference: tuple[int | None, ...]  # update at which each run first reaches the reference score
    reward_roughness: Interval
    pruned_share: Interval  # of the segments of a run
    training_steps: NoiseShare


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedDifference(SeedComparison):
    """Differences run by run, with an interval over runs and questions; ``line`` says it in words."""

    line: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmComparison:
    """``after`` minus ``before`` on the unseen questions, by greedy and by sampled answers."""

    before: str
    after: str
    questions: int
    difference: Interval
    p_value: float
    greedy: SeedDifference | None
    sampled: SeedDifference | None


@dataclass(frozen=True, slots=True)
class PairedTest(Interval):
    """A paired difference with its exact sign test."""

    p_value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceFigures:
    """Pilot study 3: wrong rollouts that had found gold, answered again from parts of their graphs."""

    wrong_rollouts_with_evidence: int
    with_noise_nodes: int
    noise_nodes: int
    right: Mapping[str, Interval]  # by what was left of the graph
    evidence_against: Mapping[str, PairedTest]


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyDocument:
    """All figures of a study; mappings are by objective, ``cold_start`` among them where it was evaluated."""

    schema_version: int = SCHEMA_VERSION
    study: Mapping[str, JsonValue]  # the options it was run with
    noise: NoiseShare
    unseen: Mapping[str, Interval]
    spending: Mapping[str, Mapping[str, float]]  # mean of each counter
    arms: Mapping[str, ArmFigures]
    reference_score: float | None
    comparisons: tuple[ArmComparison, ...]
    sampled: Mapping[str, Interval]
    pilot3: EvidenceFigures
    areas: Mapping[str, SeedDifference] = field(default_factory=dict)
    """By objective, where the study answers unseen questions at several updates: the area under that curve, minus GSPO's."""

    def to_json(self, *, indent: int | None = 1) -> bytes:
        """The file; one line without ``indent``."""
        return ADAPTER.dump_json(self, indent=indent)

    @classmethod
    def from_json(cls, data: bytes | str) -> "StudyDocument":
        """The document of a file; ``ValueError`` for anything else."""
        return ADAPTER.validate_json(data)


ADAPTER = TypeAdapter(StudyDocument)
