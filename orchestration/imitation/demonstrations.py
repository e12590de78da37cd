"""Demonstrations for the cold start: the oracle acts on the gold plans of the miniature in the real agent loop.

Holds the wiring only: plans come from the raw miniature, noise from the recipe, the oracle is ``model.imitation.oracle``.
"""

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace

from infra.progress import ProgressListener
from model.agent.loop import Agent
from model.agent.memory.registry import SINGLE_ANSWER
from model.evaluation.evaluation import grade_all
from model.imitation.gold_plan import DemonstrationNoise, GoldPlan
from model.imitation.oracle import Oracle
from model.imitation.rejection import is_imitable
from model.policies.chat_template import PromptEncoder
from model.types import Outcome, Task, Trajectory
from orchestration.joins.adapters import MetricGrader
from orchestration.joins.agents import RunContext
from orchestration.recipes.cold_start import ColdStart

CONCURRENCY = 64
SHOWN_NOTHING = frozenset({"closed_book"})
"""Memory policies that never search."""
DISTRACTIONS = 500  # queries that dead ends are drawn from


def demonstrate(
    world: RunContext,
    encoder: PromptEncoder,
    tasks: Sequence[Task],
    plans: Mapping[str, GoldPlan],
    options: ColdStart,
    on_progress: ProgressListener,
) -> list[Trajectory]:
    """``options.passes`` rollouts of the oracle on each task under each of ``options.memories``, policy after policy.

    Each has noise of its own; right answers are kept, and unforced ones of an iterative policy, and whatever a policy says that
    never searches: kept for right answers alone, it was shown none but the questions that nothing answers. Of a rollout whose
    calls ran out the last segment is kept: how one answers when told to, whatever is known.

    Raises:
        ValueError: if a task has no plan, or a memory policy is unknown.
    """
    if missing := [task.id for task in tasks if task.id not in plans]:
        raise ValueError(
            f"{len(missing)} questions have no plan, the first is {missing[0]!r}; is this the miniature?"
        )
    # queries of other questions find no evidence for this one
    queries = sorted({query for plan in plans.values() for hop in plan.hops for query in hop.queries})
    share, rng = options.noise, random.Random(options.seed)
    noise = DemonstrationNoise(
        dead_end=0.5 * share,
        broad=0.3 * share,
        repeat=0.2 * share,
        repair=options.repair,
        distractions=tuple(rng.sample(queries, k=min(DISTRACTIONS, len(queries)))),
    )
    memories = {name: world.memory(name, encoder, training=True) for name in options.memories}

    def agent(name: str, task: Task, turn: int) -> Agent:
        rng = random.Random(f"{options.seed}/{task.id}/{turn}")
        oracle = Oracle(plans[task.id], encoder, noise=noise, rng=rng, memory=name)
        return world.agent(oracle, memories[name], temperature=1.0)

    async def run_all() -> list[Trajectory]:
        slots, done = asyncio.Semaphore(CONCURRENCY), 0
        turns = [(name, task, turn) for name in memories for turn in range(options.passes) for task in tasks]

        async def run(name: str, task: Task, turn: int) -> Trajectory:
            nonlocal done
            async with slots:
                trajectory = await agent(name, task, turn).run(task)
            done += 1
            on_progress("demonstrations", done, len(turns))
            return trajectory

        rollouts = await asyncio.gather(*(run(*turn) for turn in turns))
        return list(await grade_all(rollouts, MetricGrader()))

    return [
        shown for trajectory in asyncio.run(run_all()) if (shown := _imitable_part(trajectory)) is not None
    ]


def _imitable_part(trajectory: Trajectory) -> Trajectory | None:
    """What of a demonstration is imitated, if anything. Who is shown nothing rightly says that it cannot be answered."""
    if is_imitable(trajectory) or trajectory.memory in SHOWN_NOTHING:
        return trajectory
    if trajectory.outcome is Outcome.FORCED and trajectory.memory not in SINGLE_ANSWER:
        return replace(trajectory, segments=trajectory.segments[-1:])
    return None
