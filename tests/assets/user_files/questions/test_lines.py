"""A JSONL of questions, line by line: what is read, and every fault by its number."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.corpus.question import EvidenceStatus
from assets.corpus.read import read_questions
from assets.miniature.writers.pdf import PdfPageSpec, pdf_bytes
from assets.user_files import ledger
from assets.user_files.ingest import ingest
from assets.user_files.questions.add import BadLinesError, add_questions
from assets.user_files.questions.lines import ReadLines, read_lines
from infra.storage.root import Storage
from tests.assets.small_corpus import CountingEmbedder


@pytest.fixture(scope="module")
def docs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docs")
    for name, pages in (("harbour.pdf", 3), ("budget.pdf", 2)):
        specs = tuple(
            PdfPageSpec(lines=(f"{name} page {page} says {page}00.",)) for page in range(1, pages + 1)
        )
        (folder / name).write_bytes(pdf_bytes(specs, width=300, height=40))
    (folder / "sub").mkdir()
    (folder / "sub/budget.pdf").write_bytes(
        pdf_bytes((PdfPageSpec(lines=("another",)),), width=300, height=40)
    )
    return folder


@pytest.fixture(scope="module")
def storage(docs: Path, tmp_path_factory: pytest.TempPathFactory) -> Storage:
    storage = Storage(tmp_path_factory.mktemp("root"))
    ingest([docs], storage, embedder=CountingEmbedder())
    return storage


def read(storage: Storage, *told: object) -> ReadLines:
    lines = [each if isinstance(each, bytes) else json.dumps(each).encode() for each in told]
    return read_lines(lines, storage, ledger.read(storage))


RIGHT = {"question": "What does it say?", "answer": "300", "file": "harbour.pdf", "page": 3}


def test_a_right_line_is_a_question(storage: Storage):
    [found] = read(storage, RIGHT, b"", b"  \n").questions
    assert (found.answers, found.pages, found.split, found.kind) == (("300",), (3,), "test", "text")
    assert found.file.endswith("/harbour.pdf")


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (b"{", "no JSON"),
        (b"[1]", "one object, not list"),
        (b'{"question": "' + b"[" * 100_000, "no JSON"),
        ({"answer": "x"}, "question is empty"),
        ({"question": " ", "answer": "x"}, "question is empty"),
        ({"question": "q"}, "answer is empty"),
        ({"question": "q", "answer": ""}, "answer is empty"),
        ({"question": "q", "answers": []}, "answers is empty"),
        ({"question": "q", "answers": ["x"] * 1000}, "1,000 answers; at most 100"),
        ({"question": "q", "answer": "x", "answers": ["y"]}, "not both"),
        ({"question": "q", "answer": {"a": 1}}, "answer is no text"),
        ({**RIGHT, "file": "harbor.pdf"}, "no file 'harbor.pdf' was ingested; did you mean 'harbour.pdf'?"),
        ({**RIGHT, "file": "budget.pdf"}, "2 files are called 'budget.pdf'"),
        ({**RIGHT, "page": 4}, "page 4 is out of range: harbour.pdf has 3 pages"),
        ({**RIGHT, "page": 0}, "whole numbers from 1"),
        ({**RIGHT, "page": 1.5}, "whole numbers from 1"),
        ({"question": "q", "answer": "x", "page": 1}, "need a file"),
        ({"question": "q", "answer": "x", "file": "harbour.pdf", "seconds": 3}, "harbour.pdf is no film"),
        ({"question": "q", "answer": "x", "file": "harbour.pdf", "seconds": [5, 2]}, "[begin, end]"),
        ({**RIGHT, "split": "dev"}, "split is one of train, val, test"),
        ({**RIGHT, "pgae": 3}, "unknown field 'pgae'; did you mean 'page'?"),
        ({**RIGHT, "kind": "essay"}, "kind is one of"),
        ({**RIGHT, "id": "a\nb"}, "an id is a short text"),
        ({**RIGHT, "choices": "AB"}, "choices are a list"),
    ],
    ids=str,
)
def test_each_fault_is_told(storage: Storage, told: object, said: str):
    found = read(storage, RIGHT, told)
    assert len(found.questions) == 1
    assert [fault.line for fault in found.faults] == [2] * len(found.faults)
    assert any(said in fault.fault for fault in found.faults), found.faults


def test_ids_are_given_once(storage: Storage):
    found = read(storage, {**RIGHT, "id": 7}, {**RIGHT, "question": "else?", "id": "7"})
    assert found.faults[0].fault == "id '7' is that of line 1"
    assert "is that of line 1" in read(storage, RIGHT, RIGHT).faults[0].fault


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda each: st.lists(each) | st.dictionaries(st.text(), each),
)


@given(ANYTHING)
def test_no_line_breaks_the_reading(storage: Storage, told: object):
    found = read_lines([json.dumps(told).encode()], storage, {})
    assert len(found.faults) >= 1 or len(found.questions) == 1


def test_all_of_a_file_is_added_or_none_and_questions_outlive_a_file(docs: Path, tmp_path: Path):
    storage = Storage(tmp_path / "root")
    ingest([docs], storage, embedder=CountingEmbedder())
    path = tmp_path / "q.jsonl"
    whole = {
        "question": "What is it about?",
        "answer": "a crane",
        "file": str(docs / "sub/budget.pdf"),
        "split": "train",
    }
    path.write_text("\n".join(map(json.dumps, (RIGHT, {"question": "q"}))))
    with pytest.raises(BadLinesError, match=r"nothing was added, .* has 1 faults: line 2: answer is empty"):
        add_questions(storage, path, embedder=CountingEmbedder())
    assert list(read_questions(storage, "documents")) == []
    path.write_text(
        "\n".join(map(json.dumps, (RIGHT, whole, {"question": "Who?", "answer": "Not answerable"})))
    )
    added = add_questions(storage, path, embedder=CountingEmbedder())
    assert (added.added, added.splits, added.without_file) == (3, {"test": 2, "train": 1}, 1)
    by_text = {question.text: question for question in read_questions(storage, "documents")}
    assert by_text["What does it say?"].gold[0].endswith("#3") and len(by_text["What does it say?"].gold) == 1
    assert by_text["Who?"].evidence is EvidenceStatus.UNANSWERABLE
    with pytest.raises(BadLinesError, match="added before"):
        add_questions(storage, path, embedder=CountingEmbedder())
    ingest([], storage, forget=[docs / "harbour.pdf"], embedder=CountingEmbedder())
    gone = {question.text: question for question in read_questions(storage, "documents")}["What does it say?"]
    assert gone.evidence is EvidenceStatus.MEDIA_MISSING and gone.gold == ()
    with pytest.raises(ValueError, match="no files of your own"):
        add_questions(Storage(tmp_path / "other"), path)
