"""The choices behind a question set, and what the published splits stand for where nothing is chosen."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

TRAINED = ("squad", "webqa", "slidevqa")
"""Benchmarks whose published training split is trained on; the others only measure. The paper (arXiv 2602.12735) does not say;
upstream's files hint at it."""
OWN = "documents"
"""One's own files; whoever asks questions of them says what each is for."""
TRAIN_SPLIT = "train"
TEST_SPLITS = ("test", "dev", "val")
"""The first that is there with answers measures; one that is published without answers cannot. A benchmark that is only
measured and has none of them is measured on its training split."""


class Role(StrEnum):
    """What a question is for."""

    TRAIN = "train"
    VAL = "val"  # chooses between checkpoints
    TEST = "test"


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionSetSettings:
    """How the questions of a root are divided."""

    seed: int = 0
    val_share: float = 0.1
    """Of the questions that are trained on, by documents; they choose between checkpoints."""
    cuts: Mapping[str, float] = field(default_factory=dict)
    """Benchmark -> share of its questions trained on, by documents, whatever its published splits say; its row says so."""

    most_pictures: int = 2_000
    """Gold pages and pictures whose looks are compared; 0 compares none. Some 30 ms each."""

    def __post_init__(self) -> None:
        if self.most_pictures < 0:
            raise ValueError(f"most_pictures is not negative, got {self.most_pictures}")
        if not 0 < self.val_share < 1:
            raise ValueError(f"val_share lies between 0 and 1, got {self.val_share}")
        for dataset, share in self.cuts.items():
            if not 0 < share < 1:
                raise ValueError(f"the cut of {dataset} lies between 0 and 1, got {share}")

    def to_json(self) -> dict[str, Any]:
        """All fields."""
        return asdict(self)


def published_role(dataset: str, split: str, answered: set[str]) -> Role | None:
    """What a published split is for; None for one that is left out.

    Args:
        dataset: the benchmark.
        split: of the question.
        answered: the splits of the benchmark that have questions with answers.
    """
    if dataset == OWN:
        return Role(split)
    measures = next((name for name in TEST_SPLITS if name in answered), None)
    if split == TRAIN_SPLIT and dataset in TRAINED:
        return Role.TRAIN
    if split == TRAIN_SPLIT:
        return None if measures else Role.TEST
    return (
        Role.TEST if split == measures or split not in TEST_SPLITS else None
    )  # wordings of others measure as well
