"""Distillation: a served teacher answers the training questions in the agent loop, and its right rollouts are imitated.

Holds the rollouts and their cost. Every reply is stored in a file before it is used, so that a run that was killed repeats no
request. The key of the server, if any, is ``VIMRAG_TEACHER_API_KEY``; it goes to the teacher's address alone.
"""

import asyncio
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from infra.errors import EndpointError
from infra.llm.cached_client import CachedChatClient
from infra.llm.client import ChatClient, probed
from infra.llm.errors import RequestBudgetError
from infra.llm.types import ChatMessages, ChatReply, ChatSettings, DecodingOptions
from infra.progress import ProgressListener
from infra.storage.atomic import replacing
from infra.storage.key_value import KeyValueFile
from model.agent.loop import Agent
from model.evaluation.evaluation import grade_all
from model.imitation.rejection import Selection, select, selection_counts
from model.imitation.teacher_policy import TeacherPolicy
from model.policies.chat_template import PromptEncoder
from model.rl import trajectory_store
from model.rl.rollouts import RolloutPlan, RolloutProgress, ordered_by_group, run_rollouts
from model.types import Outcome, Sampling, Task, Trajectory
from orchestration.joins.agents import RunContext
from orchestration.joins.grading import grading
from orchestration.launch.synced_directory import SyncedDirectory
from orchestration.recipes.cold_start import TeacherOptions

API_KEY = "VIMRAG_TEACHER_API_KEY"
REPLIES, ROLLOUTS = "replies.sqlite", "teacher.parquet"
PUSH_EVERY = 64  # rollouts between two uploads of the replies to a root that is no folder


class DistillationResult(NamedTuple):
    """Rollouts to imitate, and counts with the teacher's usage."""

    kept: tuple[Trajectory, ...]
    counts: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class DistillationJob:
    """Questions for a teacher, and the student's encoder."""

    world: RunContext
    encoder: PromptEncoder
    tasks: Sequence[Task]
    folder: SyncedDirectory
    """Holds replies, verdicts and rollouts."""


def distil(
    teacher: TeacherOptions, job: DistillationJob, on_progress: ProgressListener
) -> DistillationResult:
    """The teacher's right rollouts in the student's tokens.

    Raises:
        EndpointError: if the server is not reachable, or too many rollouts failed; replies so far are kept.
        ValueError: if none is right.
    """
    result = asyncio.run(_distil(teacher, job, on_progress))
    job.folder.push()
    if not result.kept:
        raise ValueError(
            f"none of the teacher's {result.counts['rollouts']} rollouts is right, so there is nothing to imitate; "
            f"they are in {job.folder.path / ROLLOUTS}"
        )
    return result


def selected_rollouts(rollouts: Sequence[Trajectory], teacher: TeacherOptions) -> tuple[Trajectory, ...]:
    """The rollouts to imitate."""
    selection = Selection(per_question=teacher.per_question, balance=teacher.balance, seed=teacher.seed)
    return select(rollouts, selection)


async def _distil(
    teacher: TeacherOptions, job: DistillationJob, on_progress: ProgressListener
) -> DistillationResult:
    settings = await probed(
        _settings(teacher)
    )  # a server that is down is noticed before any question is asked
    folder = job.folder.path
    folder.mkdir(parents=True, exist_ok=True)
    replies = KeyValueFile(folder / REPLIES)
    closed = ClosedEndpoint(settings.model)
    allowed = teacher.max_requests  # that may still be sent; None is without limit
    if allowed is not None:
        allowed = max(0, allowed - CachedChatClient(closed, replies).total().replies)
    client = ChatClient(replace(settings, max_requests=allowed or None))
    try:
        chat = CachedChatClient(closed if allowed == 0 else client, replies)
        policy = TeacherPolicy(
            chat, job.world.media, job.encoder, model=settings.model, thoughts=teacher.thoughts
        )
        rollouts = await _rollouts(teacher, job, policy, on_progress)
        async with grading(folder) as session:
            graded = await grade_all(rollouts, session.grader)
        kept = selected_rollouts(graded, teacher)
        write_trajectories(folder / ROLLOUTS, graded)
        unasked = _num_unasked(graded, teacher.most_failed)
        counts = {**selection_counts(graded, kept), "unasked": unasked}
        return DistillationResult(kept, {**counts, **_usage(client, chat, settings)})
    finally:
        replies.close()
        await client.close()


class ClosedEndpoint:
    """A server whose requests are used up: only stored replies are available."""

    def __init__(self, model: str) -> None:
        self._model = model

    async def model(self) -> str:
        """The model name of the stored replies."""
        return self._model

    async def complete(self, messages: ChatMessages, request: DecodingOptions) -> ChatReply:
        """Refuses."""
        raise RequestBudgetError("all replies of the teacher that the recipe allows were paid for")


def _settings(teacher: TeacherOptions) -> ChatSettings:
    return ChatSettings(
        base_url=teacher.endpoint,
        model=teacher.model,
        api_key=os.environ.get(API_KEY) or None,
        concurrency=teacher.concurrency,
        timeout_s=teacher.timeout_s,
        total_timeout_s=5 * teacher.timeout_s,
    )


async def _rollouts(
    teacher: TeacherOptions, job: DistillationJob, policy: TeacherPolicy, on_progress: ProgressListener
) -> list[Trajectory]:
    plan = RolloutPlan(group_size=teacher.samples, concurrency=teacher.concurrency, seed=teacher.seed)
    sampling = Sampling(temperature=teacher.temperature, max_tokens=teacher.max_tokens)
    rollouts: list[Trajectory] = []
    for name in teacher.memories:
        memory = job.world.memory(name, job.encoder, training=True)
        agent = replace(job.world.agent(policy, memory, temperature=teacher.temperature), sampling=sampling)
        stage = f"teacher: {name}"
        rollouts += await run_with_progress(agent, job.tasks, plan, stage, on_progress, job.folder.push)
    return rollouts


async def run_with_progress(
    agent: Agent,
    tasks: Sequence[Task],
    plan: RolloutPlan,
    stage: str,
    on_progress: ProgressListener,
    push: Callable[[], None] = lambda: None,
) -> list[Trajectory]:
    """The rollouts of ``tasks`` in order, with progress; ``push`` is called every ``PUSH_EVERY`` rollouts."""

    def report(current: RolloutProgress) -> None:
        on_progress(stage, current.done, current.total)
        if current.done % PUSH_EVERY == 0:
            push()

    return list(ordered_by_group(await run_rollouts(agent, tasks, plan, on_progress=report)))


def _num_unasked(rollouts: Sequence[Trajectory], most_failed: float) -> int:
    """Number of rollouts that were not made because the allowed replies were used up.

    Raises:
        EndpointError: if too many others failed.
    """
    errors = [trajectory.error for trajectory in rollouts if trajectory.outcome is Outcome.FAILED]
    failed = [error for error in errors if not error.startswith(RequestBudgetError.__name__)]
    if len(failed) > most_failed * len(rollouts):
        raise EndpointError(
            f"{len(failed)} of the teacher's {len(rollouts)} rollouts failed, the first with {failed[0]}; "
            "the replies so far are kept: start the run again to go on"
        )
    return len(errors) - len(failed)


def _usage(client: ChatClient, chat: CachedChatClient, settings: ChatSettings) -> dict[str, Any]:
    """Requests and tokens of this run, and those of all replies stored in the folder."""
    spent = client.ledger.snapshot()
    names = ("requests", "retries", "failures", "prompt_tokens", "completion_tokens")
    this_run = {**{name: getattr(spent, name) for name in names}, "found": chat.found}
    return {"model": settings.model, "this_run": this_run, "all_runs": asdict(chat.total())}


def write_trajectories(path: Path, trajectories: Sequence[Trajectory]) -> None:
    """Write a file of rollouts that is whole or not there."""
    with replacing(path) as partial:
        trajectory_store.write(partial, trajectories)
