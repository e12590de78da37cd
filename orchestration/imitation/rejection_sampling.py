"""Rollouts of one round of rejection sampling: the policy answers the training questions, and each part is stored.

A round that was ended goes on with the part after its last one; a finished one is read. The name of a part's file is a hash of
everything that its rollouts depend on, so that other weights or settings are never mistaken for them.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from infra.progress import ProgressListener
from model.agent.loop import Agent, derived_seed
from model.evaluation.evaluation import grade_all
from model.policies.chat_template import PromptEncoder
from model.protocols import Policy
from model.rl import trajectory_store
from model.rl.rollouts import RolloutPlan
from model.types import Task, Trajectory
from orchestration.imitation.distillation import run_with_progress, write_trajectories
from orchestration.joins.agents import RunContext
from orchestration.joins.grading import grading
from orchestration.launch.synced_directory import SyncedDirectory
from orchestration.recipes.cold_start import RejectionSampling

QUESTIONS_PER_PART = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingRound:
    """One round: policy, questions and folder."""

    number: int
    """From 1."""
    world: RunContext
    policy: Policy
    encoder: PromptEncoder
    tasks: Sequence[Task]
    folder: SyncedDirectory


def sample_round(
    options: RejectionSampling, current: SamplingRound, on_progress: ProgressListener
) -> list[Trajectory]:
    """Graded rollouts of every question under every memory policy."""
    current.folder.path.mkdir(parents=True, exist_ok=True)
    rollouts: list[Trajectory] = []
    starts = range(0, len(current.tasks), QUESTIONS_PER_PART)
    parts = [current.tasks[start : start + QUESTIONS_PER_PART] for start in starts]
    for name in options.memories:
        memory = current.world.memory(name, current.encoder, training=True)
        agent = current.world.agent(current.policy, memory, temperature=options.temperature)
        for number, tasks in enumerate(parts, start=1):
            stage = f"round {current.number}: {name}, part {number} of {len(parts)}"
            rollouts += _part(options, current, agent, tasks, stage, on_progress)
    return rollouts


def _part(
    options: RejectionSampling,
    current: SamplingRound,
    agent: Agent,
    tasks: Sequence[Task],
    stage: str,
    on_progress: ProgressListener,
) -> list[Trajectory]:
    plan = RolloutPlan(
        group_size=options.samples,
        concurrency=current.world.recipe.evaluation.concurrency,
        seed=derived_seed(options.seed, current.number),
    )
    path = current.folder.path / f"round-{current.number}-{_digest(agent, tasks, plan)}.parquet"
    if path.exists():
        return list(trajectory_store.read(path))

    async def run_and_grade() -> tuple[Trajectory, ...]:
        rollouts = await run_with_progress(agent, tasks, plan, stage, on_progress)
        async with grading(current.folder.path) as session:
            return await grade_all(rollouts, session.grader)

    graded = asyncio.run(run_and_grade())
    write_trajectories(path, graded)
    current.folder.push()
    return list(graded)


def _digest(agent: Agent, tasks: Sequence[Task], plan: RolloutPlan) -> str:
    """Hash of everything that the rollouts depend on."""
    depends = (
        agent.policy.fingerprint,
        agent.retriever.fingerprint,
        agent.memory.name,
        agent.sampling,
        agent.limits,
        plan.group_size,
        plan.seed,
        [task.id for task in tasks],
    )
    return hashlib.blake2b(repr(depends).encode(), digest_size=8).hexdigest()
