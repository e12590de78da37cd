"""A model that reads no pictures is measured with the words of pages, on every rollout, and the row says so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from assets.miniature.writers.pdf import pdf_bytes
from memory_graph.actions import Answer, Mark, Memorize, Search, render
from tests.app.command_line import Vimrag
from tests.app.server.small_root import REPORT
from tests.servers.openai_server import Answer as Reply
from tests.servers.openai_server import Fault, OpenAIServer, Received, Spoken

QUESTIONS = ["When did the crane open?", "What opened in 1931?", "Which year is told of the crane?"]
pytestmark = pytest.mark.timeout(600)  # of a machine that others keep busy


@pytest.fixture
def root(vimrag: Vimrag, tmp_path: Path) -> Path:
    (tmp_path / "harbour.pdf").write_bytes(pdf_bytes(REPORT, width=300, height=200))
    lines = [{"question": each, "answer": "1931", "file": "harbour.pdf", "page": 2} for each in QUESTIONS]
    (tmp_path / "questions.jsonl").write_text("\n".join(map(json.dumps, lines)))
    where = ("--root", tmp_path / "root")
    assert vimrag("ingest", tmp_path / "harbour.pdf", *where).code == 0
    assert vimrag("questions", "add", tmp_path / "questions.jsonl", *where).code == 0
    assert vimrag("questions", "build", *where).code == 0
    return tmp_path / "root"


class TextOnly(OpenAIServer):
    """Searches, notes, answers from the words of the page; of pictures it says what ``refusal`` says."""

    def __init__(self, refusal: Reply) -> None:
        super().__init__()
        self.refusal = refusal

    def respond(self, received: Received) -> Reply:
        if received.images:
            return self.refusal
        last = received.text.rpartition("Memory graph")[2] or received.text
        if "n1 <-" in last:
            act = Answer(parents=("n1",), text="1931" if "opened in 1931" in received.text else "unknown")
        elif len(received.messages) > 2:
            act = Memorize(
                id="n1", summary="see the page", marks=(Mark(1, True, 5), Mark(2, True, 3), Mark(3, True, 3))
            )
        else:
            act = Search(id="n1", parents=("root",), query="crane opened")
        return Spoken(text=f"<think>Reading.</think>{render(act)}")


@pytest.mark.parametrize(
    "refusal",
    [
        Fault(status=400, body={"error": {"message": "unknown variant `image_url`, expected `text`"}}),
        Spoken(text="I cannot see images."),
    ],
    ids=["refuses pictures", "drops pictures"],
)
def test_it_is_shown_words_from_the_first_rollout_on_and_counted(vimrag: Vimrag, root: Path, refusal: Reply):
    where = ("evaluate", "--root", root, "--name", "blind", "--concurrency", 3)
    with TextOnly(refusal) as server:
        told = vimrag(*where, "--endpoint", server.base_url)
        assert [len(each.images) for each in server.requests if each.images] == [1]  # the probe, and no other
        again = vimrag(*where, "--endpoint", server.base_url, "--json").json
    arm = again["memories"]["vimrag"]
    [score] = arm["datasets"]
    assert (score["scored"], score["failed"], score["correct"]) == (3, 0, 3)
    assert (arm["pictures_as_words"], again["spent_now"]["rollouts"]) == (3, 0)
    assert told.code == 0 and "3 of 3 rollouts were shown words for pictures" in " ".join(told.err.split())
    assert vimrag("export", "blind", "--root", root, "--to", root / "report").code == 0
    assert "words for pictures: the model reads none" in (root / "report/report.md").read_text()
