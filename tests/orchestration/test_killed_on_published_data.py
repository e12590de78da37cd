"""On records that others published: a training and an evaluation that are killed outright at three points each, and end alike.

HotpotQA's and SQuAD's samples, `published_tiny` for the training, a served model for the evaluation. Minutes, so that it is asked
for: VIMRAG_KILLED_PUBLISHED=1. Skipped without the samples.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from assets.corpus.build import build_corpus
from assets.index.build import build_index
from assets.question_sets.build import build_question_set
from assets.question_sets.settings import QuestionSetSettings
from infra.storage.root import Storage
from memory_graph.actions import Answer, Search, render
from orchestration.imitation import cold_start
from orchestration.launch.run_config import RunConfig
from orchestration.recipes.miniature import published_tiny
from tests.orchestration.test_exact_resume import REPOSITORY, Run
from tests.servers.openai_server import Messages, OpenAIServer, Spoken

pytestmark = pytest.mark.skipif(
    not os.environ.get("VIMRAG_KILLED_PUBLISHED"),
    reason="takes minutes: VIMRAG_KILLED_PUBLISHED=1 asks for it",
)
DATASETS = ["hotpotqa", "squad"]
LAST = published_tiny().ggpo.schedule.updates
KILLED_AT = (1, 5, 9)  # rollouts kept
PATIENCE_S = 1800.0  # of one process; a busy machine is waited for


@pytest.fixture(scope="module")
def root(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("published")
    storage = Storage(folder)
    build_corpus(shared_data, storage, datasets=DATASETS)
    build_index(storage)
    build_question_set(storage, QuestionSetSettings(cuts=dict.fromkeys(DATASETS, 0.5)))
    return folder


def run(root: Path, name: str) -> Run:
    config = RunConfig(root=str(root), name=name, recipe=replace(published_tiny(), name=name))
    cold_start.unpack("miniature", root / config.cold_start_checkpoints)
    return Run(config, root / f"{name}.log", PATIENCE_S)


@pytest.mark.timeout(7200)
def test_a_training_that_is_killed_at_three_points_ends_as_an_undisturbed_one(root: Path):
    straight, killed = run(root, "straight"), run(root, "killed")
    straight.by_command()
    expected = straight.trace()
    assert [each["update"] for each in expected] == list(range(LAST))

    moments = [
        random.uniform(0, 0.02),
        random.uniform(0, straight.shortest_update_s() / 2),
        random.uniform(0, 0.02),
    ]
    killed.kill_while_it_writes(1, after_s=moments[0])
    killed.kill(lambda: len(killed.trace()) >= 2, after_s=moments[1])
    killed.kill_while_it_writes(LAST, after_s=moments[2])
    killed.finish()

    assert killed.trace() == expected, moments
    weights = [(each.folder / f"{LAST:06}/model.safetensors").read_bytes() for each in (straight, killed)]
    assert weights[0] == weights[1], moments
    rollouts = [sorted((root / each.config.rollouts).glob("*.parquet")) for each in (straight, killed)]
    assert [path.name for path in rollouts[0]] == [path.name for path in rollouts[1]]
    for one, other in zip(*rollouts, strict=True):
        assert one.read_bytes() == other.read_bytes(), (one.name, moments)


def reply(messages: Messages) -> Spoken:
    """A search, then an answer; both are functions of the prompt alone."""
    text = json.dumps(messages)
    mark = hashlib.sha256(text.encode()).hexdigest()[:6]
    said = (
        render(Answer(parents=("root",), text=f"answer {mark}"))
        if "<search_results>" in text or len(messages) > 3 or int(mark, 16) % 3
        else render(Search(id="n1", parents=("root",), query=f"who {mark}"))
    )
    return Spoken(text=f"<think>{mark}</think>{said}", tokens=(len(text) // 4, 20))


def evaluate(root: Path, server: OpenAIServer, name: str) -> subprocess.Popen[bytes]:
    command = [
        sys.executable,
        "-m",
        "app.cli",
        "evaluate",
        "--root",
        str(root),
        "--endpoint",
        server.base_url,
    ]
    command += ["--questions", "3", "--memory", "vimrag,react", "--concurrency", "2", "--name", name]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    return subprocess.Popen(
        command, cwd=REPOSITORY, env=environment, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )


@pytest.mark.timeout(7200)
def test_an_evaluation_that_is_killed_at_three_points_leaves_the_same_bytes(root: Path):
    with OpenAIServer(reply) as server:
        assert evaluate(root, server, "whole").wait(PATIENCE_S) == 0
        kept = root / "evaluations/killed/rollouts"
        for least in KILLED_AT:
            process, deadline = evaluate(root, server, "killed"), time.monotonic() + PATIENCE_S
            while len(list(kept.rglob("*.parquet"))) < least and process.poll() is None:
                assert time.monotonic() < deadline
                time.sleep(0.002)
            process.send_signal(signal.SIGKILL)
            process.wait()
        assert evaluate(root, server, "killed").wait(PATIENCE_S) == 0
    for name in ("evaluation.json", "answers.jsonl", "settings.json"):
        whole, killed = ((root / "evaluations" / each / name).read_bytes() for each in ("whole", "killed"))
        assert whole == killed, name
    told = json.loads((root / "evaluations/whole/evaluation.json").read_text())
    assert told["spent"]["rollouts"] == 12
