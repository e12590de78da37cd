"""The training study: GGPO, GSPO, a random mask and GRPO from one cold start, with equal rollouts.

Holds the order of work and the reduction to figures and a page; the runs are made by ``training.py``, their answers by
``answers.py``, the figures are defined in ``model.evaluation.learning_curves``. Resumable: what is trained or answered is not
made again.
"""

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple
from typing import Any

from pydantic import JsonValue, TypeAdapter

from infra.reporting.charts import Curve as Chart
from infra.reporting.report import CounterTable, MethodRow, PairedDifference, Report, render
from infra.storage.root import Storage
from memory_graph.credit import prune_reasons
from model.evaluation.evaluation import Evaluation, SeedComparison, compare, compare_seeds, summarise
from model.evaluation.learning_curves import area, band, first_reaching, roughness
from model.evaluation.statistics import Interval, bootstrap_macro_mean, bootstrap_mean
from model.training.metrics import read_metrics
from model.types import Trajectory
from orchestration.evaluation.report_document import estimate
from orchestration.launch.reporter import Reporter
from orchestration.study import pilot3
from orchestration.study.answers import (
    COLD_START,
    answers,
    cold_start_weights,
    final_weights,
    pilot3_answers,
    sampled_answers,
)
from orchestration.study.document import (
    ArmComparison,
    ArmFigures,
    EvidenceFigures,
    NoiseShare,
    SeedDifference,
    StudyDocument,
)
from orchestration.study.options import Study, StudyRun, runs
from orchestration.study.training import Log, make_all, prepare, training_rollouts, validation_questions
from orchestration.training.ggpo_run import METRICS

Runs = Sequence[list[Trajectory]]  # a run each; the cold start is one
TITLES = {
    COLD_START: "cold start",
    "ggpo": "GGPO",
    "gspo": "GSPO",
    "prune_at_random": "random mask",
    "grpo": "GRPO",
    "prune_positives": "pruning right rollouts only",
    "prune_negatives": "pruning wrong rollouts only",
}
PAGE = "reports/study-ggpo/index.html"
REFERENCE = "gspo"  # whose final score the others are timed against
COUNTERS = ("repeated_searches", "dead_ends", "searches", "completion_tokens")


def run(study: Study, log: Log) -> StudyDocument:
    """Make what is missing and return the figures; page and figures lie in ``reports/study-ggpo`` below the root."""
    storage = prepare(study, log)
    start = cold_start_weights(storage, study)
    before = answers(storage, study, COLD_START, start, "val")
    greedy: dict[str, list[list[Trajectory]]] = {
        COLD_START: [answers(storage, study, COLD_START, start, "test")]
    }
    drawn: dict[str, list[list[Trajectory]]] = {
        COLD_START: [sampled_answers(storage, study, COLD_START, start)]
    }
    wrong = pilot3.cuttable(greedy[COLD_START][0])
    again = pilot3_answers(storage, study, start, wrong)
    curves: dict[str, list[list[tuple[int, float]]]] = {arm: [] for arm in study.arms}
    rewards: dict[str, list[list[float]]] = {arm: [] for arm in study.arms}
    pruned: dict[str, list[float]] = {arm: [] for arm in study.arms}
    make_all(storage, study, log)
    every = list(runs(study))
    for each in every:
        final = final_weights(storage, each)
        greedy.setdefault(each.arm, []).append(answers(storage, study, each.name, final, "test"))
        drawn.setdefault(each.arm, []).append(sampled_answers(storage, study, each.name, final))
        records = _records(storage, each)
        asked = validation_questions(storage, each)
        base = _score([one for one in before if (one.task.dataset, one.task.id) in asked])
        curves[each.arm].append([(0, base), *_validations(records)])
        rewards[each.arm].append([record["mean_reward"] for record in records])
        pruned[each.arm].append(
            sum(record["num_pruned"] for record in records)
            / max(1, sum(record["num_segments"] for record in records))
        )
    results = {name: summarise(_flat(found)) for name, found in greedy.items()}
    target = _target(curves)
    document = StudyDocument(
        study=options_of(study),
        noise=noise_share(results[COLD_START].trajectories),
        unseen={name: evaluation.overall for name, evaluation in results.items()},
        spending={name: _means(evaluation) for name, evaluation in results.items()},
        arms={
            arm: ArmFigures(
                seeds=len(curves[arm]),
                area=bootstrap_mean([area(curve) for curve in curves[arm]]),
                reaches_reference=tuple(first_reaching(curve, target) for curve in curves[arm]),
                reward_roughness=bootstrap_mean([roughness(values) for values in rewards[arm]]),
                pruned_share=bootstrap_mean(pruned[arm]),
                training_steps=noise_share(
                    trajectory
                    for run in every
                    if run.arm == arm
                    for trajectory in training_rollouts(storage, run)
                ),
            )
            for arm in study.arms
        },
        reference_score=target if math.isfinite(target) else None,
        comparisons=tuple(
            _compare(before, after, results, greedy, drawn) for before, after in _pairs(study.arms)
        ),
        sampled={name: sampled_accuracy(_flat(found)) for name, found in drawn.items() if study.samples},
        pilot3=pilot3.compared(again, wrong),
    )
    _publish(storage, document, _page(study, document, results, curves, rewards))
    log(f"study: {storage.path(PAGE)}")
    return document


def options_of(study: Study) -> dict[str, JsonValue]:
    """The options of a study as its document holds them: the root by its name only."""
    return {**TypeAdapter(Study).dump_python(study, mode="json"), "root": study.root.name}


def noise_share(trajectories: Iterable[Trajectory]) -> NoiseShare:
    """The share of search steps in right rollouts that their answer does not rest on."""
    num_right = num_steps = num_noisy = 0
    for each in trajectories:
        if each.correct and each.graph.answer is not None:
            reasons = prune_reasons(each.graph, correct=True, gold=each.task.gold)[:-1]
            num_right, num_steps = num_right + 1, num_steps + len(reasons)
            num_noisy += sum(reason.startswith("pruned") for reason in reasons)
    return NoiseShare(
        right_rollouts=num_right,
        search_steps=num_steps,
        noise_share=num_noisy / num_steps if num_steps else None,
    )


def sampled_accuracy(trajectories: Iterable[Trajectory]) -> Interval:
    """Share of right answers drawn at the training temperature: the mean over datasets of the mean over questions.

    The interval redraws questions, each with all of its rollouts: rollouts of one question are no independent sample.
    """
    verdicts: dict[str, dict[str, list[float]]] = {}
    for each in trajectories:
        if each.correct is not None:
            verdicts.setdefault(each.task.dataset, {}).setdefault(each.task.id, []).append(
                float(each.correct)
            )
    groups = [[sum(one) / len(one) for one in found.values()] for _, found in sorted(verdicts.items())]
    return bootstrap_macro_mean(groups)


def _target(curves: Mapping[str, Sequence[Sequence[tuple[int, float]]]]) -> float:
    final = [curve[-1][1] for curve in curves.get(REFERENCE, ())]
    return sum(final) / len(final) if final else math.inf


def _pairs(arms: Sequence[str]) -> list[tuple[str, str]]:
    against = [(REFERENCE, arm) for arm in arms if arm != REFERENCE and REFERENCE in arms]
    return [*((COLD_START, arm) for arm in arms), *against]


def _compare(
    before: str,
    after: str,
    results: Mapping[str, Evaluation],
    greedy: Mapping[str, Runs],
    sampled: Mapping[str, Runs],
) -> ArmComparison:
    pair = compare(results[before].trajectories, results[after].trajectories)
    return ArmComparison(
        before=before,
        after=after,
        questions=pair.questions,
        difference=pair.difference,
        p_value=pair.p_value,
        greedy=_by_seed(greedy[before], greedy[after]),
        sampled=_by_seed(sampled[before], sampled[after]),
    )


def _by_seed(first: Runs, second: Runs) -> SeedDifference | None:
    """Differences run by run; None where nothing was answered."""
    if not first[0]:
        return None
    seeds = compare_seeds(first, second)
    return SeedDifference(by_seed=seeds.by_seed, difference=seeds.difference, line=seeds_line(seeds))


def _flat(found: Runs) -> list[Trajectory]:
    return [each for one in found for each in one]


def _means(found: Evaluation) -> dict[str, float]:
    ran = [each.counters for each in found.trajectories]
    return {name: sum(getattr(each, name) for each in ran) / max(1, len(ran)) for name in COUNTERS}


def _score(trajectories: Sequence[Trajectory]) -> float:
    verdicts = [each.correct for each in trajectories if each.correct is not None]
    return sum(verdicts) / len(verdicts) if verdicts else math.nan


def _records(storage: Storage, run: StudyRun) -> list[dict[str, Any]]:
    local = storage.local_path(run.config.metrics)
    assert local is not None, "a study works below a local root"
    return list(read_metrics(local / METRICS))


def _validations(records: Sequence[Mapping[str, Any]]) -> list[tuple[int, float]]:
    return [
        (record["update"] + 1, record["validation"]) for record in records if record["validation"] is not None
    ]


def _page(
    study: Study,
    document: StudyDocument,
    results: Mapping[str, Evaluation],
    curves: Mapping[str, Sequence[Sequence[tuple[int, float]]]],
    rewards: Mapping[str, Sequence[Sequence[float]]],
) -> str:
    benchmarks = tuple(score.dataset for score in results[COLD_START].datasets)
    rewarded = {arm: [list(enumerate(each, start=1)) for each in found] for arm, found in rewards.items()}
    names = tuple(results)
    return render(
        Report(
            title="VimRAG: the training study",
            summary=(
                f"{study.seeds} seeds of {len(study.arms)} objectives from one cold start, {study.updates} updates of "
                f"{study.questions} x {study.group_size} rollouts each; unseen worlds, last checkpoint, greedy."
            ),
            benchmarks=benchmarks,
            methods=tuple(_row(name, found) for name, found in results.items()),
            comparisons=tuple(_verdict(comparison) for comparison in document.comparisons),
            curves=(_chart("validation", "share right", curves), _chart("reward", "mean reward", rewarded)),
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
                *_pilot3_facts(document.pilot3),
            ),
        )
    )


def _chart(title: str, label: str, curves: Mapping[str, Sequence[Sequence[tuple[int, float]]]]) -> Chart:
    bands = {arm: band(found) for arm, found in curves.items()}
    return Chart(
        title=title,
        x_label="update",
        y_label=label,
        series=tuple(
            (_title(arm), tuple((point.update, point.score.estimate) for point in points))
            for arm, points in bands.items()
        ),
        bands=tuple(
            tuple((point.update, point.score.low, point.score.high) for point in points)
            for points in bands.values()
        ),
    )


def _row(name: str, found: Evaluation) -> MethodRow:
    return MethodRow(
        name=_title(name),
        cells={score.dataset: estimate(score.accuracy, score.scored) for score in found.datasets},
        overall=estimate(found.overall, len(found.trajectories)),
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


def seeds_line(seeds: SeedComparison) -> str:
    """``+4.2 points (+1.0 to +7.2 over runs and questions); by run +3.5, +4.9``."""
    value, low, high = (100 * number for number in astuple(seeds.difference))
    if not all(map(math.isfinite, (value, low, high))):
        return "nothing scored"
    over = "runs and questions" if len(seeds.by_seed) > 1 else "questions"
    by_run = ", ".join(f"{100 * mean:+.1f}" if math.isfinite(mean) else "-" for mean in seeds.by_seed)
    return f"{value:+.1f} points ({low:+.1f} to {high:+.1f} over {over}); by run {by_run}"


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


def _publish(storage: Storage, document: StudyDocument, page: str) -> None:
    storage.write_bytes(PAGE, page.encode())
    storage.write_bytes("reports/study-ggpo/study.json", document.to_json())


def make_study(study: Study, reporter: Reporter) -> None:
    """Run the study; the figures are one JSON object on standard output."""
    os.environ.setdefault("DS_ACCELERATOR", "cpu")
    study.require_checkpoint()
    print(run(study, reporter.log).to_json().decode())
