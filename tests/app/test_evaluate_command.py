"""``vimrag evaluate``: a served model measured on questions of one's own corpus, killed and continued, capped, and gated."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from assets.index.build import build_index
from infra.storage.root import Storage
from memory_graph.actions import Answer, render
from tests.app.command_line import Vimrag
from tests.assets.question_sets.test_build import question
from tests.assets.small_corpus import item, write_corpus
from tests.servers.openai_server import Fault, Messages, OpenAIServer, Spoken

REPOSITORY = Path(__file__).resolve().parents[2]
COLOURS = ["red", "green", "blue", "white", "black", "brown", "pink", "grey"]


def reply(messages: Messages) -> Spoken:
    """Right about every colour but one."""
    text = json.dumps(messages)
    number = next(number for number in range(len(COLOURS)) if f"gate {number}?" in text)
    said = "purple" if number == 0 else COLOURS[number]
    return Spoken(
        text=f"<think>It is painted.</think>{render(Answer(parents=('root',), text=said))}", tokens=(100, 10)
    )


@pytest.fixture
def root(tmp_path: Path) -> str:
    storage = Storage(tmp_path / "root")
    items = [item(f"p{n}", f"The gate {n} is {colour}.", dataset="squad") for n, colour in enumerate(COLOURS)]
    asked = [
        question(f"d{n}", f"p{n}", split="dev", text=f"Which colour has the gate {n}?", answers=(colour,))
        for n, colour in enumerate(COLOURS)
    ]
    write_corpus(storage, items, asked, dataset="squad")
    build_index(storage)
    return storage.root


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer(reply) as started:
        yield started


def test_a_served_model_is_measured_graded_and_compared(vimrag: Vimrag, root: str, server: OpenAIServer):
    where = ("evaluate", "--root", root, "--endpoint", server.base_url, "--memory", "vimrag,react")
    result = vimrag(*where, "--json").json
    for memory in ("vimrag", "react"):
        [score] = result["memories"][memory]["datasets"]
        assert (score["dataset"], score["scored"], score["correct"], score["failed"]) == ("squad", 8, 7, 0)
    [pair] = result["comparisons"]
    assert (pair["of"], pair["against"], pair["p_holm"], pair["difference"]["estimate"]) == (
        "vimrag",
        "react",
        1.0,
        0.0,
    )
    assert result["spent"]["rollouts"] == 16
    [folder] = (Path(root) / "evaluations").iterdir()
    answers = [json.loads(line) for line in (folder / "answers.jsonl").read_text().splitlines()]
    assert [each["answer"] for each in answers if not each["correct"]] == ["purple", "purple"]

    asked = len(server.requests)
    table = vimrag(*where, "--fail-below", "90")
    assert len(server.requests) <= asked + 2  # its model list and whether it sees, and no question again
    assert table.code == 1 and "87.5 % right is below the 90 % asked for" in table.err
    assert "87.5" in table.out and vimrag(*where, "--fail-below", "80").code == 0
    refused = vimrag(*where, "--questions", "3")
    assert refused.code == 2 and "questions differ; give --name" in refused.err


def test_a_killed_evaluation_goes_on_and_ends_as_an_undisturbed_one(
    vimrag: Vimrag, root: str, server: OpenAIServer
):
    command = [sys.executable, "-m", "app.cli", "evaluate", "--root", root, "--endpoint", server.base_url]
    command += ["--concurrency", "1", "--name", "killed"]
    kept = Path(root) / "evaluations/killed/rollouts/vimrag"
    process = subprocess.Popen(command, cwd=REPOSITORY, env={**os.environ, "PYTHONPATH": str(REPOSITORY)})
    deadline = time.monotonic() + 100
    while len(list(kept.glob("*.parquet"))) < 2 and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = len(list(kept.glob("*.parquet")))
    where = ("evaluate", "--root", root, "--endpoint", server.base_url, "--json", "--name")
    result = vimrag(*where, "killed").json
    assert result["spent_now"]["rollouts"] == 8 - before
    whole = vimrag(*where, "whole").json
    assert {**result, "spent_now": None} == {**whole, "spent_now": None}
    files = [Path(root) / "evaluations" / name for name in ("killed", "whole")]
    for name in ("evaluation.json", "answers.jsonl"):
        assert (files[0] / name).read_bytes() == (files[1] / name).read_bytes(), name


def test_what_fails_for_machines_is_unscored_and_tried_again(vimrag: Vimrag, root: str):
    def failing(messages: Messages) -> Spoken | Fault:
        return (
            Fault(status=400, body={"error": {"message": "no"}})
            if "gate 3?" in json.dumps(messages)
            else reply(messages)
        )

    where = ("evaluate", "--root", root, "--name", "odd", "--json", "--endpoint")
    with OpenAIServer(failing) as server:
        first = vimrag(*where, server.base_url).json["memories"]["vimrag"]["datasets"][0]
        assert (first["rollouts"], first["scored"], first["failed"]) == (8, 7, 1)
    with OpenAIServer(reply) as server:
        again = vimrag(*where, server.base_url).json
        assert (
            again["spent_now"]["rollouts"] == 1 and again["memories"]["vimrag"]["datasets"][0]["scored"] == 8
        )
    down = vimrag("evaluate", "--root", root, "--endpoint", "http://127.0.0.1:9/v1")
    assert down.code == 1 and "127.0.0.1:9" in down.err


def test_the_cap_ends_it_and_a_higher_one_goes_on(vimrag: Vimrag, root: str, server: OpenAIServer):
    where = ("evaluate", "--root", root, "--endpoint", server.base_url, "--concurrency", "1", "--json")
    capped = vimrag(*where, "--token-cap", "250").json
    assert (capped["spent_now"]["rollouts"], capped["left"]) == (3, 5)
    priced = vimrag(*where, "--prices", "1000,1000", "--max-cost", "0.2").json
    assert (priced["spent_now"]["rollouts"], priced["left"]) == (2, 3)
    assert vimrag(*where).json["left"] == 0
    assert "--max-cost needs --prices" in vimrag(*where, "--max-cost", "1").err
    assert "no model" in vimrag("evaluate", "--root", root).err
    assert "did you mean 'react'" in vimrag(*where, "--memory", "reakt").err


def test_what_people_say_stands_beside_the_verdict(
    vimrag: Vimrag, root: str, server: OpenAIServer, tmp_path: Path
):
    labels = tmp_path / "labels.jsonl"
    told = [{"id": f"squad:dev:d{number}", "correct": number > 1} for number in range(4)]
    labels.write_text("\n".join(map(json.dumps, told)))
    where = ("evaluate", "--root", root, "--endpoint", server.base_url, "--labels", labels)
    found = vimrag(*where, "--json").json["memories"]["vimrag"]["agreement_with_people"]
    # wrong, wrong, right, right against wrong, right, right, right
    assert (found["n"], found["accuracy"]) == (4, 0.75)
    labels.write_text('{"id": "a"}')
    assert "line 1: a label is" in vimrag(*where).err
