"""Which segments of a rollout take gradient: the prune mask of GGPO (Eq. 11).

Structure decides credit, the trainer only executes it: a mask holds one bool a segment, search nodes in
creation order and the terminal (answer) segment last. It is not a loss-token mask; a pruned segment is not
trained at all, and the ratio of a kept one never changes by it.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from memory_graph.graph import MemoryGraph, SearchNode

KEPT_SUPPORT = "kept: the answer rests on it"
KEPT_NO_GOLD = "kept: wrong answer, no gold evidence returned"
KEPT_TERMINAL = "kept: the answer segment is never pruned"
KEPT_OPTION = "kept: pruning is switched off for this outcome"
PRUNED_DEAD_END = "pruned: right answer, which does not rest on it"
PRUNED_GOLD = "pruned: wrong answer, but it returned gold evidence"


def pruned_segments(
    graph: MemoryGraph,
    *,
    correct: bool,
    gold: AbstractSet[str],
    positives: bool = True,
    negatives: bool = True,
) -> tuple[bool, ...]:
    """The mask mu of Eq. 11, length ``len(graph.nodes) + 1``: True where a segment earns no gradient.

    With a right answer the nodes outside the ancestor closure of the answer (P_ans) are pruned, with a wrong
    one those that returned gold evidence (R_val). ``positives`` and ``negatives`` switch the two rules off
    for ablations.

    Raises:
        ValueError: ``correct`` for a graph without an answer.
    """
    reasons = prune_reasons(graph, correct=correct, gold=gold, positives=positives, negatives=negatives)
    return tuple(reason.startswith("pruned") for reason in reasons)


def prune_reasons(
    graph: MemoryGraph,
    *,
    correct: bool,
    gold: AbstractSet[str],
    positives: bool = True,
    negatives: bool = True,
) -> tuple[str, ...]:
    """Why each segment is kept or pruned, in the order of ``pruned_segments``.

    Each text is one of this module's constants and starts with "kept" or "pruned".

    Raises:
        ValueError: ``correct`` for a graph without an answer.
    """
    if correct and graph.answer is None:
        raise ValueError("a rollout without an answer cannot be correct")
    if not (positives if correct else negatives):
        return (*(KEPT_OPTION for _ in graph.nodes), KEPT_TERMINAL)
    if graph.answer is not None and correct:
        support = graph.ancestors(graph.answer.parents)
        return (
            *(KEPT_SUPPORT if node.id in support else PRUNED_DEAD_END for node in graph.nodes),
            KEPT_TERMINAL,
        )
    return (
        *(PRUNED_GOLD if _returned_gold(node, gold) else KEPT_NO_GOLD for node in graph.nodes),
        KEPT_TERMINAL,
    )


def random_mask(mask: Sequence[bool], *, seed: int) -> tuple[bool, ...]:
    """The baseline of Eq. 11: as many pruned segments as in ``mask``, drawn evenly among the search segments.

    Raises:
        ValueError: an empty mask, or one that prunes the terminal segment.
    """
    if not mask or mask[-1]:
        raise ValueError("a mask holds the terminal segment last, which is never pruned")
    drawn = set(random.Random(seed).sample(range(len(mask) - 1), sum(mask)))
    return tuple(index in drawn for index in range(len(mask)))


def _returned_gold(node: SearchNode, gold: AbstractSet[str]) -> bool:
    return any(item in gold for item in node.retrieved) or any(item.item_id in gold for item in node.items)
