"""A cold start that goes on from a model that is there, by a teacher or by right rollouts of its own; killed and resumed."""

from __future__ import annotations

import os
import shutil
import signal
from dataclasses import replace
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest

from assets.miniature import lexicon
from infra.storage.root import Storage
from model.imitation.tiny.tokenizer import build_tokenizer
from model.policies.chat_template import PromptEncoder
from model.policies.fingerprint import weights_fingerprint
from model.training import checkpoint
from orchestration.imitation import cold_start
from orchestration.joins import grading
from orchestration.joins.adapters import read_plans, tasks_of_split
from orchestration.joins.agents import RunContext, load
from orchestration.launch.commands import Script, to_json
from orchestration.launch.run_config import RunConfig
from orchestration.recipes.cold_start import ColdStart, ImitationOptions, RejectionSampling, TeacherOptions
from orchestration.recipes.options import Recipe
from orchestration.runs import main
from tests.orchestration.run_scene import (
    Heard,
    cold_start_reported,
    config_of,
    recipe,
    root,
    shipped,
)
from tests.orchestration.scripted_teacher import ScriptedTeacher, script
from tests.warm import elsewhere, start

__all__ = ["recipe", "root", "shipped"]  # fixtures

BRIEF = ImitationOptions(steps=2, batch_size=2)


@pytest.fixture(autouse=True)
def no_judge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(grading.ENDPOINT, raising=False)


@pytest.fixture(scope="module")
def said(root: Path, recipe: Recipe) -> dict[str, str]:
    storage = Storage(root)
    world, encoder = RunContext.open(storage, recipe), PromptEncoder(build_tokenizer(lexicon.all_fragments()))
    return script(world, encoder, tasks_of_split(storage, "train"), read_plans(storage))


def planned(root: Path, recipe: Recipe, name: str, plan: ColdStart) -> RunConfig:
    return config_of(root, replace(recipe, name=name, cold_start=plan))


def from_elsewhere(root: Path, shipped: Path) -> ColdStart:
    """A start from a model folder below the root."""
    ours = shutil.ignore_patterns("manifest.json", "progress.json", "state")  # makers publish none of these
    target = root / "models" / "random"
    shutil.copytree(shipped / "random" / "000000", target, ignore=ours, dirs_exist_ok=True)
    return ColdStart(shipped=None, base="models/random")


def test_a_model_from_elsewhere_is_taught_under_the_engine(
    root: Path, recipe: Recipe, shipped: Path, said: dict[str, str]
):
    with ScriptedTeacher(said) as server:
        teacher = TeacherOptions(endpoint=server.base_url, imitation=BRIEF)
        plan = replace(from_elsewhere(root, shipped), teacher=teacher)
        config, heard, again = planned(root, recipe, "taught", plan), Heard(), Heard()
        cold_start.run(config, heard)
        asked = len(server.requests)
        cold_start.run(config, again)
        assert len(server.requests) == asked
    (path,) = (root / config.cold_start_checkpoints).glob("[0-9]*")
    assert path.name == "000001" and checkpoint.read(path).score is not None
    assert heard.metadata["teacher"]["kept"] > 0
    assert heard.metadata["teacher"]["all_runs"]["replies"] == asked
    assert again.metadata == heard.metadata and again.lines == ["going on after teacher"]
    taught, before = load(path).model, load(shipped / "random" / "000000").model
    assert weights_fingerprint(taught.state_dict()) != weights_fingerprint(before.state_dict())


def test_a_taught_policy_that_is_refused_too_often_ends_the_run_and_going_on_is_no_way_out(
    root: Path, recipe: Recipe, shipped: Path, said: dict[str, str]
):
    heard = Heard()
    with ScriptedTeacher(said) as server:
        teacher = TeacherOptions(endpoint=server.base_url, imitation=BRIEF)
        plan = replace(from_elsewhere(root, shipped), teacher=teacher, most_refused=0.0)
        further = replace(plan, rejection=RejectionSampling(samples=1))
        for each in (plan, plan, further):
            with pytest.raises(ValueError, match=r"replies after teacher are refused, at most 0\.0% may be"):
                cold_start.run(planned(root, recipe, "unruly", each), heard)
    config = planned(root, recipe, "unruly", plan)
    (path,) = (root / config.cold_start_checkpoints).glob("[0-9]*")
    refused = checkpoint.manifest_of(path)["params"]["refused"]
    assert 0 < refused <= 1
    assert checkpoint.read(path).data_order["stages"]["teacher"]["refused"] == refused
    assert heard.lines.count("going on after teacher") == 2
    cold_start.run(planned(root, recipe, "unruly", replace(plan, most_refused=None)), heard)
    assert heard.metadata["teacher"]["refused"] == refused


def test_adapters_that_were_taught_come_back_merged(
    root: Path, recipe: Recipe, shipped: Path, said: dict[str, str]
):
    with ScriptedTeacher(said) as server:
        teacher = TeacherOptions(
            endpoint=server.base_url, imitation=replace(BRIEF, lora_rank=2, learning_rate=1e-2)
        )
        config = planned(root, recipe, "adapted", replace(from_elsewhere(root, shipped), teacher=teacher))
        cold_start.run(config, Heard())
    found = load(root / config.cold_start_checkpoints / "000001").model.state_dict()
    before = load(shipped / "random" / "000000").model.state_dict()
    assert found.keys() == before.keys()
    changed = {name for name, tensor in found.items() if not tensor.equal(before[name])}
    assert changed and all("_proj" in name and "visual" not in name for name in changed)


@pytest.mark.timeout(600)
def test_a_student_from_nothing_has_the_teachers_rollouts_in_place_of_the_oracles(
    root: Path, recipe: Recipe, said: dict[str, str]
):
    with ScriptedTeacher(said) as server:
        teacher = TeacherOptions(endpoint=server.base_url)
        plan = ColdStart(shipped=None, stage_steps=1, steps=1, teacher=teacher)
        metadata = elsewhere(cold_start_reported, planned(root, recipe, "pupil", plan)).metadata
    assert metadata["checkpoint"] == "000010"
    assert metadata["teacher"]["kept"] > 0


def test_a_policy_without_a_right_rollout_is_told_so(root: Path, recipe: Recipe, shipped: Path):
    plan = replace(from_elsewhere(root, shipped), rejection=RejectionSampling(samples=1))
    config = planned(root, recipe, "hopeless", plan)
    with pytest.raises(ValueError, match="none of 4 rollouts is right"):
        cold_start.run(config, Heard())


def test_the_shipped_policy_learns_from_right_rollouts_of_its_own(root: Path, recipe: Recipe):
    rejection = RejectionSampling(
        rounds=2, samples=4, temperature=0.7, only_kept_segments=True, imitation=BRIEF
    )
    plan = ColdStart(shipped="miniature", passes=4, memories=("vimrag",), rejection=rejection)
    config, heard = planned(root, replace(recipe, max_tokens=96), "rounds", plan), Heard()
    cold_start.run(config, heard)
    one, two = heard.metadata["round 1"], heard.metadata["round 2"]
    assert one["rollouts"] == two["rollouts"] == 16 and 0 < one["kept"] <= one["right"]
    assert one["demonstrations"] > 0
    (path,) = (root / config.cold_start_checkpoints).glob("[0-9]*")
    assert checkpoint.manifest_of(path)["params"]["refused"] == two["refused"]
    folder = root / config.demonstrations
    files = {path.name: path.stat().st_mtime_ns for path in folder.glob("round-*.parquet")}
    assert len(files) == 2
    # as if the run had been killed while it learnt: the rollouts of the first round are read, not made again
    shutil.rmtree(root / config.cold_start_checkpoints)
    again = Heard()
    cold_start.run(config, again)
    assert {path.name: path.stat().st_mtime_ns for path in folder.glob("round-*.parquet")} == files
    assert again.metadata["round 2"] == two


def test_a_run_that_is_killed_while_it_asks_goes_on_without_asking_again(
    root: Path, recipe: Recipe, shipped: Path, said: dict[str, str]
):
    running: list[ForkServerProcess] = []

    def kill(number: int) -> None:
        if number == 6:
            running[0].kill()
            wait([running[0].sentinel])  # its code goes to whoever joins it first

    with ScriptedTeacher(said, before=kill) as server:
        teacher = TeacherOptions(endpoint=server.base_url, concurrency=1, imitation=BRIEF)
        config = planned(root, recipe, "killed", replace(from_elsewhere(root, shipped), teacher=teacher))
        log = root / "killed.log"
        running.append(start(main, Script.COLD_START, to_json(config), environment=os.environ, log=log))
        running[0].join()
        assert running[0].exitcode == -signal.SIGKILL, log.read_text()
        answered = server.prompts()[:5]
        heard = Heard()
        cold_start.run(config, heard)
        assert not set(answered) & set(server.prompts()[6:])
    assert heard.metadata["teacher"]["this_run"]["found"] == 5
    assert heard.metadata["teacher"]["kept"] > 0
