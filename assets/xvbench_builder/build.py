"""The two loops of the builder: candidates until enough questions are kept, and a caption for every clip.

Candidates are taken in order, in windows no larger than the questions still missing, and a window is evaluated at once. What
is kept depends on the candidates and the replies only, so that a run that was interrupted ends like one that was not.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import islice
from typing import NamedTuple

from assets.xvbench_builder.evaluation import ENDPOINT_FAILED
from assets.xvbench_builder.model import BuilderModel
from assets.xvbench_builder.records import Candidate, CandidateOutcome, ClipFile
from infra.errors import EndpointError, MediaError
from infra.llm.errors import RequestBudgetError
from infra.progress import ProgressListener
from infra.storage.root import Storage

STOP_AFTER = 3  # candidates in a row that the endpoint failed at, after which it is taken for gone


class StopReason(StrEnum):
    """Why a run ended."""

    ENOUGH = "enough"  # as many questions as were asked for
    CANDIDATES = "candidates"  # every candidate allowed, or possible, was tried
    BUDGET = "max_requests"
    ENDPOINT = "endpoint"


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildTarget:
    """How far a run goes."""

    questions: int
    at_once: int = 4
    """Candidates that are evaluated at the same time."""

    def __post_init__(self) -> None:
        if self.questions < 1 or self.at_once < 1:
            raise ValueError(f"counts of a build must be positive: {self}")


class BuildResult(NamedTuple):
    """Every candidate that was decided, in order, and why there are no more."""

    outcomes: list[CandidateOutcome]
    stop: StopReason

    @property
    def kept(self) -> list[CandidateOutcome]:
        """Those whose question is kept."""
        return [outcome for outcome in self.outcomes if not outcome.reason]

    @property
    def rejected(self) -> dict[str, int]:
        """The others, by reason."""
        return dict(sorted(Counter(outcome.reason for outcome in self.outcomes if outcome.reason).items()))

    @property
    def last_failure(self) -> str:
        """What the endpoint failed with last; "" if it did not."""
        failures = [outcome.detail for outcome in self.outcomes if outcome.reason == ENDPOINT_FAILED]
        return failures[-1] if failures else ""


async def build(
    candidates: Iterable[Candidate],
    evaluate: Callable[[Candidate], Awaitable[CandidateOutcome]],
    target: BuildTarget,
    on_outcomes: Callable[[list[CandidateOutcome]], None],
) -> BuildResult:
    """Evaluate candidates until the target is reached. ``on_outcomes`` gets all outcomes after each window."""
    outcomes: list[CandidateOutcome] = []
    questions: set[str] = set()
    waiting = iter(candidates)
    while (missing := target.questions - len(questions)) > 0:
        window = list(islice(waiting, min(missing, target.at_once)))
        results = await asyncio.gather(*(_within_budget(evaluate(candidate)) for candidate in window))
        for outcome in (decided := _until_stopped(results)):
            outcomes.append(_once(outcome, questions))
        on_outcomes(outcomes)
        if len(decided) < len(window):
            return BuildResult(outcomes, StopReason.BUDGET)
        if not window:
            return BuildResult(outcomes, StopReason.CANDIDATES)
        if _is_gone(outcomes):
            return BuildResult(outcomes, StopReason.ENDPOINT)
    return BuildResult(outcomes, StopReason.ENOUGH)


async def _within_budget(outcome: Awaitable[CandidateOutcome]) -> CandidateOutcome | None:
    """None where the budget ended first; the others of the window still come to their end as far as theirs goes."""
    try:
        return await outcome
    except RequestBudgetError:
        return None


def _until_stopped(results: Iterable[CandidateOutcome | None]) -> list[CandidateOutcome]:
    decided = []
    for result in results:
        if result is None:
            break
        decided.append(result)
    return decided


def _once(outcome: CandidateOutcome, questions: set[str]) -> CandidateOutcome:
    """The outcome, rejected if an earlier candidate has the same question."""
    if outcome.reason or outcome.draft is None:
        return outcome
    words = " ".join(outcome.draft.question.casefold().split())
    if words in questions:
        return replace(outcome, reason="question_repeated")
    questions.add(words)
    return outcome


def _is_gone(outcomes: list[CandidateOutcome]) -> bool:
    last = outcomes[-STOP_AFTER:]
    return len(last) == STOP_AFTER and all(outcome.reason == ENDPOINT_FAILED for outcome in last)


@dataclass(frozen=True, slots=True)
class CaptioningResult:
    """What came of it. ``without`` counts clips without a caption by reason; ``complete`` is False if the run was ended."""

    written: int
    without: dict[str, int]
    complete: bool


async def caption_clips(
    clips: Sequence[ClipFile], model: BuilderModel, *, at_once: int, progress: ProgressListener
) -> CaptioningResult:
    """Write a caption beside every clip, as ``<clip>.txt``: the text by which a video without speech is found.

    The parser takes it for what is said in the clip. All clips get one: were only those of questions captioned, they would be
    found by that alone. Ended by the budget, or by an endpoint that fails at several windows in a row.
    """
    written, failed_in_a_row = 0, 0
    without: Counter[str] = Counter()
    waiting, done = iter(clips), 0
    while window := list(islice(waiting, at_once)):
        problems = await asyncio.gather(*(_caption_problem(clip, model) for clip in window))
        written += problems.count("")
        without.update(problem for problem in problems if problem)
        done += len(window)
        progress("clips captioned", done, len(clips))
        failed_in_a_row = failed_in_a_row + 1 if set(problems) == {ENDPOINT_FAILED} else 0
        if "budget" in problems or failed_in_a_row == STOP_AFTER:
            return CaptioningResult(written, dict(without), complete=False)
    return CaptioningResult(written, dict(without), complete=True)


async def _caption_problem(clip: ClipFile, model: BuilderModel) -> str:
    """Why there is no caption; empty if there is one."""
    try:
        text, problem = await model.describe(clip)
    except RequestBudgetError:
        return "budget"
    except EndpointError:
        return ENDPOINT_FAILED
    except MediaError as error:
        return error.reason
    if not problem:
        Storage(clip.path.parent).write_bytes(clip.path.with_suffix(".txt").name, text.encode())
    return problem
