"""The semantic filter: a question stays if its gold clips answer it, and nothing less does.

Asked in this order, and no further once one of them fails: nothing shown, all gold clips, as many other clips, each gold
clip alone. Only the first costs no pictures.
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import NamedTuple

from assets.xvbench_builder.protocols import Answerer, AnswerGrader
from assets.xvbench_builder.records import Candidate, CandidateRejected, Check, ClipFile, Condition, Draft


class _Wanted(NamedTuple):
    condition: Condition
    shown: Sequence[ClipFile]


def distractors(draft: Draft, candidate: Candidate) -> tuple[ClipFile, ...]:
    """As many clips as are gold, none of them gold; fewer, or none, where the folder has no more."""
    others = [clip for clip in (*candidate.offered, *candidate.spare) if clip not in draft.gold]
    return tuple(others[: len(draft.gold)])


async def checks(
    draft: Draft, candidate: Candidate, answerer: Answerer, grader: AnswerGrader
) -> AsyncIterator[Check]:
    """Every check as it is made; ``verdict`` tells what it means. Raises ``EndpointError``, ``MediaError``."""
    for condition, shown in _wanted(draft, candidate):
        answer = await answerer.answer(draft.question, shown)
        correct = await grader.grade(draft.question, draft.answer, answer) if answer else None
        yield Check(condition=condition, shown=tuple(shown), answer=answer, correct=correct)


def verdict(check: Check) -> None:
    """Let a check pass.

    Raises:
        Rejected: ``gold_not_enough``; ``answerable_closed_book``, ``answerable_from_distractors``,
            ``answerable_from_single``; ``answer_missing`` and ``grade_missing``, which prove nothing either way.
    """
    names = ", ".join(clip.name for clip in check.shown)
    if check.correct is None:
        raise CandidateRejected(
            "grade_missing" if check.answer else "answer_missing", f"{check.condition}: {names}"
        )
    if check.condition is Condition.GOLD and not check.correct:
        raise CandidateRejected("gold_not_enough", check.answer)
    if check.condition is not Condition.GOLD and check.correct:
        how = "closed_book" if check.condition is Condition.CLOSED_BOOK else f"from_{check.condition}"
        raise CandidateRejected(f"answerable_{how}", names)


def _wanted(draft: Draft, candidate: Candidate) -> Iterator[_Wanted]:
    yield _Wanted(Condition.CLOSED_BOOK, ())
    yield _Wanted(Condition.GOLD, draft.gold)
    if others := distractors(draft, candidate):
        yield _Wanted(Condition.DISTRACTORS, others)
    for clip in draft.gold:
        yield _Wanted(Condition.SINGLE, (clip,))
