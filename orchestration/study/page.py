"""The page of a study: its table, curves and comparisons as HTML."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import astuple

from infra.reporting.charts import Curve as Chart
from infra.reporting.report import CounterTable, MethodRow, PairedDifference, Report, render
from model.evaluation.evaluation import Evaluation
from model.evaluation.learning_curves import band
from model.evaluation.statistics import Interval
from orchestration.evaluation.report_document import estimate
from orchestration.study.answers import COLD_START
from orchestration.study.document import ArmComparison, ArmFigures, EvidenceFigures, StudyDocument
from orchestration.study.figures import COUNTERS
from orchestration.study.options import Study

TITLES = {
    COLD_START: "cold start",
    "ggpo": "GGPO",
    "gspo": "GSPO",
    "prune_at_random": "random mask",
    "grpo": "GRPO",
    "ggpo_half_answers": "GGPO, half answers",
    "ggpo_literal": "GGPO, read literally",
    "prune_positives": "pruning right rollouts only",
    "prune_negatives": "pruning wrong rollouts only",
}


def study_page(
    study: Study,
    document: StudyDocument,
    results: Mapping[str, Evaluation],
    curves: Mapping[str, Sequence[Sequence[tuple[int, float]]]],
    rewards: Mapping[str, Sequence[Sequence[float]]],
) -> str:
    """The page with the table, the curves and the facts; ``curves`` and ``rewards`` are by objective and run."""
    benchmarks = tuple(score.dataset for score in results[COLD_START].datasets)
    reward_curves = {arm: [list(enumerate(run, start=1)) for run in runs] for arm, runs in rewards.items()}
    names = tuple(results)
    return render(
        Report(
            title="VimRAG: the training study",
            summary=(
                f"{study.seeds} seeds of {len(study.arms)} objectives from one cold start, {study.updates} updates of "
                f"{study.questions} x {study.group_size} rollouts each; unseen worlds, last checkpoint, greedy."
            ),
            benchmarks=benchmarks,
            methods=tuple(_row(name, evaluation) for name, evaluation in results.items()),
            comparisons=tuple(_verdict(comparison) for comparison in document.comparisons),
            curves=(
                _chart("validation", "share right", curves),
                _chart("reward", "mean reward", reward_curves),
            ),
            counters=CounterTable(
                methods=tuple(_title(name) for name in names),
                rows=tuple(
                    (counter.replace("_", " "), tuple(document.spending[name][counter] for name in names))
                    for counter in COUNTERS
                ),
            ),
            facts=(
                *((_title(name), _fact(figures)) for name, figures in document.arms.items()),
                *_seed_facts(document),
                *_sampled_facts(document),
                *(
                    (f"area under sampled answers, {_title(arm)} against GSPO", each.line)
                    for arm, each in document.areas.items()
                ),
                *_pilot3_facts(document.pilot3),
            ),
        )
    )


def _chart(title: str, label: str, curves: Mapping[str, Sequence[Sequence[tuple[int, float]]]]) -> Chart:
    lines = {
        _title(arm): [(point.update, *astuple(point.score)) for point in band(runs)]
        for arm, runs in curves.items()
    }
    return Chart.banded(title, "update", label, lines)


def _row(name: str, evaluation: Evaluation) -> MethodRow:
    return MethodRow(
        name=_title(name),
        cells={score.dataset: estimate(score.accuracy, score.scored) for score in evaluation.datasets},
        overall=estimate(evaluation.overall, len(evaluation.trajectories)),
    )


def _fact(arm: ArmFigures) -> str:
    """One objective in a line."""
    figures = [
        ("area", arm.area.estimate),
        ("reward roughness", arm.reward_roughness.estimate),
        ("share of segments pruned", arm.pruned_share.estimate),
    ]
    if (noise := arm.training_steps.noise_share) is not None:
        figures.append(("redundant steps of right training rollouts", noise))
    known = ", ".join(f"{name} {value:.3f}" for name, value in figures if math.isfinite(value))
    return f"{arm.seeds} seeds: {known}"


def _seed_facts(document: StudyDocument) -> list[tuple[str, str]]:
    """Every comparison with what another set of runs would leave of it."""
    return [
        (f"{_title(pair.before)} -> {_title(pair.after)}, {decoding}", difference.line)
        for pair in document.comparisons
        for decoding, difference in (("greedy", pair.greedy), ("sampled", pair.sampled))
        if difference is not None
    ]


def _sampled_facts(document: StudyDocument) -> list[tuple[str, str]]:
    """What training optimises: answers drawn at its temperature."""
    name = f"avg@{document.study['samples']} at temperature {document.study['temperature']}"
    return [(f"{_title(arm)}, {name}", _share(share)) for arm, share in document.sampled.items()]


def _pilot3_facts(figures: EvidenceFigures) -> list[tuple[str, str]]:
    """Wrong rollouts answered again from parts of their graphs."""
    number = figures.wrong_rollouts_with_evidence
    head = f"{number} wrong rollouts of the cold start that found gold, answered again from"
    return [(f"{head} {name} nodes", _share(share)) for name, share in figures.right.items()]


def _share(share: Interval) -> str:
    if math.isnan(share.estimate):
        return "nothing scored"
    return f"{100 * share.estimate:.1f} % ({100 * share.low:.1f} to {100 * share.high:.1f})"


def _title(name: str) -> str:
    return TITLES.get(name, name)


def _verdict(pair: ArmComparison) -> PairedDifference:
    assert pair.greedy is not None, "every run of a study answers greedily"
    return PairedDifference(
        before=_title(pair.before),
        after=_title(pair.after),
        difference=estimate(pair.greedy.difference, pair.questions),
    )
