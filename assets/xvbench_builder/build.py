"""Candidate after candidate until enough questions are kept: the loop of the builder.

Candidates are taken in order, in windows no larger than the questions still wanted, and a window is judged at once. What is
kept depends on the candidates and the replies only, so that a run that was interrupted ends like one that was not.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import islice
from typing import NamedTuple

from assets.xvbench_builder.judging import ENDPOINT_FAILED, judged
from assets.xvbench_builder.protocols import ModelPanel
from assets.xvbench_builder.records import Candidate, CandidateOutcome
from infra.llm.client import RequestBudgetError

PATIENCE = 3  # candidates in a row that the endpoint failed at, after which it is taken for gone


class StopReason(StrEnum):
    """Why a run ended."""

    ENOUGH = "enough"  # as many questions as were wanted
    CANDIDATES = "candidates"  # every candidate allowed, or possible, was tried
    BUDGET = "max_requests"
    ENDPOINT = "endpoint"


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildTarget:
    """How far a run goes."""

    questions: int
    at_once: int = 4
    """Candidates that are judged at the same time."""

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


async def build(
    candidates: Iterable[Candidate],
    panel: ModelPanel,
    target: BuildTarget,
    tell: Callable[[list[CandidateOutcome]], None],
) -> BuildResult:
    """Judge candidates until the target is reached. ``tell`` gets all outcomes after each window."""
    outcomes: list[CandidateOutcome] = []
    questions: set[str] = set()
    waiting = iter(candidates)
    while (missing := target.questions - len(questions)) > 0:
        window = list(islice(waiting, min(missing, target.at_once)))
        results = await asyncio.gather(*(_judged(candidate, panel) for candidate in window))
        for outcome in (decided := _until_stopped(results)):
            outcomes.append(_once(outcome, questions))
        tell(outcomes)
        if len(decided) < len(window):
            return BuildResult(outcomes, StopReason.BUDGET)
        if not window:
            return BuildResult(outcomes, StopReason.CANDIDATES)
        if _is_gone(outcomes):
            return BuildResult(outcomes, StopReason.ENDPOINT)
    return BuildResult(outcomes, StopReason.ENOUGH)


async def _judged(candidate: Candidate, panel: ModelPanel) -> CandidateOutcome | None:
    """None where the budget ended first; the others of the window still come to their end as far as theirs goes."""
    try:
        return await judged(candidate, panel)
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
    last = outcomes[-PATIENCE:]
    return len(last) == PATIENCE and all(outcome.reason == ENDPOINT_FAILED for outcome in last)
