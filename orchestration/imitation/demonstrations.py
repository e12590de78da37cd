"""Demonstrations for the cold start: the oracle plays the plans of the miniature through the real agent loop.

Holds the joining only: plans come from the raw miniature, noise from the recipe, the oracle is ``model.imitation.oracle``.
"""

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from infra.progress import ProgressListener
from model.agent.loop import Agent
from model.evaluation.evaluation import grade_all
from model.imitation.oracle import DemonstrationNoise, GoldHop, GoldPlan, Oracle
from model.imitation.rejection import is_right
from model.policies.chat_template import PromptEncoder
from model.types import Task, Trajectory
from orchestration.joins.adapters import MetricGrader
from orchestration.joins.agents import RunContext
from orchestration.recipes.cold_start import ColdStart

CONCURRENCY = 64


def plan_of(record: Mapping[str, Any]) -> GoldPlan:
    """The plan in one line of ``plans.jsonl``."""
    hops = tuple(
        GoldHop(
            queries=tuple(hop["queries"]),
            gold=frozenset(hop["gold"]),
            summary=hop["summary"],
            depends=tuple(hop["depends"]),
            timestamps=tuple(hop["timestamps"]),
        )
        for hop in record["hops"]
    )
    return GoldPlan(hops=hops, answer=record["answer"])


def distractions(
    plans: Mapping[str, Mapping[str, Any]], rng: random.Random, *, count: int = 500
) -> tuple[str, ...]:
    """Queries of other questions, which lead this one nowhere."""
    queries = sorted({query for plan in plans.values() for hop in plan["hops"] for query in hop["queries"]})
    return tuple(rng.sample(queries, k=min(count, len(queries))))


def noise_of(share: float, queries: tuple[str, ...], *, repair: float = 0.0) -> DemonstrationNoise:
    """A ``share`` of searches errs, half of them dead ends, the rest over-broad or repeated; so do ``repair`` of replies."""
    return DemonstrationNoise(
        dead_end=0.5 * share, broad=0.3 * share, repeat=0.2 * share, repair=repair, distractions=queries
    )


def demonstrate(
    world: RunContext,
    encoder: PromptEncoder,
    tasks: Sequence[Task],
    plans: Mapping[str, Mapping[str, Any]],
    recipe: ColdStart,
    progress: ProgressListener,
) -> list[Trajectory]:
    """``recipe.passes`` rollouts of the oracle on each task under each of ``recipe.memories``, policy after policy.

    Each has noise of its own; only those that end rightly are kept. An iterative policy has to answer unforced.

    Raises:
        ValueError: if a task has no plan, or a memory policy is unknown.
    """
    if missing := [task.id for task in tasks if task.id not in plans]:
        raise ValueError(
            f"{len(missing)} questions have no plan, the first is {missing[0]!r}; is this the miniature?"
        )
    queries = distractions(plans, random.Random(recipe.seed))
    errors = noise_of(recipe.noise, queries, repair=recipe.repair)
    memories = {name: world.memory(name, encoder, training=True) for name in recipe.memories}

    def agent(name: str, task: Task, turn: int) -> Agent:
        rng = random.Random(f"{recipe.seed}/{task.id}/{turn}")
        plan = plan_of(plans[task.id])
        oracle = Oracle(plan, world.retriever, encoder, noise=errors, rng=rng, memory=name)
        return replace(world.agent(oracle, memories[name], temperature=1.0), retriever=oracle)

    async def play() -> list[Trajectory]:
        slots, done = asyncio.Semaphore(CONCURRENCY), 0
        turns = [(name, task, turn) for name in memories for turn in range(recipe.passes) for task in tasks]

        async def one(name: str, task: Task, turn: int) -> Trajectory:
            nonlocal done
            async with slots:
                found = await agent(name, task, turn).run(task)
            done += 1
            progress("demonstrations", done, len(turns))
            return found

        runs = await asyncio.gather(*(one(*each) for each in turns))
        return list(await grade_all(runs, MetricGrader()))

    return [each for each in asyncio.run(play()) if is_right(each)]
