"""Many rollouts at once: every question several times, bounded concurrency, results in order.

The one boundary where an error of a rollout becomes data: a failed rollout is a ``Trajectory`` with outcome
FAILED and its error, and the others go on. Nothing here scores or stores.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from memory_graph.budget import Allocation
from memory_graph.graph import MemoryGraph
from model.agent.loop import Agent, derived_seed
from model.types import Outcome, Task, Trajectory

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutProgress:
    """How far a collection is; ``latest`` is the rollout that has just ended."""

    done: int
    failed: int
    total: int
    latest: Trajectory


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutPlan:
    """How many rollouts a question gets and how many run at once."""

    group_size: int = 1
    concurrency: int = 64
    seed: int = 0
    """Every rollout draws from a stream of its own: collection seed, question id, place in the group."""
    timeout_s: float | None = None
    """A rollout that takes longer has failed."""

    def __post_init__(self) -> None:
        if self.group_size < 1 or self.concurrency < 1:
            raise ValueError(f"group size and concurrency must be at least 1: {self}")
        if self.timeout_s is not None and self.timeout_s <= 0:
            raise ValueError(f"a timeout must be positive: {self}")


async def run_rollouts(
    agent: Agent,
    tasks: Sequence[Task],
    plan: RolloutPlan | None = None,
    *,
    on_progress: Callable[[RolloutProgress], None] | None = None,
) -> tuple[tuple[Trajectory, ...], ...]:
    """Groups in the order of ``tasks``, rollouts in the order of their seeds, whoever ends first.

    Raises:
        ValueError: if two tasks share an id, since their rollouts would share their seeds.
    """
    plan = plan or RolloutPlan()
    if len({task.id for task in tasks}) < len(tasks):
        raise ValueError("task ids must be unique within a collection")
    slots = iter([(place, member) for place in range(len(tasks)) for member in range(plan.group_size)])
    results: dict[tuple[int, int], Trajectory] = {}
    num_failed = 0

    def finished(slot: tuple[int, int], trajectory: Trajectory) -> None:
        nonlocal num_failed
        results[slot] = trajectory
        num_failed += trajectory.outcome is Outcome.FAILED
        if on_progress is not None:
            total = len(tasks) * plan.group_size
            on_progress(RolloutProgress(done=len(results), failed=num_failed, total=total, latest=trajectory))

    async with asyncio.TaskGroup() as workers:
        for _ in range(min(plan.concurrency, len(tasks) * plan.group_size)):
            workers.create_task(_work(agent, tasks, plan, slots, finished))
    return tuple(
        tuple(results[place, member] for member in range(plan.group_size)) for place in range(len(tasks))
    )


async def _work(
    agent: Agent,
    tasks: Sequence[Task],
    plan: RolloutPlan,
    slots: Iterator[tuple[int, int]],
    finished: Callable[[tuple[int, int], Trajectory], None],
) -> None:
    for place, member in slots:
        seed = derived_seed(plan.seed, tasks[place].id, member)
        finished((place, member), await rollout(agent, tasks[place], seed, plan.timeout_s))


async def rollout(agent: Agent, task: Task, seed: int, timeout_s: float | None) -> Trajectory:
    """One rollout; whatever goes wrong outside of us becomes a failed trajectory."""
    try:
        async with asyncio.timeout(timeout_s):
            return await agent.run(task, seed=seed)
    except Exception as error:  # the boundary this module exists for
        logger.warning("rollout of %s failed", task.id, exc_info=error)
        reason = (
            f"no result within {timeout_s:g} s"
            if isinstance(error, TimeoutError) and timeout_s
            else str(error)
        )
        return _failed(agent, task, f"{type(error).__name__}: {reason}")


def _failed(agent: Agent, task: Task, error: str) -> Trajectory:
    return Trajectory(
        task=task,
        graph=MemoryGraph(question=task.question),
        segments=(),
        outcome=Outcome.FAILED,
        memory=agent.memory.name,
        allocation=Allocation.NONE,
        limits=replace(agent.limits, similarity=None),
        error=error,
    )


def ordered_by_group(groups: Sequence[Sequence[Trajectory]]) -> tuple[Trajectory, ...]:
    """All trajectories, group after group."""
    return tuple(trajectory for group in groups for trajectory in group)
