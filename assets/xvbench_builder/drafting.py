"""A drafter's reply becomes a question, or the reason why not. Pure."""

import re
from collections.abc import Sequence

from assets.xvbench_builder.prompts import labels
from assets.xvbench_builder.records import CandidateRejected, ClipFile, Draft
from infra.llm.reply_json import object_in, text_of

MIN_GOLD = 2
MAX_QUESTION_CHARS, MAX_ANSWER_CHARS = 600, 300
QUOTED_CHARS = 200  # of a reply, in the provenance
_LABEL = re.compile(
    r"\bclip-?\s?\d|\bvideo-\d|\b(first|second|third|fourth|fifth|last) (clip|video)|\bcaptions?\b",
    re.IGNORECASE,
)


def read_draft(reply: str, offered: Sequence[ClipFile]) -> Draft:
    """The question in a reply.

    Raises:
        Rejected: ``draft_unparseable``, ``draft_declined``, ``draft_malformed``, ``gold_unknown``, ``gold_too_few``,
            ``gold_of_one_video`` (where others were offered), ``question_names_clips``.
    """
    found = object_in(reply)
    if found is None or "question" not in found:
        raise CandidateRejected("draft_unparseable", _quoted(reply))
    if found["question"] is None:
        raise CandidateRejected("draft_declined")
    question = text_of(found["question"], max_chars=MAX_QUESTION_CHARS)
    answer = text_of(found.get("answer"), max_chars=MAX_ANSWER_CHARS)
    if not question or not answer:
        raise CandidateRejected("draft_malformed", _quoted(reply))
    gold = _gold(found.get("clips"), offered)
    if named := _LABEL.search(question):
        raise CandidateRejected("question_names_clips", named.group())
    return Draft(question=question, answer=answer, gold=gold)


def _gold(named: object, offered: Sequence[ClipFile]) -> tuple[ClipFile, ...]:
    known = labels(offered)
    if not isinstance(named, list):
        raise CandidateRejected("draft_malformed", f"clips: {_quoted(str(named))}")
    if unknown := [name for name in named if not isinstance(name, str) or name not in known]:
        raise CandidateRejected("gold_unknown", _quoted(str(unknown[0])))
    gold = tuple(clip for name, clip in known.items() if name in named)
    if len(gold) < MIN_GOLD:
        raise CandidateRejected("gold_too_few", f"{len(gold)} clip")
    if len({clip.film for clip in gold}) == 1 and len({clip.film for clip in offered}) > 1:
        raise CandidateRejected("gold_of_one_video", gold[0].film)
    return gold


def _quoted(text: str) -> str:
    return " ".join(text.encode("utf-8", "replace").decode().split())[:QUOTED_CHARS]
