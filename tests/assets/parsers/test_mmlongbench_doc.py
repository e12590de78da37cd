"""MMLongBench-Doc: the real sample exactly; damaged documents, impossible pages and odd records by hand."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from assets.corpus.item import Modality
from infra.media._images import decode
from tests.assets.parsers.outcome import Outcome, read

PAGES = 3


def pdf(pages: int = PAGES, shade: int = 255) -> bytes:
    """A PDF of blank scanned pages."""
    images = [Image.new("RGB", (60, 80), (shade, shade, 255 - number)) for number in range(pages)]
    target = io.BytesIO()
    images[0].save(target, "PDF", save_all=True, append_images=images[1:])
    return target.getvalue()


def sample(pages: object = "[2]", **changes: Any) -> dict[str, Any]:
    return {
        "doc_id": "a.pdf",
        "doc_type": "Guidebook",
        "question": "How many?",
        "answer": "8",
        "evidence_pages": pages,
        "evidence_sources": "['Chart']",
        "answer_format": "Int",
        **changes,
    }


def parse(
    folder: Path, *samples: object, documents: dict[str, bytes] | None = None, **settings: Any
) -> Outcome:
    (folder / "documents").mkdir(exist_ok=True)
    for name, data in (documents if documents is not None else {"a.pdf": pdf()}).items():
        (folder / "documents" / name).write_bytes(data)
    (folder / "samples.json").write_text(json.dumps(samples), encoding="utf-8")
    return read("mmlongbench_doc", folder, **settings)


@pytest.fixture(scope="module")
def real(shared_data: Path) -> Outcome:
    return read("mmlongbench_doc", shared_data / "mmlongbench_doc")


def test_the_sample_holds_40_questions_on_126_pages_of_6_documents(real: Outcome):
    assert (len(real.items), len(real.questions), real.reasons) == (126, 40, {})
    assert len({item.parent for item in real.items.values()}) == 6
    assert real.evidence == {"present": 32, "unanswerable": 6, "invalid": 1, "none": 1}
    assert all(gold in real.items for question in real.questions for gold in question.gold)


def test_page_zero_of_the_sample_is_dropped_and_noted(real: Outcome):
    [question] = [question for question in real.questions if question.evidence == "invalid"]
    assert (question.text, question.notes) == ("WHAT IS ITC LIMITED LOGO COLOR?", ("pages_out_of_range:[0]",))


def test_pages_of_the_sample_are_images_with_their_text_layer(real: Outcome):
    item = real.items["mmlongbench_doc:page:watch_d.pdf#1"]
    assert (item.modality, item.title, item.position) == (Modality.IMAGE, "watch d", 1.0)
    assert "USER GUIDE" in item.text
    assert all(item.text for item in real.items.values())
    parsed = real.parsed[0]
    [(extension, data)] = parsed.media.members if parsed.media else []
    assert extension == "jpg"
    assert decode(data).size == (parsed.item.width, parsed.item.height)


def test_a_document_named_by_a_hash_is_titled_by_its_first_line(real: Outcome):
    assert real.items["mmlongbench_doc:page:936c0e2c2e6c8e0c07c51bfaf7fd0a83.pdf#9"].title.startswith(
        "Exhibit 300"
    )


def test_gold_is_document_and_page_from_one(tmp_path: Path):
    [question] = parse(tmp_path, sample("[3, 1]")).questions
    assert question.gold == ("mmlongbench_doc:page:a.pdf#1", "mmlongbench_doc:page:a.pdf#3")
    assert (question.kind, question.answers) == ("integer", ("8",))


def test_pages_out_of_range_are_dropped_and_the_question_is_kept(tmp_path: Path):
    part, none = parse(tmp_path, sample("[0, 2, 1418]"), sample("[4]")).questions
    assert (len(part.gold), part.evidence, part.notes) == (1, "present", ("pages_out_of_range:[0, 1418]",))
    assert (none.gold, none.evidence) == ((), "invalid")


def test_pages_behind_the_cap_are_missing_media_not_impossible(tmp_path: Path):
    outcome = parse(tmp_path, sample("[3]"), max_pages=2)
    assert len(outcome.items) == 2
    assert (outcome.questions[0].evidence, outcome.questions[0].notes) == (
        "media_missing",
        ("pages_unread:[3]",),
    )


def test_unanswerable_questions_have_no_gold_even_if_they_list_pages(tmp_path: Path):
    outcome = parse(
        tmp_path,
        sample("[2]", answer="Not answerable", answer_format="None"),
        sample("[]", answer="Not answerable"),
    )
    for question in outcome.questions:
        assert (question.kind, question.gold, question.evidence) == ("unanswerable", (), "unanswerable")
    assert outcome.questions[0].notes == ("unanswerable_lists_pages:[2]",)


def test_an_answerable_question_without_pages_is_kept(tmp_path: Path):
    [question] = parse(tmp_path, sample("[]", answer="0")).questions
    assert (question.evidence, question.answers) == ("none", ("0",))


def test_a_truncated_document_gives_the_pages_that_are_left_and_names_the_others(tmp_path: Path):
    whole = pdf()
    outcome = parse(tmp_path, sample(), documents={"a.pdf": whole[: len(whole) // 2], "b.pdf": pdf(2)})
    assert outcome.reasons == {"pdf_page_unreadable": 2}
    assert [each.where for each in outcome.skipped] == ["documents/a.pdf#2", "documents/a.pdf#3"]
    assert len(outcome.items) == 3
    assert outcome.questions[0].evidence == "media_missing"


def test_a_document_with_no_page_left_is_a_counted_skip_and_its_questions_stay(tmp_path: Path):
    outcome = parse(tmp_path, sample(), documents={"a.pdf": pdf()[:100], "b.pdf": pdf(2)})
    assert outcome.reasons == {"pdf_truncated": 1}
    assert outcome.skipped[0].where == "documents/a.pdf"
    assert len(outcome.items) == 2
    assert outcome.questions[0].evidence == "media_missing"


def test_a_missing_document_is_counted_once_for_all_its_questions(tmp_path: Path):
    outcome = parse(tmp_path, sample(), sample(question="And now?"), documents={})
    assert outcome.reasons == {"document_missing": 1}
    assert outcome.evidence == {"media_missing": 2}


def test_empty_and_foreign_files_among_the_documents_are_counted(tmp_path: Path):
    outcome = parse(
        tmp_path, sample(), documents={"a.pdf": pdf(), "b.pdf": b"", "c.PDF": b"<html>", "d.txt": b"x"}
    )
    assert outcome.reasons == {"pdf_empty": 1, "pdf_unreadable": 1}


def test_the_same_question_twice_is_two_questions(tmp_path: Path):
    first, second = parse(tmp_path, sample(), sample()).questions
    assert first.id != second.id
    assert first.id.rsplit("-", 1)[1] == second.id.rsplit("-", 1)[1]


def test_copies_of_a_document_have_equal_hashes_and_blank_pages_of_one_have_not(tmp_path: Path):
    white = Image.new("RGB", (60, 80), "white")
    target = io.BytesIO()
    white.save(target, "PDF", save_all=True, append_images=[white])
    items = parse(
        tmp_path, sample(), documents={"a.pdf": target.getvalue(), "b.pdf": target.getvalue()}
    ).items
    hashes = {identifier: item.content_hash for identifier, item in items.items()}
    page = "mmlongbench_doc:page:"
    assert hashes[f"{page}a.pdf#1"] == hashes[f"{page}b.pdf#1"] != hashes[f"{page}a.pdf#2"]


def test_pages_without_text_are_read_by_ocr_and_only_they(tmp_path: Path, shared_data: Path):
    read_pictures: list[Image.Image] = []

    def ocr(image: Image.Image) -> str:
        read_pictures.append(image)
        return "read by eye"

    document = (shared_data / "mmlongbench_doc/documents/watch_d.pdf").read_bytes()
    outcome = parse(tmp_path, sample(), documents={"a.pdf": pdf(), "w.pdf": document}, ocr=ocr, dpi=72)
    scanned = {identifier for identifier, item in outcome.items.items() if item.text == "read by eye"}
    assert scanned == {f"mmlongbench_doc:page:a.pdf#{number}" for number in (1, 2, 3)}
    # the real document's first page has 15 letters and digits of its own: it is read too, and its own text is more
    assert [picture.size for picture in read_pictures] == [(60, 80)] * 3 + [(596, 842)]
    assert outcome.items["mmlongbench_doc:page:w.pdf#1"].text != "read by eye"


def test_evidence_that_is_no_list_is_counted_and_the_question_kept(tmp_path: Path):
    outcome = parse(tmp_path, sample("see page five"))
    assert outcome.reasons == {"evidence_pages_malformed": 1}
    assert outcome.questions[0].evidence == "invalid"


def test_bad_records_are_counted(tmp_path: Path):
    outcome = parse(tmp_path, sample(question=""), sample(answer=None), [], sample(doc_id=None), sample())
    assert outcome.reasons == {"record_malformed": 4}
    assert outcome.questions[0].id.startswith("mmlongbench_doc:test:4-")


def test_answer_formats_become_kinds(tmp_path: Path):
    formats = ["Int", "Float", "Str", "List", "None", "Odd"]
    kinds = [
        question.kind
        for question in parse(tmp_path, *(sample(answer_format=one) for one in formats)).questions
    ]
    assert kinds == ["integer", "float", "text", "list", "unanswerable", "text"]


@pytest.mark.parametrize(
    ("asked", "file"),
    [
        ("a.pdf", "A.PDF"),
        ("caf\u00e9 b.pdf", "cafe\u0301 b.pdf"),
        ("documents/a.pdf ", "a.pdf"),
        ("A.pdf", "a.pdf"),
    ],
)
def test_a_document_is_found_however_its_name_was_copied(tmp_path: Path, asked: str, file: str):
    outcome = parse(tmp_path, sample(doc_id=asked), documents={file: pdf()})
    assert outcome.reasons == {}
    assert outcome.questions[0].gold == (f"mmlongbench_doc:page:{file}#2",)


def test_two_documents_of_one_name_are_told_apart_by_their_content(tmp_path: Path):
    (tmp_path / "documents/again").mkdir(parents=True)
    (tmp_path / "documents/other").mkdir()
    outcome = parse(
        tmp_path, sample(), documents={"a.pdf": pdf(), "again/a.pdf": pdf(), "other/a.pdf": pdf(shade=9)}
    )
    assert outcome.reasons == {"document_duplicate": 1, "document_name_conflict": 1}


def test_missing_keys_leave_a_note(tmp_path: Path):
    bare = {name: sample()[name] for name in ("doc_id", "question", "answer")}
    [question] = parse(tmp_path, bare).questions
    assert (question.evidence, question.notes, question.kind) == ("none", ("evidence_pages_absent",), "text")


def test_the_same_file_in_two_containers_is_one_set(tmp_path: Path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/train.jsonl").write_text(json.dumps(sample()) + "\n" + json.dumps(sample()))
    outcome = parse(tmp_path, sample(), sample())
    assert (len(outcome.questions), outcome.reasons) == (2, {"question_duplicate": 2})
    assert outcome.tallies == {"test": 2}
