"""One candidate through all stages: captions, draft, filter.

The one place where a candidate ends early. What models say decides between kept and rejected and nothing else.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from assets.xvbench_builder.drafting import read_draft
from assets.xvbench_builder.filtering import checks, verdict
from assets.xvbench_builder.protocols import Describer, ModelPanel
from assets.xvbench_builder.records import Candidate, CandidateOutcome, CandidateRejected, Caption, ClipFile
from infra.errors import EndpointError, MediaError
from infra.llm.cached_client import metered
from infra.llm.client import RequestBudgetError

ENDPOINT_FAILED = "endpoint_failed"  # asked again by the next run; every other reason is final


async def judged(candidate: Candidate, panel: ModelPanel) -> CandidateOutcome:
    """What becomes of a candidate.

    Raises:
        RequestBudgetError: if it needs a request too many; nothing is decided then.
    """
    outcome = CandidateOutcome(candidate=candidate)
    reason = detail = ""
    with metered() as usage:
        try:
            async for reached in _stages(outcome, panel):
                outcome = reached
        except RequestBudgetError:
            raise
        except CandidateRejected as rejected:
            reason, detail = rejected.reason, rejected.detail
        except MediaError as error:
            reason, detail = "clip_unreadable", str(error)
        except EndpointError as error:
            reason, detail = ENDPOINT_FAILED, str(error)
    counted = {name: getattr(usage, name) for name in ("replies", "prompt_tokens", "completion_tokens")}
    return replace(outcome, reason=reason, detail=detail, **counted)


async def _stages(outcome: CandidateOutcome, panel: ModelPanel) -> AsyncIterator[CandidateOutcome]:
    """The outcome after each step, so that what was reached is told of a candidate that goes no further."""
    offered = outcome.candidate.offered
    outcome = replace(outcome, captions=await _captions(offered, panel.describer))
    yield outcome
    outcome = replace(outcome, draft=read_draft(await panel.drafter.draft(outcome.captions), offered))
    yield outcome
    assert outcome.draft is not None
    async for check in checks(outcome.draft, outcome.candidate, panel.answerer, panel.grader):
        outcome = replace(outcome, checks=(*outcome.checks, check))
        yield outcome
        verdict(check)


async def _captions(clips: Sequence[ClipFile], describer: Describer) -> tuple[Caption, ...]:
    captions = []
    for clip in clips:
        text, problem = await describer.describe(clip)
        if problem:
            raise CandidateRejected(f"caption_{problem}", clip.name)
        captions.append(Caption(clip=clip, text=text))
    return tuple(captions)
