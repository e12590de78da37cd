"""A served teacher's right rollouts in the student's tokens: what is kept, what it costs, what happens when it fails."""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from assets.miniature import lexicon
from infra.errors import EndpointError
from infra.storage.root import Storage
from model.imitation.stages import imitable_segments, segment_sampler
from model.imitation.tiny.tokenizer import build_tokenizer
from model.policies.chat_template import PromptEncoder
from model.rl import trajectory_store
from model.types import Task
from orchestration.imitation import distillation
from orchestration.imitation.distillation import DistillationJob, DistillationResult, distil
from orchestration.joins import grading
from orchestration.joins.adapters import read_plans, tasks_of_split
from orchestration.joins.agents import RunContext
from orchestration.launch.synced_directory import SyncedDirectory
from orchestration.recipes.cold_start import ImitationOptions, RejectionSampling, TeacherOptions
from orchestration.recipes.options import Recipe
from tests.orchestration.run_scene import recipe, root, shipped
from tests.orchestration.scripted_teacher import ScriptedTeacher, script
from tests.servers.openai_server import Fault, OpenAIServer, Spoken

__all__ = ["recipe", "root", "shipped"]  # fixtures


class Scene:
    """The training questions of the miniature and what the oracle says to each prompt."""

    def __init__(self, root: Path, recipe: Recipe) -> None:
        storage = Storage(root)
        self.world = RunContext.open(storage, recipe)
        self.encoder = PromptEncoder(build_tokenizer(lexicon.all_fragments()))
        self.tasks = tasks_of_split(storage, "train")
        plans = read_plans(storage)
        self.said = script(self.world, self.encoder, self.tasks, plans)
        self.repaired = script(self.world, self.encoder, self.tasks, plans, repair=0.5)


@pytest.fixture(scope="module")
def scene(root: Path, recipe: Recipe) -> Scene:
    return Scene(root, recipe)


@pytest.fixture(autouse=True)
def no_judge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(grading.ENDPOINT, raising=False)


def taught(
    scene: Scene, server: OpenAIServer, folder: Path, tasks: tuple[Task, ...] | None = None, **options: Any
) -> DistillationResult:
    teacher = TeacherOptions(endpoint=server.base_url, **{"concurrency": 4, "balance": None, **options})
    chosen = scene.tasks if tasks is None else tasks
    job = DistillationJob(
        world=scene.world, encoder=scene.encoder, tasks=chosen, folder=SyncedDirectory(Storage(folder), "")
    )
    return distil(teacher, job, lambda stage, done, total: None)


def test_right_rollouts_come_back_in_the_students_tokens(scene: Scene, tmp_path: Path):
    with ScriptedTeacher(scene.said) as server:
        found = taught(scene, server, tmp_path)
        assert (
            len(server.requests)
            == found.counts["this_run"]["requests"]
            == found.counts["all_runs"]["replies"]
        )
        assert found.counts["all_runs"]["prompt_tokens"] == server.prompt_tokens
        assert found.counts["all_runs"]["completion_tokens"] == server.completion_tokens
    assert found.counts["model"] == "test-model"
    assert found.counts["rollouts"] == len(scene.tasks)
    assert 0 < found.counts["kept"] == len(found.kept) <= found.counts["right"]
    assert all(each.correct and each.policy.startswith("teacher:test-model:") for each in found.kept)
    for each in found.kept:
        for call in (call for part in each.segments for call in part.calls):
            assert scene.encoder.decode(call.token_ids) == call.text
            assert call.token_ids[-1] == scene.encoder.eos_id
    sampler = segment_sampler(imitable_segments(found.kept), scene.encoder, scene.world.media)
    assert any(sampler(random.Random(0)).loss_mask)
    stored = list(trajectory_store.read(tmp_path / distillation.ROLLOUTS))
    assert len(stored) == len(scene.tasks) and set(found.kept) <= set(stored)


def test_a_teacher_that_errs_and_repairs_is_imitated_in_its_repairs_alone(scene: Scene, tmp_path: Path):
    with ScriptedTeacher(scene.repaired) as server:
        found = taught(scene, server, tmp_path)
    calls = [call for each in found.kept for part in each.segments for call in part.calls]
    assert any(call.rejected for call in calls)
    for segment in imitable_segments(found.kept):
        example = segment_sampler([segment], scene.encoder, scene.world.media)(random.Random(0))
        right = sum(len(call.token_ids) for call in segment.calls if not call.rejected)
        assert sum(example.loss_mask) == right


def test_what_was_answered_once_is_not_asked_again(scene: Scene, tmp_path: Path):
    with ScriptedTeacher(scene.said) as server:
        first = taught(scene, server, tmp_path)
        asked = len(server.requests)
        again = taught(scene, server, tmp_path)
        assert len(server.requests) == asked
    assert again.kept == first.kept
    assert again.counts["this_run"] == {
        "requests": 0,
        "retries": 0,
        "failures": 0,
        "prompt_tokens": 0,
        "completion_tokens": 0,
        "found": asked,
    }
    assert again.counts["all_runs"] == first.counts["all_runs"]


def test_wrong_answers_are_not_kept_and_without_a_right_one_the_run_says_so(scene: Scene, tmp_path: Path):
    lost = scene.tasks[0]
    words = json.dumps(lost.question)[1:-1]
    with ScriptedTeacher(
        {prompt: text for prompt, text in scene.said.items() if words not in prompt}
    ) as server:
        found = taught(scene, server, tmp_path / "half")
    assert {each.task.id for each in found.kept} == {task.id for task in scene.tasks[1:]}
    assert (found.counts["right"], found.counts["rollouts"]) == (len(scene.tasks) - 1, len(scene.tasks))
    asked = trajectory_store.read(tmp_path / "half" / distillation.ROLLOUTS)
    assert [each.answer for each in asked if each.task.id == lost.id] == ["no idea"]
    with (
        ScriptedTeacher({}) as server,
        pytest.raises(ValueError, match=r"none of the teacher's \d+ rollouts is right"),
    ):
        taught(scene, server, tmp_path / "none")
    assert (tmp_path / "none" / distillation.ROLLOUTS).exists()


def test_an_overloaded_teacher_is_asked_again_and_an_outage_ends_the_run_with_what_it_has(
    scene: Scene, tmp_path: Path
):
    def overloaded(number: int):
        return Fault(status=429, headers={"Retry-After": "0"}) if number % 3 == 0 else None

    with ScriptedTeacher(scene.said, before=overloaded) as server:
        found = taught(scene, server, tmp_path / "busy")
    assert found.counts["failed"] == 0 and found.counts["this_run"]["retries"] > 0

    def broken(number: int):
        return Fault(status=400, body={"error": {"message": "out of order"}}) if number > 4 else None

    with ScriptedTeacher(scene.said, before=broken) as server:
        with pytest.raises(
            EndpointError, match=r"rollouts failed, the first with .*out of order.*start the run again"
        ):
            taught(scene, server, tmp_path / "out", concurrency=1)
        answered = server.prompts()[:4]
    with ScriptedTeacher(scene.said) as server:
        mended = taught(scene, server, tmp_path / "out")
        assert not set(answered) & set(server.prompts())
    assert mended.kept == found.kept


def test_the_cap_holds_over_all_runs_and_what_was_not_asked_is_counted(scene: Scene, tmp_path: Path):
    with ScriptedTeacher(scene.said) as server:
        first = taught(scene, server, tmp_path, max_requests=9, concurrency=1)
        assert len(server.requests) == 9
        assert first.counts["unasked"] > 0 and first.counts["failed"] == first.counts["unasked"]
        again = taught(scene, server, tmp_path, max_requests=9, concurrency=1)
        assert len(server.requests) == 9
        assert again.kept == first.kept
        more = taught(scene, server, tmp_path, max_requests=12, concurrency=1)
        assert len(server.requests) == 12
    assert more.counts["kept"] >= first.counts["kept"]


def test_only_as_many_questions_rollouts_and_ways_as_asked_for(scene: Scene, tmp_path: Path):
    with ScriptedTeacher(scene.said) as server:
        found = taught(scene, server, tmp_path, scene.tasks[:2], samples=3, per_question=2)
        # each of three rollouts of a question draws with a seed of its own, so that none is the answer to another
        seeds = Counter(each.body["seed"] for each in server.requests)
    assert found.counts["rollouts"] == 6
    assert len(seeds) > 3
    assert found.counts["kept"] <= 2  # the three say the same: one way of answering


def test_reasoning_is_left_out_unless_it_is_wanted(scene: Scene, tmp_path: Path):
    def thinking(said: dict[str, str]) -> ScriptedTeacher:
        class Thinking(ScriptedTeacher):
            def respond(self, received):
                return Spoken(text=str(super().respond(received)), reasoning="Belodu first")

        return Thinking(said)

    with thinking(scene.said) as server:
        plain = taught(scene, server, tmp_path / "plain", scene.tasks[:3])
        thoughtful = taught(scene, server, tmp_path / "thoughtful", scene.tasks[:3], thoughts=True)
    texts = [call.text for each in plain.kept for part in each.segments for call in part.calls]
    assert texts and not any("Belodu first" in text for text in texts)
    texts = [call.text for each in thoughtful.kept for part in each.segments for call in part.calls]
    assert texts and all(text.startswith("<think>") for text in texts)


def test_the_key_goes_to_the_teacher_from_the_environment(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    with ScriptedTeacher(scene.said, key="secret-of-the-teacher") as server:
        monkeypatch.setenv("VIMRAG_API_KEY", "another")
        with pytest.raises(EndpointError) as caught:
            taught(scene, server, tmp_path, scene.tasks[:2])
        assert "secret" not in str(caught.value) and "another" not in str(caught.value)
        monkeypatch.setenv(distillation.API_KEY, "secret-of-the-teacher")
        assert taught(scene, server, tmp_path, scene.tasks[:2]).kept


def test_a_teacher_that_is_not_there_is_noticed_before_a_question_is_asked(scene: Scene, tmp_path: Path):
    teacher = TeacherOptions(endpoint="http://127.0.0.1:9/v1", model="m")
    job = DistillationJob(
        world=scene.world,
        encoder=scene.encoder,
        tasks=scene.tasks,
        folder=SyncedDirectory(Storage(tmp_path), ""),
    )
    with pytest.raises(EndpointError):
        distil(teacher, job, lambda stage, done, total: None)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "nonsense",
    [
        lambda: TeacherOptions(endpoint=""),
        lambda: TeacherOptions(endpoint="http://h/v1", memories=()),
        lambda: TeacherOptions(endpoint="http://h/v1", max_requests=0),
        lambda: TeacherOptions(endpoint="http://h/v1", samples=2, temperature=0.0),
        lambda: TeacherOptions(endpoint="http://h/v1", most_failed=1.5),
        lambda: RejectionSampling(rounds=0),
        lambda: RejectionSampling(temperature=0.0),
        lambda: RejectionSampling(demonstrations=1.0),
        lambda: ImitationOptions(learning_rate=0.0),
    ],
)
def test_nonsense_is_refused_when_it_is_written_down(nonsense):
    with pytest.raises(ValueError):
        nonsense()


def test_a_recipe_with_a_teacher_survives_the_command_line(recipe: Recipe):
    from orchestration.launch.commands import to_json
    from orchestration.launch.process import from_json
    from orchestration.launch.run_config import RunConfig

    start = replace(
        recipe.cold_start,
        teacher=TeacherOptions(endpoint="http://127.0.0.1:8000/v1"),
        rejection=RejectionSampling(only_kept_segments=True),
    )
    config = RunConfig(root="r", name="n", recipe=replace(recipe, cold_start=start))
    assert from_json(RunConfig, to_json(config)) == config
