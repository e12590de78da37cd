"""A recipe that cannot run fails in seconds, with every fault at once."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest

from assets.index.build import build_index
from assets.question_sets.build import build_question_set
from assets.question_sets.settings import QuestionSetSettings
from infra.storage.root import Storage
from orchestration.definitions import build_defs
from orchestration.preflight.run import preflight
from orchestration.preflight.types import PreflightReport
from orchestration.recipes.gpu import qwen3_vl_2b_24gb, qwen3_vl_4b_24gb
from orchestration.recipes.miniature import published_tiny
from orchestration.recipes.options import Recipe, ServedRollouts
from orchestration.recipes.requirements import Requirements
from tests.assets.question_sets.test_build import question
from tests.assets.small_corpus import item, write_corpus
from tests.servers.openai_server import Messages, OpenAIServer

SECONDS = 10.0
REPOSITORY = Path(__file__).resolve().parents[2]


def judging(messages: Messages) -> str:
    """Right about the one question that the preflight asks."""
    return "GRADE: C" if "eight legs" in json.dumps(messages) else "GRADE: I"


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    """Ten questions on ten paragraphs, half of which are trained on, and an index."""
    storage = Storage(tmp_path / "root")
    items = [item(f"p{number}", f"paragraph {number}", dataset="squad") for number in range(10)]
    asked = [question(f"d{number}", f"p{number}", split="dev") for number in range(10)]
    write_corpus(storage, items, asked, dataset="squad")
    build_index(storage)
    build_question_set(storage, QuestionSetSettings(cuts={"squad": 0.5}))
    return storage


@pytest.fixture(autouse=True)
def no_judge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VIMRAG_JUDGE_ENDPOINT", raising=False)


def names(report: PreflightReport) -> set[str]:
    return {fault.name for fault in report.faults}


def test_a_root_that_has_every_piece_passes(storage: Storage):
    report = preflight(storage, published_tiny(), probes=True)
    assert report.passed, report.in_words()
    found = {check.name: check.detail for check in report.checks}
    assert "squad" in found["questions: train"]
    assert "fingerprint" in found["index: answers"] and "10 items" in found["index"]
    assert not list(Path(storage.root).rglob(".preflight-*"))


def test_without_probes_no_store_is_opened_and_no_model_loaded(storage: Storage):
    """In a process of its own, since others have loaded both here."""
    look = (
        "import sys; from infra.storage.root import Storage; from orchestration.preflight.run import preflight\n"
        "from orchestration.recipes.miniature import published_tiny\n"
        "report = preflight(Storage(sys.argv[1]), published_tiny())\n"
        "assert report.passed, report.in_words()\n"
        "print(*sorted({'lancedb', 'onnxruntime', 'torch', 'transformers'} & sys.modules.keys()))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", look, storage.root],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout.strip()) == (0, ""), ended.stderr


@pytest.fixture
def blind() -> Iterator[OpenAIServer]:
    with OpenAIServer("Red and blue.", models=("policy",)) as server:
        yield server


def test_five_deliberate_faults_are_all_listed_within_seconds(storage: Storage, blind: OpenAIServer):
    write_corpus(
        storage, [item("p", "changed", dataset="squad")], [question("d", "p", split="dev")], dataset="squad"
    )
    recipe = replace(
        published_tiny(),
        question_set="nowhere",  # 1: no such question set, hence no questions of any split
        ggpo=replace(
            published_tiny().ggpo, served=ServedRollouts(servers=(blind.base_url,), model="policy")
        ),  # 2: a server that reads no pictures
        cold_start=replace(published_tiny().cold_start, shipped=None, base="models/absent"),  # 3: no weights
        requires=Requirements(judge_model="judge-8b"),  # 4: no judge
    )  # 5: the corpus was built anew behind the index
    began = time.process_time()
    report = preflight(storage, recipe)
    assert time.process_time() - began < SECONDS  # of processor: how busy the machine is does not count
    assert names(report) == {
        *(f"questions: {split}" for split in ("train", "val", "test")),
        f"rollouts: {blind.base_url}",
        "cold start",
        "judge",
        "index",
    }
    assert all(fault.remedy for fault in report.faults)
    words = report.in_words()
    for said in (
        "VIMRAG_JUDGE_ENDPOINT",
        "could not name the colours",
        "built anew since: squad",
        "models/absent",
    ):
        assert said in words


def test_pixels_that_are_gone_are_named(storage: Storage):
    page = item("page", "a page", dataset="slidevqa", media_key="k", width=32, height=32)
    write_corpus(storage, [page], [question("q", "page", dataset="slidevqa")], dataset="slidevqa")
    build_index(storage)
    build_question_set(storage, QuestionSetSettings(cuts={"squad": 0.5}))
    report = preflight(storage, published_tiny())
    [fault] = report.faults
    assert fault.name == "media: slidevqa" and "corpus build --datasets slidevqa" in fault.remedy


def test_the_judge_must_tell_right_from_wrong(storage: Storage, monkeypatch: pytest.MonkeyPatch):
    recipe = replace(published_tiny(), requires=Requirements(judge_model=""))
    with OpenAIServer(judging) as good, OpenAIServer("GRADE: C") as flatterer:
        monkeypatch.setenv("VIMRAG_JUDGE_ENDPOINT", good.base_url)
        assert preflight(storage, recipe).passed
        monkeypatch.setenv("VIMRAG_JUDGE_ENDPOINT", flatterer.base_url)
        [fault] = preflight(storage, recipe).faults
        assert "a wrong one right" in fault.detail
    monkeypatch.setenv("VIMRAG_JUDGE_ENDPOINT", "http://127.0.0.1:9/v1")
    assert names(preflight(storage, recipe)) == {"judge"}


def test_a_recipe_for_devices_says_what_it_lacks(storage: Storage):
    recipe = qwen3_vl_4b_24gb()
    dear = replace(recipe, requires=replace(recipe.requires, hours=1.0, embedder="local"))
    wide = replace(dear, ggpo=replace(dear.ggpo, engine=replace(dear.ggpo.engine, lora=None), ranks=2))
    report = preflight(storage, replace(wide, ggpo=replace(wide.ggpo, hostfile="nowhere")))
    assert {"devices", "hostfile", "memory", "hours", "judge", "index: embedder", "cold start"} <= names(
        report
    )


def test_the_model_of_another_recipe_in_its_folder_is_told(storage: Storage):
    recipe = qwen3_vl_2b_24gb()
    text = {"num_hidden_layers": 28, "hidden_size": 2048, "intermediate_size": 6144, "vocab_size": 151_936}
    path = f"{recipe.cold_start.base}/config.json"
    storage.write_bytes(path, json.dumps({"tie_word_embeddings": True, "text_config": text}).encode())
    [found] = [check for check in preflight(storage, recipe).checks if check.name == "cold start"]
    assert found.passed and "2,127,532,032 parameters" in found.detail
    text["hidden_size"] = 2560
    storage.write_bytes(path, json.dumps({"text_config": text}).encode())
    [found] = [check for check in preflight(storage, recipe).faults if check.name == "cold start"]
    assert "is not Qwen/Qwen3-VL-2B-Instruct: width 2560 for 2048" in found.detail and found.remedy
    storage.write_bytes(path, b"<html>")
    assert "cold start" in names(preflight(storage, recipe))


def test_looking_at_a_root_that_is_not_there_leaves_nothing(tmp_path: Path):
    report = preflight(Storage(tmp_path / "nowhere/root"), published_tiny())
    assert {"questions: train", "index"} <= names(report)
    assert not (tmp_path / "nowhere").exists()


def test_a_folder_that_cannot_be_written_is_a_fault(storage: Storage):
    folder = Path(storage.root) / "checkpoints"
    folder.write_text("a file where a folder belongs")
    assert any(name.startswith("folder: checkpoints") for name in names(preflight(storage, published_tiny())))


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_rights_are_found_out_by_writing(storage: Storage):
    folder = Path(storage.root) / "metrics"
    folder.mkdir()
    folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
    assert "folder: metrics/published_tiny" in names(preflight(storage, published_tiny()))


def test_the_training_job_begins_with_it_and_ends_red_with_all_faults(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
):
    storage.remove_tree("index")
    recipe: Recipe = replace(published_tiny(), requires=Requirements(judge_model=""))
    defs = build_defs(resource_overrides={"recipe": recipe})
    monkeypatch.setenv("VIMRAG_ROOT", storage.root)
    ended = defs.resolve_job_def("train_ggpo").execute_in_process(raise_on_error=False)
    assert not ended.success
    [failed] = [event for event in ended.all_events if event.event_type is dg.DagsterEventType.STEP_FAILURE]
    failure = failed.step_failure_data
    words = str(failure.user_failure_data.description if failure.user_failure_data else failure.error)
    assert all(
        said in words
        for said in ("* index:", "* judge:", "* cold start: no checkpoint", "vimrag index build")
    )
