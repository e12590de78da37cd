"""The training study: GGPO, GSPO, a random mask and GRPO from one cold start, with equal rollouts.

Holds the order of work; the runs are made by ``training.py``, their answers by ``answers.py``, what they show is reduced by
``figures.py`` and drawn by ``page.py``. Resumable: what is trained or answered is not made again.
"""

import math
import os
from itertools import chain

from pydantic import JsonValue, TypeAdapter

from infra.progress import LogFunction
from infra.storage.root import Storage
from model.evaluation.evaluation import rates, summarise
from model.evaluation.learning_curves import area, first_reaching, roughness
from model.evaluation.statistics import bootstrap_mean
from model.training.metrics import read_metrics
from orchestration.launch.reporter import Reporter
from orchestration.study import pilot3
from orchestration.study.answers import (
    COLD_START,
    answers,
    cold_start_weights,
    curve,
    final_weights,
    local_folder,
    pilot3_answers,
    sampled_answers,
    training_rollouts,
)
from orchestration.study.document import ArmFigures, SeedDifference, StudyDocument
from orchestration.study.endpoint import compare_areas
from orchestration.study.figures import (
    arm_comparison,
    compared_pairs,
    counter_means,
    noise_share,
    reference_score,
    sampled_accuracy,
    seeds_line,
    share_right,
)
from orchestration.study.options import Study, runs
from orchestration.study.page import study_page
from orchestration.study.record import REFERENCE, RUNS, Endpoint, endpoint, read_records
from orchestration.study.training import make_all, prepare, validation_questions
from orchestration.training.ggpo_run import METRICS

PAGE = "reports/study-ggpo/index.html"
FIGURES = "reports/study-ggpo/study.json"


def run(study: Study, log: LogFunction) -> StudyDocument:
    """Make what is missing and return the figures; page and figures lie in ``reports/study-ggpo`` below the root."""
    storage = prepare(study, log)
    start = cold_start_weights(storage, study)
    before = answers(storage, study, COLD_START, start, split="val")
    greedy = {COLD_START: [answers(storage, study, COLD_START, start)]}
    sampled = {COLD_START: [sampled_answers(storage, study, COLD_START, start)]}
    wrong = pilot3.cuttable(greedy[COLD_START][0])
    answered_again = pilot3_answers(storage, study, start, wrong)
    curves: dict[str, list[list[tuple[int, float]]]] = {arm: [] for arm in study.arms}
    rewards: dict[str, list[list[float]]] = {arm: [] for arm in study.arms}
    pruned: dict[str, list[float]] = {arm: [] for arm in study.arms}
    make_all(storage, study, log)
    for run in runs(study):
        final = final_weights(storage, run)
        greedy.setdefault(run.arm, []).append(answers(storage, study, run.name, final))
        sampled.setdefault(run.arm, []).append(sampled_answers(storage, study, run.name, final))
        records = list(read_metrics(local_folder(storage, run.config.metrics) / METRICS))
        questions = validation_questions(storage, run)
        base = share_right(t for t in before if (t.task.dataset, t.task.id) in questions)
        validations = [(r["update"] + 1, r["validation"]) for r in records if r["validation"] is not None]
        curves[run.arm].append([(0, base), *validations])
        rewards[run.arm].append([record["mean_reward"] for record in records])
        num_segments = sum(record["num_segments"] for record in records)
        pruned[run.arm].append(sum(record["num_pruned"] for record in records) / max(1, num_segments))
    results = {name: summarise(list(chain.from_iterable(of_runs))) for name, of_runs in greedy.items()}
    target = reference_score(curves)
    document = StudyDocument(
        study=options_of(study),
        noise=noise_share(results[COLD_START].trajectories),
        unseen={name: evaluation.overall for name, evaluation in results.items()},
        spending={name: counter_means(evaluation) for name, evaluation in results.items()},
        arms={
            arm: ArmFigures(
                seeds=len(curves[arm]),
                area=bootstrap_mean([area(curve) for curve in curves[arm]]),
                reaches_reference=tuple(first_reaching(curve, target) for curve in curves[arm]),
                reward_roughness=bootstrap_mean([roughness(values) for values in rewards[arm]]),
                pruned_share=bootstrap_mean(pruned[arm]),
                training_steps=noise_share(
                    trajectory
                    for run in runs(study)
                    if run.arm == arm
                    for _, of_update in training_rollouts(storage, run)
                    for trajectory in of_update
                ),
            )
            for arm in study.arms
        },
        reference_score=target if math.isfinite(target) else None,
        comparisons=tuple(
            arm_comparison(before, after, results, greedy, sampled)
            for before, after in compared_pairs(study.arms)
        ),
        sampled={
            name: sampled_accuracy(chain.from_iterable(of_runs))
            for name, of_runs in sampled.items()
            if study.samples
        },
        pilot3=pilot3.compared(answered_again, wrong),
        areas=_areas(storage, study),
    )
    storage.write_bytes(PAGE, study_page(study, document, results, curves, rewards).encode())
    storage.write_bytes(FIGURES, document.to_json())
    log(f"study: {storage.path(PAGE)}")
    return document


def _areas(storage: Storage, study: Study) -> dict[str, SeedDifference]:
    """The primary endpoint of each objective against GSPO; nothing where only the last weights answered."""
    if not (study.curve_every and study.samples and REFERENCE in study.arms):
        return {}
    by_arm = {
        arm: [
            {update: rates(answered) for update, answered in curve(storage, run)}
            for run in runs(study)
            if run.arm == arm
        ]
        for arm in study.arms
    }
    compared = {
        arm: compare_areas(by_arm[REFERENCE], of_arm) for arm, of_arm in by_arm.items() if arm != REFERENCE
    }
    return {
        arm: SeedDifference(by_seed=each.by_seed, difference=each.difference, line=seeds_line(each))
        for arm, each in compared.items()
    }


def make_runs(study: Study, log: LogFunction) -> Endpoint:
    """Make the runs that the study names; returns what the records of the root say together."""
    storage = prepare(study, log)
    sampled_answers(
        storage, study, COLD_START, cold_start_weights(storage, study)
    )  # once, before runs ask for it
    make_all(storage, study, log)
    folder = local_folder(storage, RUNS)
    log(f"study: records of its runs in {folder}")
    return endpoint(read_records([folder]))


def options_of(study: Study) -> dict[str, JsonValue]:
    """The options of a study as its document holds them: the root by its name only."""
    return {**TypeAdapter(Study).dump_python(study, mode="json"), "root": study.root.name}


def make_study(study: Study, reporter: Reporter) -> None:
    """Run the study; the figures are one JSON object on standard output."""
    os.environ.setdefault("DS_ACCELERATOR", "cpu")
    study.require_checkpoint()
    if study.only:
        print(make_runs(study, reporter.log).to_json().decode())
    else:
        print(run(study, reporter.log).to_json().decode())
