"""Which segments of a rollout take gradient, and why: the prune mask of GGPO (Eq. 11 of arXiv 2602.12735).

Structure decides credit, the trainer only executes it. There is one ``Credit`` a segment, search nodes in creation order and
the terminal (answer) segment last. It is not a loss-token mask: a pruned segment is not trained at all, and the ratio of a
kept one never changes by it.
"""

import random
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum

from memory_graph.graph import MemoryGraph, SearchNode


class PruneReason(StrEnum):
    """Why a segment is pruned or kept. The values are stored and shown as they are."""

    SUPPORTS_ANSWER = "kept: the answer rests on it"
    NO_GOLD = "kept: wrong answer, no gold evidence returned"
    TERMINAL = "kept: the answer segment is never pruned"
    RULE_OFF = "kept: pruning is switched off for this outcome"
    NOT_DRAWN = "kept: not drawn by chance"
    NO_VERDICT = "kept: there is no verdict to prune by"
    DEAD_END = "pruned: right answer, which does not rest on it"
    RETURNED_GOLD = "pruned: wrong answer, but it returned gold evidence"
    DRAWN = "pruned: drawn by chance"
    REFUSED_RIGHT = "pruned: refused reply of a right rollout"
    REFUSED_WRONG = "kept: refused reply of a wrong rollout"


@dataclass(frozen=True, slots=True)
class Credit:
    """Whether one segment is left out of the gradient (mu of Eq. 11), and why."""

    pruned: bool
    reason: PruneReason


TERMINAL = Credit(False, PruneReason.TERMINAL)


def segment_credits(
    graph: MemoryGraph,
    *,
    correct: bool,
    gold: AbstractSet[str],
    positives: bool = True,
    negatives: bool = True,
) -> tuple[Credit, ...]:
    """The mask mu of Eq. 11 with its reasons, length ``len(graph.nodes) + 1``.

    With a right answer the nodes outside the ancestor closure of the answer (P_ans) are pruned, with a wrong one those that
    returned gold evidence (R_val). ``positives`` and ``negatives`` switch the two rules off for ablations.

    Raises:
        ValueError: ``correct`` for a graph without an answer.
    """
    if correct and graph.answer is None:
        raise ValueError("a rollout without an answer cannot be correct")
    if not (positives if correct else negatives):
        searches = [Credit(False, PruneReason.RULE_OFF) for _ in graph.nodes]
    elif graph.answer is not None and correct:
        support = graph.ancestors(graph.answer.parents)
        kept, pruned = Credit(False, PruneReason.SUPPORTS_ANSWER), Credit(True, PruneReason.DEAD_END)
        searches = [kept if node.id in support else pruned for node in graph.nodes]
    else:
        kept, pruned = Credit(False, PruneReason.NO_GOLD), Credit(True, PruneReason.RETURNED_GOLD)
        searches = [pruned if returned_gold(node, gold) else kept for node in graph.nodes]
    return (*searches, TERMINAL)


def refused_credit(*, correct: bool, positives: bool = True, negatives: bool = True) -> Credit:
    """Credit of replies that the environment refused, as a unit of their own [ours].

    A right answer does not rest on them, so they are pruned there; in a wrong rollout no gold that their node found shields
    them, so they are kept. A rule that is off for the outcome keeps them.
    """
    if not (positives if correct else negatives):
        return Credit(False, PruneReason.RULE_OFF)
    return Credit(True, PruneReason.REFUSED_RIGHT) if correct else Credit(False, PruneReason.REFUSED_WRONG)


def random_credits(credits: Sequence[Credit], *, seed: int) -> tuple[Credit, ...]:
    """The baseline of Eq. 11: as many pruned segments as in ``credits``, drawn evenly among the search segments.

    Raises:
        ValueError: no credit at all, or a pruned terminal segment.
    """
    if not credits or credits[-1].pruned:
        raise ValueError("the last credit is that of the terminal segment, which is never pruned")
    num_pruned = sum(credit.pruned for credit in credits)
    drawn = set(random.Random(seed).sample(range(len(credits) - 1), num_pruned))
    kept, pruned = Credit(False, PruneReason.NOT_DRAWN), Credit(True, PruneReason.DRAWN)
    return (*(pruned if index in drawn else kept for index in range(len(credits) - 1)), credits[-1])


def returned_gold(node: SearchNode, gold: AbstractSet[str]) -> bool:
    """Whether a search returned gold evidence: its node is in R_val of Eq. 11."""
    return any(item in gold for item in node.retrieved) or any(item.item_id in gold for item in node.items)
