"""The launch scripts end to end on two text corpora: cold start, GGPO, evaluation, report; resumed, and seen by Dagster.

The policy is a random model of a few thousand weights: what it answers is noise, what is asserted is the plumbing.
"""

import json
import shutil
from base64 import b64decode
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import dagster as dg
import pytest

from assets.index.build import build_index
from assets.index.published import current_index
from assets.index.releases import releases
from assets.index.retention import collect
from assets.index.settings import IndexSettings
from infra.storage import manifest
from infra.storage.root import Storage
from memory_graph.graph import MemoryGraph
from model.config.schedule import Retention
from model.config.watch import WatchLimits
from model.evaluation.judge import JudgeCounts
from model.imitation.tiny.tokenizer import INSTRUCTIONS
from model.policies.fingerprint import weights_fingerprint
from model.rl import trajectory_store
from model.training import checkpoint
from model.training.metrics import read_metrics
from model.training.watch import TrainingStoppedError
from model.types import Outcome, Task, Trajectory
from orchestration.definitions import build_defs
from orchestration.evaluation import evaluation_run, report_run
from orchestration.evaluation.answering import side_by_side
from orchestration.evaluation.document import METHODS, SAMPLES
from orchestration.imitation import cold_start
from orchestration.joins.adapters import tasks_of_split
from orchestration.joins.agents import RunContext, load
from orchestration.launch.run_config import RunConfig
from orchestration.recipes.options import Recipe
from orchestration.rollouts import prefetch, rollout_phase
from orchestration.training import ggpo_run, inputs
from tests.assets.small_corpus import item, write_corpus
from tests.orchestration.run_scene import (
    DATASETS,
    SHAPE,
    Heard,
    cold_start_reported,
    config_of,
    recipe,
    root,
    scheduled,
    shipped,
)
from tests.warm import elsewhere

__all__ = ["recipe", "root", "shipped"]  # fixtures


@pytest.fixture(scope="module")
def trained(root: Path, recipe: Recipe) -> Heard:
    heard = Heard()
    ggpo_run.train(config_of(root, recipe), heard)
    return heard


@pytest.fixture(scope="module")
def evaluated(root: Path, recipe: Recipe, trained: Heard) -> Heard:
    heard = Heard()
    evaluation_run.run(config_of(root, recipe), heard)
    return heard


def cold_start_killed_in_its_tenth_stage(config: RunConfig) -> tuple[Heard, Heard, list[str]]:
    """What the run reports that makes every stage, the one that goes on when two of them are gone, and what the gate says."""
    folder = Path(config.root) / config.cold_start_checkpoints
    whole = cold_start_reported(config)
    assert [path.name for path in sorted(folder.iterdir())] == [f"{stage:06}" for stage in range(1, 12)]
    for stage in (10, 11):
        shutil.rmtree(folder / f"{stage:06}")
    return whole, cold_start_reported(config), refused_by_the_gate(config)


def refused_by_the_gate(config: RunConfig) -> list[str]:
    """What two starts end with when the last stage is made again and not one reply may be refused."""
    strict = replace(config.recipe.cold_start, most_refused=0.0)
    config = replace(config, recipe=replace(config.recipe, cold_start=strict))
    shutil.rmtree(Path(config.root) / config.cold_start_checkpoints / "000011")
    reasons = []
    for _ in range(2):
        try:
            cold_start_reported(config)
        except ValueError as error:
            reasons.append(str(error))
    return reasons


@pytest.mark.timeout(600)
def test_a_cold_start_from_nothing_passes_every_stage_and_goes_on_after_the_last(root: Path, recipe: Recipe):
    brief = replace(recipe.cold_start, shipped=None, passes=1, stage_steps=1, clean_steps=1, steps=1)
    config = config_of(root, replace(recipe, name="from-nothing", cold_start=brief))
    whole, again, refused = elsewhere(cold_start_killed_in_its_tenth_stage, config)
    assert checkpoint.read(root / config.cold_start_checkpoints / "000011").score is not None
    assert whole.metadata["checkpoint"] == "000011"
    assert any(" demonstrations, " in line for line in whole.lines)
    assert again.lines[0] == "going on after stage 9"
    assert again.metadata["checkpoint"] == "000011"
    assert not any(line.startswith("copy ") for line in again.lines)
    # a policy of one step a stage says nothing that is read: the run ends red, its checkpoint stays, and going on is no way out
    assert len(refused) == 2 and len(set(refused)) == 1
    assert "of the replies after the cold start are refused, at most 0.0% may be" in refused[0]
    assert checkpoint.read(root / config.cold_start_checkpoints / "000011").update == 11


@pytest.mark.timeout(600)
def test_a_cold_start_goes_on_from_the_checkpoint_that_ships_with_the_demonstrations_alone(
    root: Path, recipe: Recipe
):
    brief = replace(
        recipe.cold_start,
        shipped="miniature",
        further=True,
        passes=1,
        clean_steps=0,
        steps=1,
        noise=0.0,
        memories=("vimrag", "vanilla"),
    )
    config = config_of(root, replace(recipe, name="further", cold_start=brief))
    heard, again = elsewhere(cold_start_reported, config), elsewhere(cold_start_reported, config)
    assert heard.lines[0] == "going on from the checkpoint 'miniature' that ships"
    assert [line for line in heard.lines if line.startswith("copy ")] == []
    told = [line.split(":")[0] for line in heard.lines if " demonstrations, " in line]
    assert told == ["vimrag_fixed", "vanilla"]
    assert heard.metadata["checkpoint"] == again.metadata["checkpoint"] == "000010"
    found = load(root / config.cold_start_checkpoints / "000010")
    instructions = [found.tokenizer.encode(each, add_special_tokens=False) for each in INSTRUCTIONS]
    assert {len(each) for each in instructions} == {1}
    assert found.model.config.text_config.vocab_size == len(found.tokenizer)
    assert again.lines[0] == "going on after stage 10"


def test_an_unknown_shipped_checkpoint_is_refused_with_those_there_are(shipped: Path, tmp_path: Path):
    with pytest.raises(ValueError, match=r"no checkpoint 'large' ships in .*; known: \['random'\]"):
        cold_start.unpack("large", tmp_path, shipped=shipped)


def test_training_leaves_a_checkpoint_that_loads_and_says_what_it_is(
    root: Path, recipe: Recipe, trained: Heard
):
    folder = root / config_of(root, recipe).ggpo_checkpoints
    assert trained.metadata["checkpoint"] == "000001"
    assert (trained.metadata["updates"], trained.metadata["ranks"]) == (1, 1)
    assert checkpoint.read(folder / "000001").update == 1
    assert load(folder / "000001").model.config.text_config.hidden_size == SHAPE.width


def test_training_shows_progress_with_the_time_that_is_left(trained: Heard):
    assert any(line.startswith("update 1/1: reward ") and line.endswith("0 s left") for line in trained.lines)
    assert any(line.startswith("validation: ") for line in trained.lines)


def test_the_materialisation_shows_curves_and_numbers(trained: Heard):
    assert trained.metadata["curves"]["type"] == "md"
    assert "GGPO: seconds by phase" in trained.metadata["curves"]["raw_value"]
    assert trained.metadata["last_mean_tokens"] > 0
    assert trained.metadata["total_seconds_checkpoint"] > 0


def test_each_update_is_a_line_of_metrics(root: Path, recipe: Recipe, trained: Heard):
    lines = (root / config_of(root, recipe).metrics / "ggpo.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    assert [record["update"] for record in records] == [0]
    assert records[0]["num_rollouts"] == 4  # two questions, two rollouts each
    assert 0 <= records[0]["validation"] <= 1


def test_the_rollouts_of_each_update_are_kept_with_their_advantages(
    root: Path, recipe: Recipe, trained: Heard
):
    stored = list(trajectory_store.read(root / config_of(root, recipe).rollouts / "update-00001.parquet"))
    assert len(stored) == 4  # two questions, two rollouts each
    assert all(each.advantage is not None and each.segments[-1].calls[0].turns for each in stored)


def test_questions_that_teach_nothing_are_replaced_as_often_as_the_recipe_says(root: Path, recipe: Recipe):
    # the random model is never right: both rounds of two questions with two rollouts teach nothing, the last one stays
    again = replace(recipe, name="again", ggpo=replace(recipe.ggpo, resamples=1, by_success=True))
    config = config_of(root, again)
    shutil.copytree(
        root / config_of(root, recipe).cold_start_checkpoints, root / config.cold_start_checkpoints
    )
    ggpo_run.train(config, Heard())
    (record,) = map(json.loads, (root / config.metrics / "ggpo.jsonl").read_text().splitlines())
    assert (record["rollouts_spent"], record["num_rollouts"]) == (8, 4)
    reached = checkpoint.read(root / config.ggpo_checkpoints / "000001")
    assert reached.data_order["draws"] == 2
    assert len(reached.data_order["counts"]) == 4


def test_a_group_teaches_when_its_rewards_differ():
    def rollout(reward: float | None) -> Trajectory:
        task = Task(id="q", dataset="d", question="?", answers=())
        return Trajectory(
            task=task, graph=MemoryGraph(question="?"), segments=(), outcome=Outcome.ABSTAINED, reward=reward
        )

    assert rollout_phase.rewards_differ([rollout(1.0), rollout(0.0)])
    assert not rollout_phase.rewards_differ([rollout(1.0), rollout(1.0), rollout(None)])


def test_an_ended_run_goes_on_from_its_checkpoint(root: Path, recipe: Recipe, trained: Heard):
    longer = scheduled(recipe, updates=2)
    heard = Heard()
    ggpo_run.train(config_of(root, longer), heard)
    assert "resuming after update 1" in heard.lines
    assert heard.metadata["updates"] == 2
    lines = (root / config_of(root, recipe).metrics / "ggpo.jsonl").read_text().splitlines()
    assert [json.loads(line)["update"] for line in lines] == [0, 1]


def test_the_manifest_says_from_what_the_checkpoint_was_made(root: Path, recipe: Recipe, trained: Heard):
    folder = root / config_of(root, recipe).ggpo_checkpoints
    named = checkpoint.manifest_of(max(folder.glob("[0-9]*")))["inputs"]
    assert set(named) - {"commit"} == {"corpus", "index", "cold_start", "code"}
    before = inputs.manifests_sha256(Storage(root), "corpus")
    assert named["corpus"] == before
    changed = root / "elsewhere" / "squad"
    shutil.copytree(root / "corpus" / "squad", changed)
    assert inputs.manifests_sha256(Storage(root), "elsewhere") != before


def test_the_best_the_last_and_every_nth_checkpoint_stay(root: Path, recipe: Recipe):
    # the random model is never right: of equal scores the last checkpoint is the best
    kept = scheduled(recipe, updates=5)
    kept = replace(kept, name="kept", ggpo=replace(kept.ggpo, retention=Retention(every=2)))
    config = config_of(root, kept)
    cold = config_of(root, recipe).cold_start_checkpoints
    shutil.copytree(root / cold, root / config.cold_start_checkpoints)
    ggpo_run.train(config, Heard())
    names = sorted(path.name for path in (root / config.ggpo_checkpoints).iterdir())
    assert names == ["000002", "000004", "000005"]
    with pytest.raises(ValueError, match="are a multiple of checkpoint_every, 6, apart, got 4"):
        replace(recipe.ggpo, checkpoint_every=6, retention=Retention(every=4))


class Killed(Heard):
    """A reporter under which the run ends once the third update is computed and not yet saved."""

    def log(self, text: str) -> None:
        if text.startswith("update 3/3: reward"):
            raise KeyboardInterrupt
        super().log(text)


def test_an_overlapping_run_that_was_ended_goes_on_with_the_rollouts_it_had_made_ahead(
    root: Path, recipe: Recipe
):
    def prepared(name: str) -> RunConfig:
        ggpo = replace(scheduled(recipe, updates=3).ggpo, overlap=True)
        config = config_of(root, replace(recipe, name=name, ggpo=ggpo))
        cold = config_of(root, recipe).cold_start_checkpoints
        shutil.copytree(root / cold, root / config.cold_start_checkpoints)
        return config

    def told(config: RunConfig) -> list[tuple[int, int, float, int]]:
        lines = map(json.loads, (root / config.metrics / "ggpo.jsonl").read_text().splitlines())
        return [
            (each["update"], each["staleness"], each["mean_reward"], each["num_segments"]) for each in lines
        ]

    straight, ended = prepared("straight"), prepared("ended")
    ggpo_run.train(straight, Heard())
    with pytest.raises(KeyboardInterrupt):
        ggpo_run.train(ended, Killed())
    made_ahead = root / ended.rollouts / "update-00003.parquet"
    written = made_ahead.stat().st_mtime_ns
    heard = Heard()
    ggpo_run.train(ended, heard)
    assert "resuming after update 2" in heard.lines
    assert made_ahead.stat().st_mtime_ns == written  # not drawn again
    assert [line[:2] for line in told(straight)] == [(0, 0), (1, 1), (2, 1)]
    assert told(ended) == told(straight)
    assert weights_fingerprint(
        load(root / ended.ggpo_checkpoints / "000003").model.state_dict()
    ) == weights_fingerprint(load(root / straight.ggpo_checkpoints / "000003").model.state_dict())


def test_a_checkpoint_whose_rollouts_made_ahead_are_gone_is_refused(tmp_path: Path):
    kept = {"ahead": {"spent": 4, "version": 1, "failed": 0, "dropped": 0, "rollouts": 4}}
    with pytest.raises(
        ValueError, match=r"goes on with the rollouts in .*update-00003.parquet, which is missing"
    ):
        prefetch.load(kept, tmp_path, 2)


def test_every_method_answers_the_same_unseen_questions(root: Path, recipe: Recipe, evaluated: Heard):
    config, storage = config_of(root, recipe), Storage(root)
    expected = {task.id for task in tasks_of_split(storage, "test", per_dataset=2)}
    made = manifest.read(storage, config.trajectories)
    assert dict(made.counts) == {
        name: len(expected) * (SAMPLES if METHODS[name].is_sampled else 1)
        for name in recipe.evaluation.methods
    }
    folder = root / manifest.folder_of(config.trajectories, made)
    for method in recipe.evaluation.methods:
        stored = list(trajectory_store.read(folder / f"{method}.parquet"))
        assert {trajectory.task.id for trajectory in stored} == expected
        assert all(trajectory.correct is not None for trajectory in stored)


@pytest.mark.timeout(300)
def test_methods_that_answer_side_by_side_answer_the_same(root: Path, recipe: Recipe, evaluated: Heard):
    methods = ("closed_book", "vanilla", "cold_start")
    options = replace(recipe.evaluation, methods=methods, workers=2)
    config, storage = config_of(root, replace(recipe, evaluation=options)), Storage(root)
    context = RunContext.open(storage, config.recipe)
    weights = checkpoint.latest(root / config.cold_start_checkpoints)
    assert weights is not None
    found = dict(side_by_side(config, context, {"cold_start": weights}, root / config.metrics))
    folder = root / manifest.folder_of(config.trajectories, manifest.read(storage, config.trajectories))
    assert tuple(found) == methods
    for name, result in found.items():
        alone = {each.task.id: each for each in trajectory_store.read(folder / f"{name}.parquet")}
        assert {each.task.id: each.answer for each in result.evaluation.trajectories} == {
            question: each.answer for question, each in alone.items()
        }
        assert {each.correct for each in result.evaluation.trajectories} <= {True, False}
        assert result.tally == JudgeCounts()


def test_test_questions_are_of_worlds_that_training_never_saw(root: Path):
    storage = Storage(root)
    ids = [{task.id for task in tasks_of_split(storage, split)} for split in ("train", "val", "test")]
    assert all(ids)
    assert not ids[0] & ids[1] and not ids[0] & ids[2] and not ids[1] & ids[2]


def test_the_evaluation_compares_what_the_claims_are_about(root: Path, recipe: Recipe, evaluated: Heard):
    document = json.loads((root / config_of(root, recipe).metrics / "evaluation.json").read_text())
    pairs = [(each["before"], each["after"]) for each in document["comparisons"]]
    assert pairs == [
        ("closed_book", "cold_start"),
        ("vanilla", "cold_start"),
        ("cold_start", "ggpo"),
        ("cold_start_sampled", "ggpo_sampled"),
    ]
    asked = {(pair["questions"]) for pair in document["comparisons"]}
    assert asked == {document["questions"]}  # however many answers each has
    assert {row["dataset"] for method in document["methods"] for row in method["datasets"]} == set(DATASETS)
    assert [(each["method"], each["against"]) for each in document["savings"]] == [
        (name, "cold_start") for name in ("closed_book", "vanilla", "ggpo")
    ]
    spent = {method["name"]: method["spending"] for method in document["methods"]}
    assert spent["closed_book"]["repeats_by_search"] == []  # it never searches
    assert spent["vanilla"]["tokens"]["low"] > 0
    assert set(evaluated.metadata) >= {"accuracy_ggpo", "gain_ggpo_over_cold_start", "questions", "index"}


def test_the_report_shows_every_method_and_curve(root: Path, recipe: Recipe, evaluated: Heard):
    heard, config = Heard(), config_of(root, recipe)
    report_run.run(config, heard)
    page = (root / config.report / "index.html").read_text()
    for text in (
        "closed book",
        "vanilla RAG",
        "VimRAG, cold start",
        "VimRAG, GGPO",
        "hotpotqa",
        "squad",
        "<svg",
        "Tokens and repeated searches",
    ):
        assert text in page
    assert any("VimRAG, cold start -> VimRAG, GGPO" in line for line in heard.lines)
    assert heard.metadata["page"] == str(root / config.report / "index.html")


def test_dagster_records_what_the_subprocess_reported(root: Path, recipe: Recipe, evaluated: Heard):
    defs = build_defs(resource_overrides={"storage": Storage(root), "recipe": recipe})
    job = dg.define_asset_job("report_only", selection=["report"])
    resolved = dg.Definitions.merge(defs, dg.Definitions(jobs=[job])).resolve_job_def("report_only")
    result = resolved.execute_in_process()
    (event,) = result.get_asset_materialization_events()
    assert event.materialization.metadata["page"].value == str(
        root / config_of(root, recipe).report / "index.html"
    )
    graph = event.materialization.metadata["graph"]
    assert isinstance(graph, dg.MarkdownMetadataValue) and graph.md_str is not None
    encoded = graph.md_str.removeprefix("![memory graph](data:image/svg+xml;base64,").removesuffix(")")
    drawing = ElementTree.fromstring(b64decode(encoded))
    assert drawing.get("class") == "memory-graph"


def test_a_step_that_comes_too_early_says_which_job_is_missing(tmp_path: Path, recipe: Recipe):
    with pytest.raises(ValueError, match="run the job cold_start first"):
        ggpo_run.train(config_of(tmp_path, recipe), Heard())
    with pytest.raises(ValueError, match="run the job evaluate first"):
        report_run.run(config_of(tmp_path, recipe), Heard())


def test_a_run_that_goes_on_is_still_held_to_the_cold_start_it_began_with(
    root: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
):
    held = replace(
        recipe, ggpo=replace(recipe.ggpo, algorithm=replace(recipe.ggpo.algorithm, kl_coefficient=0.1))
    )
    config = RunConfig(root=str(root), name="held", recipe=held)
    shutil.copytree(
        root / config_of(root, recipe).cold_start_checkpoints, root / config.cold_start_checkpoints
    )
    ggpo_run.train(config, Heard())
    (record,) = read_metrics(root / config.metrics / "ggpo.jsonl")
    assert record["divergence"] == pytest.approx(0.0, abs=1e-6)  # from itself

    loaded = []
    monkeypatch.setattr(
        ggpo_run, "load", lambda path, **more: loaded.append(path.parent.name) or load(path, **more)
    )
    longer = scheduled(held, updates=2)
    ggpo_run.train(replace(config, recipe=longer), Heard())
    assert loaded == ["held-ggpo", "held-cold-start"]


def test_a_run_that_learns_nothing_ends_red_with_the_cause_and_keeps_its_checkpoint(
    root: Path, recipe: Recipe
):
    # the random model is never right: the rewards of every question are equal
    barren = scheduled(recipe, updates=4)
    barren = replace(barren, name="barren", ggpo=replace(barren.ggpo, watch=WatchLimits(patience=3)))
    config = config_of(root, barren)
    shutil.copytree(
        root / config_of(root, recipe).cold_start_checkpoints, root / config.cold_start_checkpoints
    )
    with pytest.raises(TrainingStoppedError, match=r"updates 1 to 3: nothing was trained: the rewards"):
        ggpo_run.train(config, Heard())
    assert [each["update"] for each in read_metrics(root / config.metrics / ggpo_run.METRICS)] == [0, 1, 2]
    assert max(path.name for path in (root / config.ggpo_checkpoints).iterdir()) == "000002"


class Reindexing(Heard):
    """A reporter under which the corpus changes and is indexed anew after each update, and nothing old is kept."""

    def __init__(self, storage: Storage) -> None:
        super().__init__()
        self.storage, self.versions = storage, list[str]()

    def log(self, text: str) -> None:
        if text.startswith("update") and "reward" in text:
            number = str(len(self.versions))
            write_corpus(self.storage, [item("other", f"other words {number}", dataset="toy")])
            built = build_index(self.storage, IndexSettings(keep_s=0.0))
            collect(self.storage, keep_s=0.0, unfinished_s=0.0)
            self.versions.append(built.version)
        super().log(text)


def test_re_indexings_take_nothing_from_a_training(root: Path, recipe: Recipe, tmp_path: Path):
    for name in ("raw", "corpus", "shards", "index"):
        shutil.copytree(root / name, tmp_path / name)
    config = config_of(tmp_path, replace(scheduled(recipe, updates=4), name="reindexed"))
    shutil.copytree(
        root / config_of(root, recipe).cold_start_checkpoints, tmp_path / config.cold_start_checkpoints
    )
    storage = Storage(tmp_path)
    pointer = current_index(storage)
    assert pointer
    heard = Reindexing(storage)
    ggpo_run.train(config, heard)
    assert len({pointer.version, *heard.versions}) == 5
    records = list(read_metrics(tmp_path / config.metrics / ggpo_run.METRICS))
    assert all(each["num_segments"] and not each["rollouts_failed"] for each in records), records
    collect(storage, keep_s=0.0, unfinished_s=0.0)
    assert {each.version for each in releases(storage)} == set(heard.versions[-2:])  # its own went with it
