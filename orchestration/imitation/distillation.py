"""Demonstrations from a served model: it answers the training questions through the agent loop, right rollouts are kept.

Holds the asking and its bill. Every reply is kept in a file before it is used, so that a run that was killed asks nothing
twice. The key of the server, if any, is ``VIMRAG_TEACHER_API_KEY``; it goes to the teacher's address alone.
"""

import asyncio
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from infra.errors import EndpointError
from infra.llm.cached_client import CachedChatClient
from infra.llm.client import ChatClient, ChatReply, ChatSettings, RequestBudgetError, RequestRefusedError
from infra.llm.types import ChatMessages, DecodingOptions
from infra.progress import ProgressListener as Shown
from infra.storage.atomic import replacing
from infra.storage.key_value import KeyValueFile
from model.agent.loop import Agent
from model.evaluation.evaluation import grade_all
from model.imitation.rejection import Selection, select, tally
from model.imitation.teacher_policy import TeacherPolicy
from model.policies.chat_template import PromptEncoder
from model.rl import trajectory_store
from model.rl.rollouts import RolloutPlan, RolloutProgress, ordered_by_group, run_rollouts
from model.types import Outcome, Sampling, Task, Trajectory
from orchestration.joins.agents import RunContext
from orchestration.joins.grading import grading
from orchestration.recipes.cold_start import TeacherOptions

API_KEY = "VIMRAG_TEACHER_API_KEY"
REPLIES, ROLLOUTS = "replies.sqlite", "teacher.parquet"
PROBE_RETRIES, PROBE_S = 1, 20.0  # a server that is down is noticed before any question is asked
PUSH_EVERY = 64  # rollouts between two uploads of the replies to a root that is no folder


class DistillationResult(NamedTuple):
    """Rollouts to imitate, and what they took."""

    kept: tuple[Trajectory, ...]
    counts: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class DistillationJob:
    """What a teacher is asked, and for whom."""

    world: RunContext
    encoder: PromptEncoder
    tasks: Sequence[Task]
    folder: Path
    """Where replies, verdicts and rollouts are kept."""
    push: Callable[[], None] = lambda: None
    """Takes the folder to where it outlives this machine."""


def distil(teacher: TeacherOptions, lesson: DistillationJob, shown: Shown) -> DistillationResult:
    """The teacher's right rollouts in the student's tokens.

    Raises:
        EndpointError: if the server is not there, or too many rollouts failed; replies so far are kept.
        ValueError: if none is right.
    """
    taught = asyncio.run(_teach(teacher, lesson, shown))
    lesson.push()
    if not taught.kept:
        counts = taught.counts
        raise ValueError(
            f"none of the teacher's {counts['rollouts']} rollouts is right, so there is nothing to imitate; "
            f"they are in {lesson.folder / ROLLOUTS}"
        )
    return taught


def kept_of(rollouts: Sequence[Trajectory], teacher: TeacherOptions) -> tuple[Trajectory, ...]:
    """Those that are imitated."""
    selection = Selection(per_question=teacher.per_question, balance=teacher.balance, seed=teacher.seed)
    return select(rollouts, selection)


async def _teach(teacher: TeacherOptions, lesson: DistillationJob, shown: Shown) -> DistillationResult:
    settings = await _settings(teacher)
    lesson.folder.mkdir(parents=True, exist_ok=True)
    replies = KeyValueFile(lesson.folder / REPLIES)
    allowed = _allowed(teacher, CachedChatClient(ClosedEndpoint(settings.model), replies).total().replies)
    client = ChatClient(replace(settings, max_requests=allowed or None))
    try:
        chat = CachedChatClient(ClosedEndpoint(settings.model) if allowed == 0 else client, replies)
        policy = TeacherPolicy(
            chat, lesson.world.media, lesson.encoder, model=settings.model, thoughts=teacher.thoughts
        )
        rollouts = await _rollouts(teacher, lesson, policy, shown)
        async with grading(lesson.folder) as bench:
            graded = await grade_all(rollouts, bench.grader)
        kept = kept_of(graded, teacher)
        write_whole(lesson.folder / ROLLOUTS, graded)
        unasked = _checked(graded, teacher.most_failed)
        return DistillationResult(
            kept, {**tally(graded, kept), "unasked": unasked, **_bill(client, chat, settings)}
        )
    finally:
        replies.close()
        await client.close()


class ClosedEndpoint:
    """A server that may not be asked any more: what was not kept is not had."""

    def __init__(self, model: str) -> None:
        self._model = model

    async def model(self) -> str:
        """The name that kept replies have."""
        return self._model

    async def complete(self, messages: ChatMessages, request: DecodingOptions) -> ChatReply:
        """Refuses."""
        raise RequestBudgetError("all replies of the teacher that the recipe allows were paid for")


async def _settings(teacher: TeacherOptions) -> ChatSettings:
    """The server with the model's name filled in. ``EndpointError`` if it does not answer or several models are there."""
    settings = ChatSettings(
        base_url=teacher.endpoint,
        model=teacher.model,
        api_key=os.environ.get(API_KEY) or None,
        concurrency=teacher.concurrency,
        timeout_s=teacher.timeout_s,
        total_timeout_s=5 * teacher.timeout_s,
    )
    probe = ChatClient(replace(settings, retries=PROBE_RETRIES, total_timeout_s=PROBE_S))
    try:
        if not settings.model:
            return replace(settings, model=await probe.model())
        with suppress(RequestRefusedError):  # not every server lists its models
            await probe.models()
        return settings
    finally:
        await probe.close()


def _allowed(teacher: TeacherOptions, paid: int) -> int | None:
    """Requests that may still be sent; None is without limit."""
    return None if teacher.max_requests is None else max(0, teacher.max_requests - paid)


async def _rollouts(
    teacher: TeacherOptions, lesson: DistillationJob, policy: TeacherPolicy, shown: Shown
) -> list[Trajectory]:
    plan = RolloutPlan(group_size=teacher.samples, concurrency=teacher.concurrency, seed=teacher.seed)
    sampling = Sampling(temperature=teacher.temperature, max_tokens=teacher.max_tokens)
    found: list[Trajectory] = []
    for name in teacher.memories:
        memory = lesson.world.memory(name, lesson.encoder, training=True)
        agent = replace(
            lesson.world.agent(policy, memory, temperature=teacher.temperature), sampling=sampling
        )
        found += await collected(agent, lesson.tasks, plan, f"teacher: {name}", shown, lesson.push)
    return found


async def collected(
    agent: Agent,
    tasks: Sequence[Task],
    plan: RolloutPlan,
    stage: str,
    shown: Shown,
    push: Callable[[], None] = lambda: None,
) -> list[Trajectory]:
    """The rollouts of ``tasks`` in order, with progress; ``push`` is called now and then."""

    def on_progress(now: RolloutProgress) -> None:
        shown(stage, now.done, now.total)
        if now.done % PUSH_EVERY == 0:
            push()

    return list(ordered_by_group(await run_rollouts(agent, tasks, plan, on_progress=on_progress)))


def _checked(rollouts: Sequence[Trajectory], most_failed: float) -> int:
    """Rollouts that were not asked for any more because the replies allowed were used up.

    Raises:
        EndpointError: if too many others failed.
    """
    errors = [each.error for each in rollouts if each.outcome is Outcome.FAILED]
    failed = [error for error in errors if not error.startswith(RequestBudgetError.__name__)]
    if len(failed) > most_failed * len(rollouts):
        raise EndpointError(
            f"{len(failed)} of the teacher's {len(rollouts)} rollouts failed, the first with {failed[0]}; "
            "the replies so far are kept: start the run again to go on"
        )
    return len(errors) - len(failed)


def _bill(client: ChatClient, chat: CachedChatClient, settings: ChatSettings) -> dict[str, Any]:
    """Of this run, as it was sent; and of all runs into this folder, as far as replies came."""
    spent = client.ledger.snapshot()
    names = ("requests", "retries", "failures", "prompt_tokens", "completion_tokens")
    this_run = {**{name: getattr(spent, name) for name in names}, "found": chat.found}
    return {"model": settings.model, "this_run": this_run, "all_runs": asdict(chat.total())}


def write_whole(path: Path, trajectories: Sequence[Trajectory]) -> None:
    """Write a file of rollouts that is whole or not there."""
    with replacing(path) as partial:
        trajectory_store.write(partial, trajectories)
