"""``vimrag ask``: from a stranger's own PDF to a cited answer, and every way in which there is none."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from app.answers.terminal import TerminalReader
from app.cli import main
from assets.miniature.writers.pdf import pdf_bytes
from memory_graph.actions import Search, render
from model.agent.events import ModelReply, TokenDelta
from model.rl import trajectory_store
from model.training import checkpoint
from model.types import Completion
from tests.app.server.reader_model import ANSWER, QuietServer, reply
from tests.app.server.small_root import REPORT
from tests.servers.openai_server import OpenAIServer

REPOSITORY = Path(__file__).resolve().parents[2]
QUESTION = "When did the crane open?"
VARIABLES = (
    "VIMRAG_ROOT",
    "VIMRAG_MODEL",
    "VIMRAG_ENDPOINT",
    "VIMRAG_API_KEY",
    "OPENAI_API_KEY",
    "VIMRAG_DEBUG",
)
SHIPPED = REPOSITORY / "checkpoints" / "miniature"


class Said(NamedTuple):
    code: int
    out: str
    err: str


Vimrag = Callable[..., Said]


@pytest.fixture
def vimrag(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Vimrag:
    """Runs a command line in this process."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "100")

    def run(*arguments: object) -> Said:
        capfd.readouterr()
        code = main([str(argument) for argument in arguments])
        return Said(code, *capfd.readouterr())

    return run


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("mine") / "harbour.pdf"
    path.write_bytes(pdf_bytes(REPORT, width=300, height=200))
    return path


@pytest.fixture(scope="module")
def root(report: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first of the two commands."""
    folder = tmp_path_factory.mktemp("asked") / "root"
    assert main(["ingest", str(report), "--root", str(folder), "--json"]) == 0
    return folder


@pytest.fixture(scope="module")
def model() -> Iterator[OpenAIServer]:
    with QuietServer(reply) as server:
        yield server


def test_a_strangers_pdf_is_answered_with_its_page_in_the_second_command(
    vimrag: Vimrag, root: Path, model: OpenAIServer
):
    said = vimrag("ask", QUESTION, "--root", root, "--endpoint", model.base_url)
    assert said.code == 0
    lines = said.out.splitlines()
    assert lines[0] == f"{ANSWER} [1]"
    assert lines[2] == "Sources" and lines[3].startswith(
        "  [1] harbour.pdf page 2  documents:page:harbour-pdf-"
    )
    assert "crane opened" in said.out and "It opened in 1931." in said.out  # the graph
    assert lines[-1].startswith("3 calls · 1 search · ") and "cost" not in lines[-1]


def test_reasoning_and_steps_are_told_on_the_other_stream(vimrag: Vimrag, root: Path, model: OpenAIServer):
    said = vimrag("ask", QUESTION, "--root", root, "--endpoint", model.base_url)
    assert said.err.splitlines() == [
        "I have to look it up.",
        "  search n1 ← root: crane opened  (3 found, 3 new)",
        "The first one says it.",
        "  noted  n1: It opened in 1931.  (1 useful)",
        "I know enough.",
    ]


def test_as_json_it_is_one_object_and_nothing_else(vimrag: Vimrag, root: Path, model: OpenAIServer):
    arguments = (
        "ask",
        QUESTION,
        "--root",
        root,
        "--endpoint",
        model.base_url,
        "--prices",
        "1000,2000",
        "--json",
    )
    said = vimrag(*arguments)
    assert said.code == 0 and said.err == "" and said.out.count("\n") == 1
    found = json.loads(said.out)
    assert set(found) == {
        *(
            "question",
            "answer",
            "outcome",
            "citations",
            "claims",
            "nodes",
            "counters",
            "seconds",
            "cost",
            "tokens_estimated",
            "sees_pictures",
            "notices",
            "model",
            "index",
        ),
    }
    assert (found["question"], found["answer"], found["outcome"]) == (QUESTION, ANSWER, "answered")
    assert (found["citations"][0]["page"], found["model"]) == (2, "test-model")
    [claim] = found["claims"]
    assert (claim["text"], claim["verdict"], claim["citation"]) == (ANSWER, "supported", 1)
    assert "opened in 1931" in claim["quote"] and found["citations"][0]["number"] == 1
    counters = found["counters"]
    # 1,000 and 2,000 for a million tokens
    assert found["cost"] == pytest.approx(
        counters["prompt_tokens"] / 1000 + counters["completion_tokens"] / 500
    )


def test_a_saved_trajectory_is_the_whole_rollout(
    vimrag: Vimrag, root: Path, model: OpenAIServer, tmp_path: Path
):
    path = tmp_path / "kept" / "one.parquet"
    command = ("ask", QUESTION, "--root", root, "--endpoint", model.base_url, "--save", path)
    assert vimrag(*command).code == 0
    [kept] = trajectory_store.read(path)
    assert (kept.task.question, kept.answer, len(kept.segments)) == (QUESTION, ANSWER, 2)
    again = vimrag(*command)
    assert again.code == 2 and "nothing is overwritten" in again.err


def test_the_key_goes_to_the_endpoint_and_nowhere_else(
    vimrag: Vimrag, root: Path, monkeypatch: pytest.MonkeyPatch
):
    with QuietServer(reply, key="sk-quiet") as locked:
        refused = vimrag("ask", QUESTION, "--root", root, "--endpoint", locked.base_url)
        assert refused.code == 1 and "VIMRAG_API_KEY" in refused.err and refused.err.count("\n") == 1
        monkeypatch.setenv("VIMRAG_API_KEY", "sk-wrong")
        wrong = vimrag("ask", QUESTION, "--root", root, "--endpoint", locked.base_url)
        assert wrong.code == 1 and "refused" in wrong.err and "sk-wrong" not in wrong.err + wrong.out
        monkeypatch.setenv("VIMRAG_API_KEY", "sk-quiet")
        right = vimrag("ask", QUESTION, "--root", root, "--endpoint", locked.base_url)
        assert right.code == 0 and "sk-quiet" not in right.err + right.out


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--endpoint", "http://127.0.0.1:9/v1"], 1, "is the server running?"),
        (["--endpoint", "{url}", "--model", "other"], 1, "there is no model 'other'; there are: test-model"),
        (["--endpoint", "here"], 1, "looks like http://"),
        ([], 2, "no model: give --endpoint URL"),
        (["--model", "{tmp}/none"], 2, "no checkpoint folder"),
        (["--endpoint", "{url}", "--memory", "vimrga"], 2, "did you mean 'vimrag'?"),
        (["--endpoint", "{url}", "--datasets", "squad"], 2, "it holds documents"),
        (["--endpoint", "{url}", "--datasets", ","], 2, "names no dataset"),
        (["--endpoint", "{url}", "--prices", "cheap"], 2, "two numbers"),
        (["--endpoint", "{url}", "--save", "a.json"], 2, ".parquet"),
    ],
)
def test_a_problem_is_one_line_that_says_what_to_do(
    vimrag: Vimrag,
    root: Path,
    model: OpenAIServer,
    tmp_path: Path,
    arguments: list[str],
    code: int,
    words: str,
):
    filled = [each.format(url=model.base_url, tmp=tmp_path) for each in arguments]
    said = vimrag("ask", QUESTION, "--root", root, *filled)
    assert (said.code, said.out) == (code, "")
    assert words in said.err and said.err.startswith("error: ") and said.err.count("\n") == 1


def test_without_an_index_the_command_that_makes_one_is_said(
    vimrag: Vimrag, model: OpenAIServer, tmp_path: Path
):
    said = vimrag("ask", QUESTION, "--root", tmp_path, "--endpoint", model.base_url)
    assert said.code == 2 and f"vimrag ingest FILES --root {tmp_path}" in said.err


def test_an_empty_question_is_wrong_usage(vimrag: Vimrag, root: Path):
    assert vimrag("ask", "  ", "--root", root, "--endpoint", "http://127.0.0.1:9/v1").code == 2


def test_a_model_that_never_answers_is_said_to_have_given_no_answer(vimrag: Vimrag, root: Path):
    with QuietServer('<tool_call>{"name": "answer", "arguments": {') as silent:
        said = vimrag("ask", QUESTION, "--root", root, "--endpoint", silent.base_url, "--calls", 3)
    assert said.code == 1
    assert (
        said.err.splitlines()[-1]
        == "no answer: the model gave none that could be read, in 3 calls (abstained)"
    )
    assert said.out.startswith("(no answer)")


def test_a_model_cannot_control_the_terminal(vimrag: Vimrag, root: Path):
    with QuietServer("\x1b]0;title\x07\x1b[2J look \u202e here") as rude:
        said = vimrag("ask", QUESTION, "--root", root, "--endpoint", rude.base_url, "--calls", 1)
    assert "\x1b" not in said.err + said.out and "\u202e" not in said.err + said.out and "look" in said.err


def test_a_checkpoint_of_this_machine_answers_too(vimrag: Vimrag, root: Path):
    said = vimrag("ask", QUESTION, "--root", root, "--model", SHIPPED, "--json", "--calls", 2)
    assert said.code in (0, 1)  # it was trained on another world, and may find nothing to say
    newest = checkpoint.latest(SHIPPED)
    assert newest is not None and json.loads(said.out)["model"] == f"miniature/{newest.name}"


class Written:
    def __init__(self) -> None:
        self.parts: list[str] = []

    def write(self, text: str) -> int:
        self.parts.append(text)
        return len(text)

    def flush(self) -> None:
        return


def test_reasoning_is_told_as_it_comes_and_the_action_is_not():
    text = "I look.\nThen I act. " + render(Search(id="n1", parents=("root",), query="q"))
    out = Written()
    reader = TerminalReader(out=out)  # type: ignore[arg-type]
    for character in text:
        reader.on_event(TokenDelta(call=1, text=character))
    reader.on_event(ModelReply(call=1, completion=Completion(text=text)))
    assert "".join(out.parts) == "I look.\nThen I act.\n"
    assert len(out.parts) > 10  # not all at once
