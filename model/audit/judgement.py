"""What the sums of an audit say of each objective: its gain, against GSPO's, by category and by dataset."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from model.audit.audit import AuditSums
from model.audit.gains import UNKNOWN, Gain, Pairs, adam_direction, direction, gain, pairs
from model.evaluation.statistics import Number

REFERENCE = "gspo"
TRAINED = "ggpo"
"""What trains by default: a candidate has to beat this one, not GSPO."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One objective."""

    gain: Gain
    against: Gain
    """Minus the reference's, pair by pair of folds."""
    adam: Gain
    """Along Adam's first step."""
    adam_against: Gain
    datasets: Mapping[str, Gain]
    """Accuracy on the questions of one dataset, by the same steps; minus the reference's."""
    share: Number
    """Of all tokens, those that it weighs."""
    against_ggpo: Gain = UNKNOWN
    """Minus GGPO's, pair by pair of folds; unknown where that was not judged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryVerdict:
    """One part of GSPO's gradient."""

    part: Gain
    """What it adds to GSPO's own gain; the parts of all categories add up to it."""
    alone: Gain
    """The gain of a step along this part alone."""
    share: Number


def judge(sums: AuditSums, *, reference: str = REFERENCE) -> dict[str, Verdict]:
    """The verdict on every objective.

    Raises:
        ValueError: if the reference is none of them.
    """
    if reference not in sums.objectives:
        raise ValueError(
            f"gains are compared with those of {reference!r}, which is not among {sums.objectives}"
        )
    measured = [sums.measured(), *map(sums.measured, sums.datasets)]
    base = _pairs(sums, reference, measured)
    trained = _pairs(sums, TRAINED, measured) if TRAINED in sums.objectives else None
    return {
        name: _verdict(sums, name, _pairs(sums, name, measured), base, trained) for name in sums.objectives
    }


@dataclass(frozen=True, slots=True)
class _Pairs:
    plain: Pairs
    adam: Pairs
    datasets: Mapping[str, Pairs]


def _pairs(sums: AuditSums, name: str, measured: Sequence[Sequence[Tensor]]) -> _Pairs:
    """``measured``: the true gradients of all questions, then of each dataset."""
    gradients = sums.objective(name)
    steps, adam = list(map(direction, gradients)), list(map(adam_direction, gradients))
    plain, *by_dataset = (pairs(each, steps) for each in measured)
    return _Pairs(plain, pairs(measured[0], adam), dict(zip(sums.datasets, by_dataset, strict=True)))


def _verdict(sums: AuditSums, name: str, own: _Pairs, base: _Pairs, trained: _Pairs | None) -> Verdict:
    counts = sums.counts()
    return Verdict(
        gain=gain(own.plain, counts),
        against=gain(own.plain - base.plain, counts),
        adam=gain(own.adam, counts),
        adam_against=gain(own.adam - base.adam, counts),
        datasets={
            dataset: gain(own.datasets[dataset] - base.datasets[dataset], sums.counts(dataset))
            for dataset in sums.datasets
        },
        share=sums.shares[name],
        against_ggpo=UNKNOWN if trained is None else gain(own.plain - trained.plain, counts),
    )


def judge_categories(sums: AuditSums, *, reference: str = REFERENCE) -> dict[str, CategoryVerdict]:
    """What each category adds to the reference's gain."""
    lengths = [gradient.norm() for gradient in sums.objective(reference)]
    counts, measured = sums.counts(), sums.measured()
    found: dict[str, CategoryVerdict] = {}
    for category in sums.categories:
        parts = sums.category(category)
        scaled: Sequence[Tensor] = [
            part / length if length > 0 else part for part, length in zip(parts, lengths, strict=True)
        ]
        found[category.value] = CategoryVerdict(
            part=gain(pairs(measured, scaled), counts),
            alone=gain(pairs(measured, list(map(direction, parts))), counts),
            share=sums.category_shares[category],
        )
    return found
