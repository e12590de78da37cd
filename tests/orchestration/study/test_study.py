"""The training study: its plan, its reductions, and one whole small study with real runs, repeated."""

import json
import math
import os
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from assets.corpus.build import build_corpus
from assets.corpus.dataset import DATASETS
from infra.storage.root import Storage
from memory_graph.graph import ROOT, AnswerNode, MemoryGraph, SearchNode
from model.evaluation.evaluation import SeedComparison
from model.evaluation.statistics import UNKNOWN, Interval
from model.types import Outcome, Task, Trajectory
from orchestration.launch.commands import Script, environment, to_json
from orchestration.launch.process import from_json
from orchestration.launch.reporter import ConsoleReporter
from orchestration.recipes.options import MiniatureWorlds
from orchestration.runs import main
from orchestration.study import answers, miniature_root, training
from orchestration.study.document import NoiseShare, StudyDocument
from orchestration.study.figures import noise_share, sampled_accuracy, seeds_line
from orchestration.study.options import Study, StudyRun, runs
from orchestration.study.study import run
from tests import warm

run_process = training._run_process


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return Study(
        root=tmp_path,
        arms=("ggpo", "gspo"),
        seeds=1,
        updates=1,
        questions=2,
        group_size=2,
        test_questions=1,
        samples=2,
        parallel=2,
        worlds=MiniatureWorlds(train=1, val=1, test=1, questions=1),
    )


def test_seeds_go_round_before_objectives_and_runs_of_a_seed_differ_in_nothing_else(tmp_path: Path):
    found = list(runs(Study(root=tmp_path, seeds=2, arms=("ggpo", "grpo"))))
    assert [(each.arm, each.seed) for each in found] == [("ggpo", 0), ("grpo", 0), ("ggpo", 1), ("grpo", 1)]
    one, other = (each.config.recipe.ggpo for each in found[:2])
    assert one == replace(other, algorithm=one.algorithm)


@pytest.mark.parametrize(
    "bad",
    [
        {"arms": ()},
        {"seeds": 0},
        {"test_questions": 0},
        {"samples": -1},
        {"group_size": 1},
        {"mini_batches": 0},
        {"parallel": 0},
        {"arms": ("ggpo", "nothing")},
        {"arms": ("ggpo", "ggpo")},
        {"temperature": 0.0},
        {"learning_rate": 0.0},
    ],
)
def test_a_study_of_nothing_is_refused(tmp_path: Path, bad: dict):
    with pytest.raises(ValueError):
        Study(root=tmp_path, **bad)


def test_runs_side_by_side_share_the_threads_and_their_rate_falls_to_nothing(tmp_path: Path):
    alone, pair = (Study(root=tmp_path, parallel=number).recipe("ggpo", 0) for number in (1, 2))
    assert alone.threads == 2 and pair == replace(alone, threads=1)
    assert alone.ggpo.schedule.decay


def test_a_failed_run_is_said_and_no_other_is_begun_after_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    begun = []

    def failing(storage: Storage, study_run: StudyRun, log: training.LogFunction) -> None:
        begun.append(study_run.config.name)
        raise ValueError(f"{study_run.config.name} ended with code 1")

    monkeypatch.setattr(training, "train", failing)
    with pytest.raises(ValueError, match="ended with code 1"):
        training.make_all(Storage(str(tmp_path)), Study(root=tmp_path, parallel=2), lambda text: None)
    assert set(begun) <= {"study-ggpo-0", "study-gspo-0"}


def test_answers_of_weights_that_are_gone_go_with_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    study, storage = Study(root=tmp_path), Storage(str(tmp_path))
    one, other = list(runs(study))[:2]
    for each in (one, other):
        for name in answers.answer_names(each):
            answers.stored_file(storage, name).parent.mkdir(parents=True, exist_ok=True)
            answers.stored_file(storage, name).write_bytes(b"stale")
    monkeypatch.setattr(training, "_run_process", lambda *_: None)
    assert answers.is_answered(storage, one)
    training.train(storage, one, lambda text: None)
    assert not answers.is_answered(storage, one)
    assert answers.is_answered(storage, other)


def test_a_run_of_the_study_survives_the_command_line(study: Study):
    for study_run in runs(study):
        assert from_json(StudyRun, to_json(study_run)) == study_run


def test_a_run_that_the_study_does_not_have_is_refused(study: Study):
    text = to_json(next(runs(study)))
    for other in ('"arm":"ppo"', '"arm":"grpo"'):
        with pytest.raises(ValueError, match="the study has no run"):
            from_json(StudyRun, text.replace('"arm":"ggpo"', other))


def test_a_difference_says_over_what_it_may_vary():
    found = Interval(0.042, 0.01, 0.07)
    assert seeds_line(SeedComparison(by_seed=(0.035, math.nan), difference=found)) == (
        "+4.2 points (+1.0 to +7.0 over runs and questions); by run +3.5, -"
    )
    assert "over questions)" in seeds_line(SeedComparison(by_seed=(0.042,), difference=found))
    assert seeds_line(SeedComparison(by_seed=(math.nan,), difference=UNKNOWN)) == "nothing scored"


def rollout(*, correct: bool) -> Trajectory:
    """Two searches of which the answer rests on the second."""
    graph = MemoryGraph(
        question="q?",
        nodes=tuple(SearchNode(id=name, parents=(ROOT,), query=name, summary="s") for name in ("n1", "n2")),
        answer=AnswerNode(parents=("n2",), text="a"),
    )
    task = Task(id="q", dataset="squad", question="q?", answers=("a",))
    return Trajectory(task=task, graph=graph, segments=(), outcome=Outcome.ANSWERED, correct=correct)


def test_sampled_accuracy_is_the_mean_of_questions_within_datasets():
    # squad: q is right in one of two, p in one of one: 0.75; hotpotqa: 0. The mean of the two is 0.375
    first, wrong = rollout(correct=True), rollout(correct=False)
    other = replace(first, task=replace(first.task, id="p"))
    far = replace(wrong, task=replace(wrong.task, id="r", dataset="hotpotqa"))
    found = sampled_accuracy([first, wrong, other, far])
    assert found.estimate == pytest.approx(0.375)


def test_a_root_that_was_claimed_before_its_options_moved_goes_on(tmp_path: Path):
    storage = Storage(str(tmp_path))
    training._claim(storage, Study(root=tmp_path))
    weights = json.loads(storage.read_bytes(training.CLAIM))["weights"]
    assert len(weights) == 64
    # as the first release of studies wrote it: limits, datasets, clips and the curve were no options yet
    claim = {
        "checkpoint": "miniature",
        "group_size": 8,
        "learning_rate": 3e-4,
        "mini_batches": 1,
        "questions": 24,
        "reward": {"exact": 1.0, "format": 0.0, "judge": 0.0, "retrieval": 0.0},
        "temperature": 1.0,
        "test_questions": 16,
        "updates": 12,
        "warmup_steps": 3,
        "weights": weights,
        "worlds": {"questions": 8, "seed": 0, "test": 8, "train": 48, "val": 4},
    }
    storage.write_bytes(training.CLAIM, json.dumps(claim).encode())
    training._claim(storage, Study(root=tmp_path))
    with pytest.raises(ValueError, match="choose another root"):
        training._claim(storage, Study(root=tmp_path, curve_every=4))


def test_a_root_takes_runs_of_one_study_only(tmp_path: Path):
    storage = Storage(str(tmp_path))
    training._claim(storage, Study(root=tmp_path))
    training._claim(storage, Study(root=tmp_path, seeds=9, samples=0))
    with pytest.raises(ValueError, match="choose another root"):
        training._claim(storage, Study(root=tmp_path, group_size=4))


def test_noise_is_the_share_of_steps_of_right_rollouts_that_the_answer_does_not_rest_on():
    found = noise_share([rollout(correct=True), rollout(correct=False)])
    assert found == NoiseShare(right_rollouts=1, search_steps=2, noise_share=0.5)
    assert noise_share([rollout(correct=False)]).noise_share is None


def by_turns(line: Sequence[str], study_run: StudyRun, log: training.LogFunction) -> None:
    """Commands of GGPO are run; those of other objectives run the same entry point in a process that is ready for it."""
    if study_run.arm == "ggpo":
        run_process(line, study_run, log)
        return
    *_, script, _, record = line
    environment_of_run = {**os.environ, **environment(study_run.config.recipe)}
    said = study_run.study.root / f"{study_run.name}-{script}.log"
    process = warm.start(main, Script(script), record, environment=environment_of_run, log=said)
    process.join()
    assert process.exitcode == 0, said.read_text()


@pytest.mark.timeout(400)
def test_a_whole_study_trains_every_objective_once_and_says_what_came_out(
    study: Study, monkeypatch: pytest.MonkeyPatch
):
    # the slides alone take as long to read as everything else
    datasets = {name: each for name, each in DATASETS.items() if name != "slidevqa"}
    monkeypatch.setattr(miniature_root, "DATASETS", datasets)
    monkeypatch.setattr(miniature_root, "build_corpus", partial(build_corpus, datasets=list(datasets)))
    monkeypatch.setattr(training, "_run_process", by_turns)
    log = ConsoleReporter().log
    document = run(study, log)
    assert set(document.unseen) == {"cold_start", "ggpo", "gspo"}
    assert document.arms["gspo"].pruned_share.estimate == 0.0
    assert [(pair.before, pair.after) for pair in document.comparisons] == [
        ("cold_start", "ggpo"),
        ("cold_start", "gspo"),
        ("gspo", "ggpo"),
    ]
    for pair in document.comparisons:
        assert pair.greedy is not None and len(pair.greedy.by_seed) == 1
        assert pair.sampled is not None and len(pair.sampled.by_seed) == 1
    assert set(document.sampled) == {"cold_start", "ggpo", "gspo"}
    assert all(arm.training_steps.right_rollouts >= 0 for arm in document.arms.values())
    page = (study.root / "reports/study-ggpo/index.html").read_text()
    assert set(document.pilot3.right) == {"full", "evidence", "random"}
    assert "avg@2 at temperature 1" in page
    assert "GGPO" in page and "<svg" in page
    stored = (study.root / "reports/study-ggpo/study.json").read_bytes()
    assert StudyDocument.from_json(stored).to_json() == stored

    storage_files = sorted(study.root.glob("checkpoints/*/*/manifest.json"))
    before = [file.stat().st_mtime_ns for file in storage_files]
    again = run(study, log)  # nothing is trained or answered twice, and the figures are the same
    assert [file.stat().st_mtime_ns for file in storage_files] == before
    assert again.to_json() == document.to_json()
