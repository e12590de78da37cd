"""Two runs over the same questions: the difference, whether it is more than chance, and how many questions would show one."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from app.answers.measuring.records import AnswerRecord
from app.answers.wording import counted
from model.evaluation.clustered import PairedTest, clustered_mean, paired_test
from model.evaluation.statistics import Interval, agreement, holm

EFFECT = 0.05  # the difference that the power figure is told for: five points
ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """``of`` minus ``against`` over the questions that both have scored."""

    of: str
    against: str
    dataset: str
    """A benchmark, or all questions together."""
    test: PairedTest
    p_holm: float
    """Adjusted for the number of comparisons that stand beside it."""
    needed: float
    """Questions that would show a difference of five points with a power of 80 %."""

    def to_json(self) -> dict[str, Any]:
        """Numbers that are not known are None."""
        return finite(
            {
                "of": self.of,
                "against": self.against,
                "dataset": self.dataset,
                "questions": self.test.questions,
                "clusters": self.test.clusters,
                "difference": asdict(self.test.difference),
                "p": self.test.p_value,
                "p_holm": self.p_holm,
                "questions_needed": self.needed,
                "effect": EFFECT,
            }
        )

    @property
    def line(self) -> str:
        """The comparison in words."""
        low, high = self.test.difference.low, self.test.difference.high
        within = "" if math.isnan(low) else f" ({100 * low:+.1f} to {100 * high:+.1f})"
        where = "" if self.dataset == ALL else f" on {self.dataset}"
        needed = (
            ""
            if not math.isfinite(self.needed) or not self.needed
            else f"; 5 points would show with {self.needed:,.0f}"
        )
        return (
            f"{self.of} - {self.against}{where}: {100 * self.test.difference.estimate:+.1f} points{within}, "
            f"p {self.p_holm:.3f} (Holm), {counted(self.test.questions, 'question')} of "
            f"{counted(self.test.clusters, 'document')}{needed}"
        )


def rates(records: Iterable[AnswerRecord]) -> dict[str, tuple[float, str, str]]:
    """Share right, cluster and dataset of each scored question; attempts of one question count as their mean."""
    verdicts: dict[str, list[float]] = {}
    about: dict[str, tuple[str, str]] = {}
    for record in records:
        if record.correct is not None:
            verdicts.setdefault(record.key, []).append(float(record.correct))
            about[record.key] = (record.cluster or record.id, record.dataset)
    return {key: (sum(each) / len(each), *about[key]) for key, each in verdicts.items()}


def compare_pairs(
    pairs: Sequence[tuple[str, Sequence[AnswerRecord], str, Sequence[AnswerRecord]]],
    *,
    by_dataset: bool = False,
) -> list[Comparison]:
    """``(of, its records, against, its records)`` each, Holm's adjustment over all of them that have a question in common."""
    tested: list[tuple[str, str, str, PairedTest]] = []
    for of, after_records, against, before_records in pairs:
        before, after = rates(before_records), rates(after_records)
        shared = sorted(before.keys() & after.keys())
        groups = {ALL: shared}
        if by_dataset:
            for name in sorted({before[key][2] for key in shared}):
                groups[name] = [key for key in shared if before[key][2] == name]
        for dataset, keys in groups.items():
            if keys:
                first, second = ([run[key][0] for key in keys] for run in (before, after))
                clusters = [before[key][1] for key in keys]
                tested.append((of, against, dataset, paired_test(first, second, clusters)))
    adjusted = holm([test.p_value for *_, test in tested])
    return [
        Comparison(
            of=of, against=against, dataset=dataset, test=test, p_holm=p, needed=test.questions_needed(EFFECT)
        )
        for (of, against, dataset, test), p in zip(tested, adjusted, strict=True)
    ]


def by_arm(records: Iterable[AnswerRecord]) -> dict[str, list[AnswerRecord]]:
    """The records of each arm, in the order in which arms first appear."""
    found: dict[str, list[AnswerRecord]] = {}
    for record in records:
        found.setdefault(record.memory, []).append(record)
    return found


def clustered_accuracy(records: Iterable[AnswerRecord]) -> tuple[Interval, int]:
    """Share of right answers with its interval over documents and films, and how many these are."""
    known = list(rates(records).values())
    interval = clustered_mean([rate for rate, *_ in known], [cluster for _, cluster, _ in known])
    return interval, len({cluster for _, cluster, _ in known})


def agreement_of(records: Sequence[AnswerRecord], labels: Mapping[str, bool] | None = None) -> dict[str, Any]:
    """How far the verdict agrees with the benchmark's own metric, or with labels that people gave (by question)."""
    other = [record.metric if labels is None else labels.get(record.id) for record in records]
    found = agreement([record.correct for record in records], other)
    return finite(asdict(found))


def finite(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers that are not known become None, for JSON has none."""

    def known(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: known(each) for name, each in value.items()}
        return None if isinstance(value, float) and not math.isfinite(value) else value

    return {name: known(value) for name, value in fields.items()}
