"""A benchmark that came damaged, from its raw files to its figures: what is lost is counted and named, the rest is measured."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from assets.miniature.writers.pdf import PdfPageSpec, pdf_bytes
from memory_graph.actions import Answer, render
from tests.app.command_line import Vimrag
from tests.servers.openai_server import Messages, OpenAIServer, Spoken

ANSWERS = 1000
pytestmark = pytest.mark.timeout(600)  # of a machine that others keep busy


def paper(number: int, pages: str = "[1]", **changes: object) -> dict[str, Any]:
    return {
        "doc_id": f"report{number}.pdf",
        "doc_type": "Report",
        "question": f"What does report {number} cost?",
        "answer": str(number),
        "evidence_pages": pages,
        "evidence_sources": "['Pure-text (Plain-text)']",
        "answer_format": "Int",
        **changes,
    }


def squad(*qas: dict[str, object]) -> str:
    paragraphs = [{"context": "The gate was painted blue in 1931.", "qas": list(qas)}]
    return json.dumps({"version": "1.1", "data": [{"title": "Gate", "paragraphs": paragraphs}]})


def qa(id_: str, question: str, *answers: str) -> dict[str, object]:
    return {
        "id": id_,
        "question": question,
        "answers": [{"text": each, "answer_start": 0} for each in answers],
    }


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Four reports of which two are gone; questions that say nothing, stand there twice, or have a thousand answers."""
    documents = tmp_path / "raw/mmlongbench_doc/documents"
    documents.mkdir(parents=True)
    for number in (1, 2):
        specs = (PdfPageSpec(lines=(f"Report {number} costs {number} crowns.",)),)
        (documents / f"report{number}.pdf").write_bytes(pdf_bytes(specs, width=300, height=60))
    samples = [
        *(paper(number) for number in (1, 2, 3, 4)),
        paper(1),  # the same once more
        paper(2, "[]", question="Who wrote report 2?", answer="Ida", answer_format="Str"),  # no gold
        paper(
            2, "[9]", question="Who printed report 2?", answer="Bo", answer_format="Str"
        ),  # a page it does not have
        paper(2, question="And the reply?", answer="", answer_format="Str"),
    ]
    (tmp_path / "raw/mmlongbench_doc/samples.json").write_text(json.dumps(samples))
    (tmp_path / "raw/squad").mkdir()
    many = (f"{number} years" for number in range(ANSWERS - 1))
    questions = squad(
        qa("a", "Which colour?", "blue"),
        qa("a", "Which colour?", "blue"),
        qa("a", "Which year?", "1931"),  # another question of the same id
        qa("b", "How old?", *many, "ninety"),
        {**qa("c", "How tall?"), "is_impossible": False},
    )
    (tmp_path / "raw/squad/dev-v1.1.json").write_text(questions)
    return tmp_path / "raw"


def reply(messages: Messages) -> Spoken:
    text = json.dumps(messages)
    said = "blue" if "Which colour?" in text else "ninety" if "How old?" in text else "1"
    return Spoken(text=f"<think>So.</think>{render(Answer(parents=('root',), text=said))}", tokens=(10, 5))


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer(reply) as started:
        yield started


def test_what_is_lost_is_counted_and_named_and_the_rest_is_measured(
    vimrag: Vimrag, raw: Path, tmp_path: Path, server: OpenAIServer
):
    root = ("--root", tmp_path / "root")
    built = vimrag("corpus", "build", "--raw", raw, "--no-ocr", *root)
    assert built.code == 0, built.err
    for reason in ("document_missing", "question_duplicate", "question_id_conflict"):
        assert reason in built.out + built.err, (reason, built.out)
    made = vimrag("questions", "build", "--json", *root).json
    rows = {row["dataset"]: row for row in made["rows"]}
    # of the reports two are gone, a page does not exist, a reply is empty; what is asked without a page is kept
    assert rows["mmlongbench_doc"]["dropped"]["evidence: media_missing"] == 2
    assert rows["mmlongbench_doc"]["dropped"]["evidence: invalid"] == 1
    assert rows["squad"]["roles"] == {"test": 2}
    assert rows["squad"]["dropped"] == {"published without its answer": 1}
    assert vimrag("index", "build", *root).code == 0
    where = ("evaluate", "--memory", "closed_book", "--json", "--endpoint", server.base_url, *root)
    told = vimrag(*where).json["memories"]["closed_book"]
    scores = {score["dataset"]: score for score in told["datasets"]}
    assert (scores["squad"]["scored"], scores["squad"]["correct"]) == (
        2,
        2,
    )  # one of a thousand answers is enough
    papers = scores["mmlongbench_doc"]
    assert papers["scored"] == rows["mmlongbench_doc"]["roles"]["test"] and papers["failed"] == 0
    assert papers["correct"] >= 1 and told["unscored"] == {}
    again = vimrag(*where).json
    assert again["spent_now"]["rollouts"] == 0 and again["memories"]["closed_book"] == told
