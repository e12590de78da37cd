"""Rollouts of one round of rejection sampling: the policy answers the training questions, part after part, each part kept.

Holds the rolling out and the keeping. A round that was ended goes on with the part after its last one; a finished one is
read. A part's file is named by all that its rollouts depend on, so that other weights or settings are never taken for them.
"""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from infra.progress import ProgressListener as Shown
from model.agent.loop import Agent, derived_seed
from model.evaluation.evaluation import grade_all
from model.policies.chat_template import PromptEncoder
from model.protocols import Policy
from model.rl import trajectory_store
from model.rl.rollouts import RolloutPlan
from model.types import Task, Trajectory
from orchestration.imitation.distillation import collected, write_whole
from orchestration.joins.agents import RunContext
from orchestration.joins.grading import grading
from orchestration.recipes.cold_start import RejectionSampling

QUESTIONS_PER_PART = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingRound:
    """One round: whose rollouts, of what, kept where."""

    number: int
    """From 1."""
    world: RunContext
    policy: Policy
    encoder: PromptEncoder
    tasks: Sequence[Task]
    folder: Path
    push: Callable[[], None] = lambda: None
    """Takes the folder to where it outlives this machine."""


def rollouts_of(rejection: RejectionSampling, one: SamplingRound, shown: Shown) -> list[Trajectory]:
    """Graded rollouts of every question under every memory policy."""
    one.folder.mkdir(parents=True, exist_ok=True)
    found: list[Trajectory] = []
    parts = [one.tasks[at : at + QUESTIONS_PER_PART] for at in range(0, len(one.tasks), QUESTIONS_PER_PART)]
    for name in rejection.memories:
        memory = one.world.memory(name, one.encoder, training=True)
        agent = one.world.agent(one.policy, memory, temperature=rejection.temperature)
        for number, tasks in enumerate(parts, start=1):
            stage = f"round {one.number}: {name}, part {number} of {len(parts)}"
            found += _part(rejection, one, agent, tasks, stage, shown)
    return found


def _part(
    rejection: RejectionSampling,
    one: SamplingRound,
    agent: Agent,
    tasks: Sequence[Task],
    stage: str,
    shown: Shown,
) -> list[Trajectory]:
    plan = RolloutPlan(
        group_size=rejection.samples,
        concurrency=one.world.recipe.evaluation.concurrency,
        seed=derived_seed(rejection.seed, one.number),
    )
    path = one.folder / f"round-{one.number}-{_digest(agent, tasks, plan)}.parquet"
    if path.exists():
        return list(trajectory_store.read(path))

    async def roll() -> tuple[Trajectory, ...]:
        rollouts = await collected(agent, tasks, plan, stage, shown)
        async with grading(one.folder) as bench:
            return await grade_all(rollouts, bench.grader)

    graded = asyncio.run(roll())
    write_whole(path, graded)
    one.push()
    return list(graded)


def _digest(agent: Agent, tasks: Sequence[Task], plan: RolloutPlan) -> str:
    """Of all that the rollouts depend on."""
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
