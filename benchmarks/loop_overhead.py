"""What one step of the agent loop costs without model and retrieval: one JSON line.

A scripted policy searches and memorises (a page and a clip kept by each node, a text noted) until the graph is large; a step
is one model call with all that follows it. ``step_ms`` is the median over the steps at which the graph holds ``--nodes``
nodes or up to four more. The named peer runs the same loop and does anew before each call what the loop does once a node:
the graph written out as JSON, energies by recursion over all paths, and the grants once for every kept item::

    python benchmarks/loop_overhead.py [--nodes 20] [--rollouts 5] [--profile]
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import itertools
import json
import math
import pstats
import statistics
import sys
import time
from collections.abc import Sequence

from memory_graph.actions import Action, Answer, Mark, Memorize, Search, render
from memory_graph.budget import allocate
from memory_graph.codec import encode
from memory_graph.energy import DECAY, FEEDBACK, ItemKey
from memory_graph.graph import MAX_PRIORITY, MemoryGraph, Modality, SearchNode
from model.agent.context import estimate_tokens
from model.agent.events import ModelCall
from model.agent.loop import Agent
from model.agent.memory.session import MemoryPolicy, MemorySession
from model.agent.memory.vimrag import Vimrag
from model.agent.prompts import FULL
from model.config.limits import Limits
from model.protocols import ANYWHERE, Retriever
from model.types import Completion, Hit, HitFilter, Message, PolicyRequest, Task

PEER = "everything rebuilt before each call: JSON, energies over all paths, grants once an item"
TASK = Task(id="overhead", dataset="d", question="What does every page say?", answers=("x",))
FURTHER = 4  # nodes beyond the size that is measured


def script(num_nodes: int) -> list[Action]:
    """Searches and summaries of ``num_nodes`` nodes, then the answer; every third node has two parents."""
    actions: list[Action] = []
    for number in range(1, num_nodes + 1):
        parents = ["root"] if number == 1 else [f"n{number - 1}"]
        parents += [f"n{number - 3}"] if number % 3 == 0 and number > 3 else []
        marks = (Mark(1, True, 1 + number % 5), Mark(2, True, 3, (10.5, 30.5)), Mark(3, True, 2))
        actions.append(Search(f"n{number}", tuple(parents), f"What does page {number} say?"))
        actions.append(Memorize(f"n{number}", f"Page {number} says so, and the clip shows it. " * 2, marks))
    return [*actions, Answer((f"n{num_nodes}",), "x")]


def hits(number: int) -> list[Hit]:
    """A page, a clip and a passage of the ``number``-th search."""
    return [
        Hit(item_id=f"p{number}", dataset="d", modality=Modality.IMAGE, title="A page", text="", width=1240, height=1754),
        Hit(item_id=f"v{number}", dataset="d", modality=Modality.VIDEO, title="A clip", text="",
            width=640, height=360, duration_s=60.0),
        Hit(item_id=f"t{number}", dataset="d", modality=Modality.TEXT, title="A passage", text="It is said. " * 150),
    ]  # fmt: skip


class ScriptedPolicy:
    """Says prepared actions, one a call."""

    fingerprint = "scripted"

    def __init__(self, actions: Sequence[Action]) -> None:
        self._actions = iter(actions)

    async def complete(self, request: PolicyRequest) -> Completion:
        return Completion(text=render(next(self._actions)))


class ScriptedRetriever:
    """Finds prepared hits."""

    fingerprint = "scripted"

    def __init__(self, found: dict[str, list[Hit]]) -> None:
        self._found = found

    sees = False

    async def search(
        self, query: str, *, top_k: int, where: HitFilter = ANYWHERE, like: Sequence[str] = ()
    ) -> list[Hit]:
        return self._found[query][:top_k]


def agent(num_nodes: int, memory: MemoryPolicy) -> Agent:
    found = {f"What does page {number} say?": hits(number) for number in range(1, num_nodes + 1)}
    return Agent(
        policy=ScriptedPolicy(script(num_nodes)),
        retriever=ScriptedRetriever(found),
        memory=memory,
        limits=Limits(calls=2 * num_nodes + 2),
    )


async def step_times(num_nodes: int, memory: MemoryPolicy) -> list[float]:
    """Seconds from one question to the model until the next is ready, by step, the first question left out."""
    asked: list[float] = []
    async for event in agent(num_nodes, memory).events(TASK):
        if isinstance(event, ModelCall):
            asked.append(time.perf_counter())
    return [after - before for before, after in itertools.pairwise(asked)]


def at_size(times: Sequence[float], nodes: int) -> list[float]:
    """The steps that begin with ``nodes`` nodes or more: two steps make a node."""
    return list(times[2 * nodes :])


class Rebuilding:
    """A memory policy that does everything anew before each call; what it shows is that of ``Vimrag``."""

    name = "rebuilding"
    count_tokens = staticmethod(estimate_tokens)

    def open(self, task: Task, retriever: Retriever, limits: Limits) -> MemorySession:
        return RebuildingSession(Vimrag(profile=FULL).open(task, retriever, limits))


class RebuildingSession:
    must_answer, said = False, ""

    def __init__(self, session: MemorySession) -> None:
        self._session = session
        self.environment = session.environment
        self.begin, self.reject = session.begin, session.reject
        self.search, self.memorize = session.search, session.memorize

    def messages(self, *, forced: bool) -> tuple[Message, ...]:
        graph, limits = self.environment.graph, self.environment.limits
        json.dumps(encode(graph))
        for _ in [item for node in graph.nodes for item in node.items]:
            allocate(
                graph,
                path_energies(graph),
                total_pixels=limits.total_pixels,
                top_k=limits.kept_items,
                min_pixels=limits.min_pixels,
            )
        return self._session.messages(forced=forced)


def path_energies(graph: MemoryGraph) -> dict[ItemKey, float]:
    """Eq. 7 by recursion, a shared descendant counted anew on each path to it."""
    return {
        (node.id, item.item_id): _omega(graph, node)[place]
        for node in graph.nodes
        for place, item in enumerate(node.items)
    }


def _omega(graph: MemoryGraph, node: SearchNode) -> list[float]:
    children = [child for child in graph.nodes if node.id in child.parents]
    means = [statistics.fmean(_omega(graph, child) or [0.0]) for child in children]
    age = len(graph.nodes) - graph.ids.index(node.id)
    share = (1 + len(children)) * math.exp(-DECAY * age) / MAX_PRIORITY
    return [item.priority * share + FEEDBACK * sum(means) for item in node.items]


def measure(nodes: int, rollouts: int, peer_nodes: int) -> dict[str, object]:
    """The line. The peer is measured, with the loop beside it, on a smaller graph: its time is not linear."""
    vimrag = Vimrag(profile=FULL)
    asyncio.run(step_times(2, vimrag))
    steps = [
        step
        for _ in range(rollouts)
        for step in at_size(asyncio.run(step_times(nodes + FURTHER, vimrag)), nodes)
    ]
    ours = at_size(asyncio.run(step_times(peer_nodes + FURTHER, vimrag)), peer_nodes)
    peer = at_size(asyncio.run(step_times(peer_nodes + FURTHER, Rebuilding())), peer_nodes)
    return {
        "name": "loop_overhead",
        "sizes": {"nodes": nodes, "rollouts": rollouts, "steps": len(steps), "peer_nodes": peer_nodes},
        "step_ms": round(statistics.median(steps) * 1e3, 3),
        "peer": PEER,
        "peer_step_ms": round(statistics.median(peer) * 1e3, 3),
        "ratio": round(statistics.median(peer) / statistics.median(ours), 1),
    }


def show_profile(nodes: int) -> None:
    """Where the time of a rollout goes, on standard error."""
    profile = cProfile.Profile()
    profile.runcall(lambda: asyncio.run(step_times(nodes + FURTHER, Vimrag(profile=FULL))))
    pstats.Stats(profile, stream=sys.stderr).sort_stats("tottime").print_stats(15)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--nodes", type=int, default=20, help="nodes of the memory graph")
    parser.add_argument("--rollouts", type=int, default=5)
    parser.add_argument("--peer-nodes", type=int, default=12, help="nodes at which the peer is measured")
    parser.add_argument("--profile", action="store_true", help="print where the time goes")
    arguments = parser.parse_args(argv)
    if arguments.profile:
        show_profile(arguments.nodes)
    print(json.dumps(measure(arguments.nodes, arguments.rollouts, arguments.peer_nodes)))


if __name__ == "__main__":
    main()
