"""Question sets of others on the evidence of a benchmark: read as its records, under a split of their own.

Two formats are known. UniversalRAG rewords LVBench, WebQA, WikiHowQA and SyntheticQA::

    {"index": "lvbench_1128", "question": "...", "answer": "A", "time_reference": [632, 637],
     "source": "lvbench", "gt_videos": ["dataset/LVBench/videos/1FsiZgGZU70.mp4"], "gt_retrieval": "clip"}

VRAG's examples are questions on documents and decks; ``slidevqa_refined.json`` has the first wording beside::

    {"examples": [{"uid": "17", "query": "...", "reference_answer": "...", "meta_info": {
        "file_name": "some-deck_95.pdf", "reference_page": [1], "origin_query": "...",
        "query_type": "single_hop", "source_type": "single_span"}}]}

Only names are changed here, from theirs to those of the dataset; what a record means is its parser's business.
"""

from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import NamedTuple

from assets.parsers.files import fields
from assets.parsers.files.fields import MalformedRecordError

UNIVERSALRAG = frozenset({"index", "question", "gt_retrieval"})
EXAMPLE = frozenset({"query", "reference_answer", "meta_info"})
_PREFIXES = (
    "videorag_wikihow_",
    "videorag_synth_",
    "lvbench_",
    "webqa_",
)  # of an index, before the native id


class RewordedRecord(NamedTuple):
    """A record by the dataset's own names; ``split`` is "" for one that is the dataset's own."""

    split: str
    record: Mapping[str, object]


Rename = Callable[[Mapping[str, object]], Mapping[str, object]]


def worded(value: object, rename: Rename) -> RewordedRecord:
    """``value`` by the names of its dataset.

    Raises:
        MalformedRecordError: if it is no object, or a reworded record without its evidence.
    """
    record = fields.mapping(value)
    if record.keys() >= UNIVERSALRAG:
        return RewordedRecord("universalrag", rename(record))
    if record.keys() >= EXAMPLE:
        about = fields.mapping(record["meta_info"], "meta_info")
        return RewordedRecord("refined" if "origin_query" in about else "vrag", rename(record))
    return RewordedRecord("", record)


def video_question(record: Mapping[str, object]) -> Mapping[str, object]:
    """A question of LVBench, as a flat row."""
    stems = _stems(record, "gt_videos")
    return {**record, "uid": _native(record), "key": stems[0] if stems else ""}


def how_to_question(record: Mapping[str, object]) -> Mapping[str, object]:
    """A question of WikiHowQA or SyntheticQA."""
    return {
        "qid": _native(record),
        "wikihow_query_text": record.get("question"),
        "answer_text": record.get("answer"),
        "videos": _stems(record, "gt_videos"),
    }


def image_question(record: Mapping[str, object]) -> Mapping[str, object]:
    """A question of WebQA; its images are named, not described."""
    return {
        "Guid": _native(record),
        "Q": record.get("question"),
        "A": record.get("answer"),
        "Qcate": record.get("Qcate"),
        "img_posFacts": [{"image_id": stem} for stem in _stems(record, "gt_images")],
    }


def deck_question(record: Mapping[str, object]) -> Mapping[str, object]:
    """A question of SlideVQA: the deck is the document without its suffix."""
    about = fields.mapping(record.get("meta_info"), "meta_info")
    return {
        "deck_name": PurePosixPath(fields.text(about, "file_name")).name.removesuffix(".pdf"),
        "qa_id": record.get("uid"),
        "question": record.get("query"),
        "answer": record.get("reference_answer"),
        "evidence_pages": about.get("reference_page"),
    }


def document_question(record: Mapping[str, object]) -> Mapping[str, object]:
    """A question of MMLongBench-Doc."""
    about = fields.mapping(record.get("meta_info"), "meta_info")
    return {
        **about,
        "doc_id": about.get("file_name"),
        "question": record.get("query"),
        "answer": record.get("reference_answer"),
        "evidence_pages": about.get("reference_page"),
    }


def _native(record: Mapping[str, object]) -> str:
    index = fields.identifier(record, "index")
    return next((index.removeprefix(prefix) for prefix in _PREFIXES if index.startswith(prefix)), index)


def _stems(record: Mapping[str, object], name: str) -> list[object]:
    if name not in record:
        raise MalformedRecordError(f"no {name}")
    return [PurePosixPath(path).stem for path in fields.strings(fields.literal(record[name]), name)]
