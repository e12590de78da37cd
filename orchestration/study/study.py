"""The training study: GGPO, GSPO, a random mask and GRPO from one cold start, with equal rollouts.

Holds the order of work and the reduction to figures and a page; the runs are ``runs.py``, the figures' definitions
``model.evaluation.learning_curves``. Resumable: what is trained or answered is not made again.
"""

import argparse
import json
import math
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from infra.reporting.charts import Curve as Chart
from infra.reporting.report import CounterTable, Estimate, MethodRow, PairedDifference, Report, render
from infra.storage.root import Storage
from memory_graph.credit import prune_reasons
from model.evaluation.evaluation import Evaluation, compare, compare_seeds, summarise
from model.evaluation.learning_curves import area, band, first_reaching, roughness
from model.evaluation.statistics import Interval, bootstrap_macro_mean, bootstrap_mean
from model.training.metrics import read_metrics
from model.types import Trajectory
from orchestration.launch.reporter import finite
from orchestration.study import pilot3
from orchestration.study.runs import (
    ARMS,
    COLD_START,
    Study,
    StudyRun,
    answers,
    cold_start_weights,
    final_weights,
    make_all,
    pilot3_answers,
    prepare,
    require_checkpoint,
    runs,
    sampled_answers,
    training_rollouts,
    validated,
)
from orchestration.training.ggpo_run import METRICS

SCHEMA_VERSION = 2
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
REFERENCE = "gspo"  # whose final score the others are timed against
COUNTERS = ("repeated_searches", "dead_ends", "searches", "completion_tokens")


def run(study: Study) -> dict[str, Any]:
    """Make what is missing and return the figures; page and figures lie in ``reports/study-ggpo`` below the root."""
    storage = prepare(study, _say)
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
    make_all(storage, study, _say)
    every = list(runs(study))
    for each in every:
        final = final_weights(storage, each)
        greedy.setdefault(each.arm, []).append(answers(storage, study, each.name, final, "test"))
        drawn.setdefault(each.arm, []).append(sampled_answers(storage, study, each.name, final))
        records = _records(storage, each)
        asked = validated(storage, each)
        base = _score([one for one in before if (one.task.dataset, one.task.id) in asked])
        curves[each.arm].append([(0, base), *_validations(records)])
        rewards[each.arm].append([record["mean_reward"] for record in records])
        pruned[each.arm].append(
            sum(record["num_pruned"] for record in records)
            / max(1, sum(record["num_segments"] for record in records))
        )
    results = {name: summarise(_flat(found)) for name, found in greedy.items()}
    document = _document(study, results, curves, rewards, pruned)
    document["sampled"] = {
        name: sampled_accuracy(_flat(found)) for name, found in drawn.items() if study.samples
    }
    for each in document["comparisons"]:
        for how, found in (("greedy", greedy), ("sampled", drawn)):
            each[how] = _by_seed(found[each["before"]], found[each["after"]])
    document["pilot3"] = pilot3.compared(again, wrong)
    for arm in study.arms:
        of_arm = (one for each in every if each.arm == arm for one in training_rollouts(storage, each))
        document["arms"][arm]["training_steps"] = noise_shares(of_arm)
    _publish(storage, document, _page(study, document, results, curves, rewards))
    return document


def _document(
    study: Study,
    results: Mapping[str, Evaluation],
    curves: Mapping[str, Sequence[Sequence[tuple[int, float]]]],
    rewards: Mapping[str, Sequence[Sequence[float]]],
    pruned: Mapping[str, Sequence[float]],
) -> dict[str, Any]:
    target = _target(curves)
    return {
        "schema_version": SCHEMA_VERSION,
        "study": {**asdict(study), "root": study.root.name},
        "noise": noise_shares(results[COLD_START].trajectories),
        "unseen": {name: finite(found.overall._asdict()) for name, found in results.items()},
        "spending": {name: _means(found) for name, found in results.items()},
        "arms": {
            arm: {
                "seeds": len(curves[arm]),
                "area": finite(_over([area(curve) for curve in curves[arm]])),
                "reaches_reference": [first_reaching(curve, target) for curve in curves[arm]],
                "reward_roughness": finite(_over([roughness(each) for each in rewards[arm]])),
                "pruned_share": finite(_over(pruned[arm])),
            }
            for arm in study.arms
        },
        "reference_score": target if math.isfinite(target) else None,
        "comparisons": [
            {"before": first, "after": second, **_compared(results[first], results[second])}
            for first, second in _pairs(study.arms)
        ],
    }


def noise_shares(trajectories: Iterable[Trajectory]) -> dict[str, Any]:
    """Pilot study 3: the share of search steps in right rollouts that their answer does not rest on (Eq. 11)."""
    num_right = num_steps = num_noisy = 0
    for each in trajectories:
        if each.correct and each.graph.answer is not None:
            reasons = prune_reasons(each.graph, correct=True, gold=each.task.gold)[:-1]
            num_right, num_steps = num_right + 1, num_steps + len(reasons)
            num_noisy += sum(reason.startswith("pruned") for reason in reasons)
    return {
        "right_rollouts": num_right,
        "search_steps": num_steps,
        "noise_share": num_noisy / num_steps if num_steps else None,
    }


def sampled_accuracy(trajectories: Iterable[Trajectory]) -> dict[str, Any]:
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
    return finite(bootstrap_macro_mean(groups)._asdict())


def _target(curves: Mapping[str, Sequence[Sequence[tuple[int, float]]]]) -> float:
    final = [curve[-1][1] for curve in curves.get(REFERENCE, ())]
    return sum(final) / len(final) if final else math.inf


def _pairs(arms: Sequence[str]) -> list[tuple[str, str]]:
    against = [(REFERENCE, arm) for arm in arms if arm != REFERENCE and REFERENCE in arms]
    return [*((COLD_START, arm) for arm in arms), *against]


def _compared(first: Evaluation, second: Evaluation) -> dict[str, Any]:
    found = compare(first.trajectories, second.trajectories)
    return {
        "questions": found.questions,
        "difference": finite(found.difference._asdict()),
        "p_value": found.p_value,
    }


def _by_seed(first: Runs, second: Runs) -> dict[str, Any] | None:
    """Differences run by run, with an interval over runs and questions; None where nothing was answered."""
    if not first[0]:
        return None
    found = compare_seeds(first, second)
    by_seed = [each if math.isfinite(each) else None for each in found.by_seed]
    difference = finite(found.difference._asdict())
    return {"by_seed": by_seed, "difference": difference, "line": seeds_line(difference, by_seed)}


def _flat(found: Runs) -> list[Trajectory]:
    return [each for one in found for each in one]


def _means(found: Evaluation) -> dict[str, float]:
    ran = [each.counters for each in found.trajectories]
    return {name: sum(getattr(each, name) for each in ran) / max(1, len(ran)) for name in COUNTERS}


def _over(values: Sequence[float]) -> dict[str, float]:
    return bootstrap_mean(values)._asdict()


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
    document: Mapping[str, Any],
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
            comparisons=tuple(_verdict(each) for each in document["comparisons"]),
            curves=(_chart("validation", "share right", curves), _chart("reward", "mean reward", rewarded)),
            counters=CounterTable(
                methods=tuple(_title(name) for name in names),
                rows=tuple(
                    (counter.replace("_", " "), tuple(document["spending"][name][counter] for name in names))
                    for counter in COUNTERS
                ),
            ),
            facts=(
                *((_title(name), _fact(value)) for name, value in document["arms"].items()),
                *_seed_facts(document),
                *_sampled_facts(document),
                *_pilot3_facts(document["pilot3"]),
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
        cells={score.dataset: _estimate(score.accuracy, score.scored) for score in found.datasets},
        overall=_estimate(found.overall, len(found.trajectories)),
    )


def _fact(arm: Mapping[str, Any]) -> str:
    """One objective in a line."""
    area_, rough, cut = (arm[name]["estimate"] for name in ("area", "reward_roughness", "pruned_share"))
    shown = [("area", area_), ("reward roughness", rough), ("share of segments pruned", cut)]
    redundant = arm["training_steps"]["noise_share"]
    shown.append(("redundant steps of right training rollouts", redundant))
    figures = ", ".join(f"{name} {value:.3f}" for name, value in shown if value is not None)
    return f"{arm['seeds']} seeds: {figures}"


def _seed_facts(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Every comparison with what another set of runs would leave of it."""
    return [
        (f"{_title(each['before'])} -> {_title(each['after'])}, {how}", each[how]["line"])
        for each in document["comparisons"]
        for how in ("greedy", "sampled")
        if each[how] is not None
    ]


def seeds_line(difference: Mapping[str, float | None], by_seed: Sequence[float | None]) -> str:
    """``+4.2 points (+1.0 to +7.2 over runs and questions); by run +3.5, +4.9``."""
    if any(difference[name] is None for name in ("estimate", "low", "high")):
        return "nothing scored"
    value, low, high = (100 * (difference[name] or 0) for name in ("estimate", "low", "high"))
    over = "runs and questions" if len(by_seed) > 1 else "questions"
    by_run = ", ".join("-" if each is None else f"{100 * each:+.1f}" for each in by_seed)
    return f"{value:+.1f} points ({low:+.1f} to {high:+.1f} over {over}); by run {by_run}"


def _sampled_facts(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What training optimises: answers drawn at its temperature."""
    study = document["study"]
    name = f"avg@{study['samples']} at temperature {study['temperature']}"
    return [(f"{_title(arm)}, {name}", _share(found)) for arm, found in document["sampled"].items()]


def _pilot3_facts(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Wrong rollouts answered again from parts of their graphs."""
    number = found["wrong_rollouts_with_evidence"]
    head = f"{number} wrong rollouts of the cold start that found gold, answered again from"
    return [(f"{head} {name} nodes", _share(share)) for name, share in found["right"].items()]


def _share(found: Mapping[str, float | None]) -> str:
    if found["estimate"] is None:
        return "nothing scored"
    return f"{100 * found['estimate']:.1f} % ({100 * (found['low'] or 0):.1f} to {100 * (found['high'] or 0):.1f})"


def _title(name: str) -> str:
    return TITLES.get(name, name)


def _estimate(found: Interval, count: int) -> Estimate:
    value, low, high = (number if math.isfinite(number) else None for number in found)
    return Estimate(value=value, low=low, high=high, count=count)


def _verdict(each: Mapping[str, Any]) -> PairedDifference:
    found = each["greedy"]["difference"]
    return PairedDifference(
        before=_title(each["before"]),
        after=_title(each["after"]),
        difference=Estimate(
            value=found["estimate"], low=found["low"], high=found["high"], count=each["questions"]
        ),
    )


def _publish(storage: Storage, document: Mapping[str, Any], page: str) -> None:
    storage.write_bytes("reports/study-ggpo/index.html", page.encode())
    storage.write_bytes(
        "reports/study-ggpo/study.json",
        json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False).encode(),
    )
    _say(f"study: {storage.path('reports/study-ggpo/index.html')}")


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")  # one write, so that runs side by side do not share a line
    sys.stderr.flush()


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; the figures as one JSON object on standard output. Exit code 1 for a run that failed, 2 for wrong usage."""
    parser = argparse.ArgumentParser(description="GGPO against its baselines on the miniature.")
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--updates", type=int, default=12)
    parser.add_argument("--questions", type=int, default=24)
    parser.add_argument("--group-size", type=int, default=8)
    parser.add_argument("--mini-batches", type=int, default=1)
    parser.add_argument("--learning-rate", type=float, default=3e-4)
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("--parallel", type=int, default=2)
    parser.add_argument("--samples", type=int, default=4)
    parser.add_argument("--checkpoint", default="miniature")
    parser.add_argument("--arms", nargs="+", default=list(ARMS))
    given = parser.parse_args(argv)
    os.environ.setdefault("DS_ACCELERATOR", "cpu")
    try:
        options = {**vars(given), "root": given.root.resolve(), "arms": tuple(given.arms)}
        study = Study(**options)
        require_checkpoint(study)
    except ValueError as error:
        _say(f"error: {error}")
        return 2
    try:
        print(json.dumps(run(study), ensure_ascii=False, allow_nan=False))
    except ValueError as error:
        _say(f"error: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
