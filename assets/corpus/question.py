"""One benchmark question with its reference answers and gold evidence.

Holds the record only; grading lives in ``grading.py``.
"""

from dataclasses import dataclass
from enum import StrEnum


class AnswerKind(StrEnum):
    """How an answer is compared; chosen by the dataset's parser."""

    TEXT = "text"
    YES_NO = "yes_no"
    CHOICE = "choice"
    INTEGER = "integer"
    FLOAT = "float"
    LIST = "list"
    LONG_FORM = "long_form"
    UNANSWERABLE = "unanswerable"


class EvidenceStatus(StrEnum):
    """Whether the gold evidence can be used to score retrieval; only PRESENT questions enter recall."""

    PRESENT = "present"
    NONE = "none"
    UNANSWERABLE = "unanswerable"
    INVALID = "invalid"
    MEDIA_MISSING = "media_missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question; ``gold`` are item ids, a set in which order carries no meaning (sorted for stable files)."""

    id: str  # dataset:split:native-id
    dataset: str
    split: str
    text: str
    answers: tuple[
        str, ...
    ]  # equally good references; empty only where the split is published without answers
    kind: AnswerKind = AnswerKind.TEXT
    choices: tuple[str, ...] = ()
    gold: tuple[str, ...] = ()
    evidence: EvidenceStatus = EvidenceStatus.PRESENT
    notes: tuple[str, ...] = ()  # flags such as "pages_out_of_range:[0]"
