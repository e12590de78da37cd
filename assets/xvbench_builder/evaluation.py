"""One candidate through all stages: captions, draft, semantic filter.

The filter: a question stays if its gold clips answer it, and nothing less does. Asked in this order, and no further once one
of them fails: nothing shown, all gold clips, as many other clips, each gold clip alone. Only the first costs no images. What
models say decides between kept and rejected and nothing else.
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace

from assets.xvbench_builder.model import AnswerGrader, BuilderModel
from assets.xvbench_builder.prompts import read_draft
from assets.xvbench_builder.records import (
    Candidate,
    CandidateOutcome,
    CandidateRejectedError,
    Caption,
    Check,
    ClipFile,
    Condition,
    Draft,
)
from infra.errors import EndpointError, MediaError
from infra.llm.cached_client import metered
from infra.llm.errors import RequestBudgetError

ENDPOINT_FAILED = "endpoint_failed"  # asked again by the next run; every other reason is final


async def evaluate_candidate(
    candidate: Candidate, model: BuilderModel, grader: AnswerGrader
) -> CandidateOutcome:
    """What becomes of a candidate.

    Raises:
        RequestBudgetError: if it needs a request too many; nothing is decided then.
    """
    outcome = CandidateOutcome(candidate=candidate)
    reason = detail = ""
    with metered() as usage:
        try:
            async for reached in _stages(outcome, model, grader):
                outcome = reached
        except RequestBudgetError:
            raise
        except CandidateRejectedError as rejected:
            reason, detail = rejected.reason, rejected.detail
        except MediaError as error:
            reason, detail = "clip_unreadable", str(error)
        except EndpointError as error:
            reason, detail = ENDPOINT_FAILED, str(error)
    counts = {name: getattr(usage, name) for name in ("replies", "prompt_tokens", "completion_tokens")}
    return replace(outcome, reason=reason, detail=detail, **counts)


async def _stages(
    outcome: CandidateOutcome, model: BuilderModel, grader: AnswerGrader
) -> AsyncIterator[CandidateOutcome]:
    """The outcome after each step, so that what was reached is known of a candidate that goes no further."""
    offered = outcome.candidate.offered
    outcome = replace(outcome, captions=await _captions(offered, model))
    yield outcome
    draft = read_draft(await model.draft(outcome.captions), offered)
    outcome = replace(outcome, draft=draft)
    yield outcome
    for condition, shown in _conditions(draft, outcome.candidate):
        answer = await model.answer(draft.question, shown)
        correct = await grader.grade(draft.question, draft.answer, answer) if answer else None
        check = Check(condition=condition, shown=tuple(shown), answer=answer, correct=correct)
        outcome = replace(outcome, checks=(*outcome.checks, check))
        yield outcome
        require_passed(check)


async def _captions(clips: Sequence[ClipFile], model: BuilderModel) -> tuple[Caption, ...]:
    captions = []
    for clip in clips:
        text, problem = await model.describe(clip)
        if problem:
            raise CandidateRejectedError(f"caption_{problem}", clip.name)
        captions.append(Caption(clip=clip, text=text))
    return tuple(captions)


def _conditions(draft: Draft, candidate: Candidate) -> Iterator[tuple[Condition, Sequence[ClipFile]]]:
    """What is shown in each check; fewer distractors than gold clips, or none, where the folder has no more."""
    yield Condition.CLOSED_BOOK, ()
    yield Condition.GOLD, draft.gold
    others = [clip for clip in (*candidate.offered, *candidate.spare) if clip not in draft.gold]
    if others:
        yield Condition.DISTRACTORS, others[: len(draft.gold)]
    for clip in draft.gold:
        yield Condition.SINGLE, (clip,)


def require_passed(check: Check) -> None:
    """Let a check pass.

    Raises:
        CandidateRejectedError: ``gold_not_enough``; ``answerable_closed_book``, ``answerable_from_distractors``,
            ``answerable_from_single``; ``answer_missing`` and ``grade_missing``, which prove nothing either way.
    """
    names = ", ".join(clip.name for clip in check.shown)
    if check.correct is None:
        reason = "grade_missing" if check.answer else "answer_missing"
        raise CandidateRejectedError(reason, f"{check.condition}: {names}")
    if check.condition is Condition.GOLD and not check.correct:
        raise CandidateRejectedError("gold_not_enough", check.answer)
    if check.condition is not Condition.GOLD and check.correct:
        how = "closed_book" if check.condition is Condition.CLOSED_BOOK else f"from_{check.condition}"
        raise CandidateRejectedError(f"answerable_{how}", names)
