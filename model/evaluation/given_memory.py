"""Answers from a memory that is given: one forced reply, in the agent loop, with the same graph for every way of showing it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from memory_graph.budget import Allocation
from memory_graph.graph import MemoryGraph
from model.agent.events import RolloutEnd
from model.agent.loop import Agent, Control
from model.agent.memory.session import Recollection
from model.types import Task, Trajectory

DECIDABLE = 2  # kept pictures from which on there is something to share out


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweringAgent(Agent):
    """An agent that answers at once, each question from what ``given`` holds of it, by task id."""

    given: Mapping[str, Recollection] = field(default_factory=dict)

    async def run(self, task: Task, *, seed: int | None = None) -> Trajectory:
        """The trajectory of the one reply. Raises ``KeyError`` for a question of which nothing is given."""
        known, now = self.given[task.id], Control(answer_now=True)
        async for event in self.events(task, seed=seed, control=now, known=known):
            if isinstance(event, RolloutEnd):
                return event.trajectory
        raise AssertionError("a rollout ends with RolloutEnd")


def unanswered(graph: MemoryGraph) -> MemoryGraph:
    """The graph before its answer."""
    return MemoryGraph(question=graph.question, nodes=graph.nodes)


def is_crowded(rollout: Trajectory) -> bool:
    """Whether its graph keeps a gold picture and another one beside it: what pixels go to can decide the answer."""
    kept = {item.item_id for node in rollout.graph.nodes for item in node.items}
    return (
        rollout.allocation is not Allocation.NONE
        and len(kept) >= DECIDABLE
        and not kept.isdisjoint(rollout.task.gold)
    )
