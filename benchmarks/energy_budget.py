"""How energies and grants scale with the memory graph: one JSON line.

Random graphs of growing size: several parents, text-only bridges, stills and clips. Eq. 6-7 (``energies``) and Eq. 8
(``allocate``) are timed together, best of several runs; ``exponent`` is the slope of log time over log nodes. The named
peer is Eq. 7 as it is printed: the children of a node are looked for among all nodes. It runs on the smallest graph only
and must give the same energies::

    python benchmarks/energy_budget.py [--sizes 1000,3000,10000,30000] [--repeats 5]
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import random
import time
from collections.abc import Callable, Sequence

import numpy as np

from memory_graph.budget import TOTAL_PIXELS, allocate
from memory_graph.energy import DECAY, FEEDBACK, ItemKey, energies
from memory_graph.graph import MAX_PRIORITY, ROOT, MemoryGraph, SearchNode, VisualItem, VisualKind

PEER = "Eq. 7 as printed, children looked for among all nodes"
MIN_PIXELS = 64 * 1024


def random_graph(num_nodes: int, seed: int = 0) -> MemoryGraph:
    """A graph of one to three parents a node, mostly recent ones, and zero to three items a node."""
    rng = random.Random(seed)
    nodes: list[SearchNode] = []
    for number in range(num_nodes):
        recent = range(max(0, number - 50), number)
        parents = {nodes[rng.choice(recent)].id if recent else ROOT for _ in range(rng.randint(1, 3))}
        items = tuple(_item(f"{number}-{place}", rng) for place in range(rng.randint(0, 3)))
        nodes.append(
            SearchNode(
                id=f"n{number + 1}", parents=tuple(sorted(parents)), query="q", summary="s", items=items
            )
        )
    return MemoryGraph(question="?", nodes=tuple(nodes))


def _item(name: str, rng: random.Random) -> VisualItem:
    is_clip = rng.random() < 0.2
    return VisualItem(
        item_id=name,
        kind=VisualKind.VIDEO if is_clip else VisualKind.PAGE,
        priority=rng.randint(1, 5),
        width=rng.randint(200, 2000),
        height=rng.randint(200, 2000),
        timestamps=tuple(float(second) for second in range(rng.randint(1, 8))) if is_clip else (),
    )


def granted(graph: MemoryGraph) -> dict[ItemKey, int]:
    """What is measured."""
    return allocate(graph, energies(graph), total_pixels=TOTAL_PIXELS, min_pixels=MIN_PIXELS)


def printed_energies(graph: MemoryGraph) -> dict[ItemKey, float]:
    """Eq. 6 and 7 read word by word, with the bridge over text-only nodes."""
    omega: dict[ItemKey, float] = {}
    mean: dict[str, float] = {}
    newest = len(graph.nodes)
    for index in range(newest, 0, -1):
        node = graph.nodes[index - 1]
        children = [child for child in graph.nodes if node.id in child.parents]
        received = FEEDBACK * sum(mean[child.id] for child in children)
        values = []
        for item in node.items:
            own = item.priority / MAX_PRIORITY * (1 + len(children)) * math.exp(-DECAY * (newest - index))
            values.append(own + received)
            omega[node.id, item.item_id] = own + received
        mean[node.id] = sum(values) / len(values) if values else received
    return omega


def best_ms(work: Callable[[], object], repeats: int) -> float:
    """Milliseconds of the fastest of several runs."""
    gc.collect()
    gc.freeze()  # what is there already is not for this work to be collected
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times) * 1e3


def exponent(sizes: Sequence[int], times: Sequence[float]) -> float:
    """Slope of log time over log size: 1 is linear, 2 quadratic."""
    return float(np.polyfit(np.log(sizes), np.log(times), 1)[0])


def measure(sizes: Sequence[int], repeats: int) -> dict[str, object]:
    """The line; ``ValueError`` if the peer's energies differ."""
    graphs = {size: random_graph(size) for size in sizes}
    times = {size: best_ms(lambda graph=graph: granted(graph), repeats) for size, graph in graphs.items()}
    smallest = graphs[min(sizes)]
    ours, printed = energies(smallest), printed_energies(smallest)
    if any(not math.isclose(ours[key], printed[key], rel_tol=1e-9, abs_tol=1e-12) for key in ours):
        raise ValueError("the energies differ from Eq. 7 as printed")
    peer_ms = best_ms(lambda: printed_energies(smallest), 1)
    return {
        "name": "energy_budget",
        "sizes": {
            "nodes": list(sizes),
            "items": [sum(len(n.items) for n in g.nodes) for g in graphs.values()],
        },
        "ms": {str(size): round(ms, 2) for size, ms in times.items()},
        "exponent": round(exponent(list(times), list(times.values())), 2) if len(times) > 1 else None,
        "peer": PEER,
        "peer_ms": round(peer_ms, 2),
        "ratio": round(peer_ms / times[min(sizes)], 1),
    }


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", default="1000,3000,10000,30000", help="nodes of each graph")
    parser.add_argument("--repeats", type=int, default=5, help="runs of each size, the fastest counts")
    arguments = parser.parse_args(argv)
    print(json.dumps(measure([int(size) for size in arguments.sizes.split(",")], arguments.repeats)))


if __name__ == "__main__":
    main()
