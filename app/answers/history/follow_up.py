"""What a follow-up question may know of its conversation: earlier questions and answers, and the nodes they rest on.

A node stays if every item that its search returned is still in the corpus and within what may be searched now: a summary
may hold words of any of them. An answer stays if the same is true of what it cites and of its own scope. So a file that was
removed, or that the reader left out, is not read through the conversation either.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from app.answers.catalogue import Catalogue
from app.answers.history.records import StoredConversation, StoredTurn
from app.answers.history.store import History
from app.answers.records import ItemRecord
from memory_graph import codec
from memory_graph.graph import ROOT, MemoryGraph, SearchNode
from memory_graph.linearise import one_line
from model.agent.memory.session import Recollection

MOST_TURNS = 6  # whose words are told
MOST_ANSWER_CHARS = 1_200
MOST_QUESTION_CHARS = 600
NODE_CHARS = 12_000  # of queries and summaries that are taken over, the latest first
HEADING = "Earlier in this conversation, for what the question refers to; it is no evidence by itself:\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUp:
    """A conversation as the next question knows it."""

    conversation: str
    known: Recollection
    items: Mapping[str, ItemRecord] = field(default_factory=dict)
    """What the model was shown of it before, by item."""
    found_by: Mapping[str, str] = field(default_factory=dict)
    """Node by item."""


def follow_up(
    history: History,
    conversation: StoredConversation,
    catalogue: Catalogue,
    *,
    files: Collection[str] | None = None,
    datasets: Collection[str] | None = None,
) -> FollowUp:
    """What may be known of a conversation by a question over ``files`` and ``datasets`` (None: over everything)."""
    graph = _latest_graph(history, conversation.turns)
    nodes = () if graph is None else graph.nodes
    cited = {
        each.item_id for turn in conversation.turns for each in (turn.record.citations if turn.record else ())
    }
    asked = cited.union(*(node.retrieved for node in nodes)) if nodes else cited
    allowed = {
        item_id: item
        for item_id, item in catalogue.find(asked).items()
        if (datasets is None or item.dataset in datasets) and (files is None or item.file in files)
    }
    kept = _bounded([node for node in nodes if set(node.retrieved) <= set(allowed)])
    shown = {
        id_: node.id for node in reversed(kept) for id_ in (*(i.item_id for i in node.items), *node.noted)
    }
    items = {item_id: allowed[item_id] for item_id in shown}
    known = Recollection(
        said=_said(conversation.turns, set(allowed), files),
        graph=_rewired(graph, kept) if graph is not None and kept else None,
        titles={item_id: item.title for item_id, item in items.items()},
        texts={item_id: item.text for item_id, item in items.items()},
    )
    return FollowUp(conversation=conversation.id, known=known, items=items, found_by=shown)


def _latest_graph(history: History, turns: Sequence[StoredTurn]) -> MemoryGraph | None:
    """The newest graph with nodes; one that went on from an earlier one holds that too."""
    for turn in reversed(turns):
        stored: Mapping[str, Any] | None = history.graph(turn.id)
        if stored is None:
            continue
        try:
            graph = codec.decode(stored)
        except ValueError:
            continue  # of another version: the words are enough
        if graph.nodes:
            return graph
    return None


def _bounded(nodes: Sequence[SearchNode]) -> list[SearchNode]:
    """The latest nodes, in creation order, whose words fit."""
    kept: list[SearchNode] = []
    left = NODE_CHARS
    for node in reversed(nodes):
        left -= len(node.query) + len(node.summary)
        if left < 0:
            break
        kept.append(node)
    return kept[::-1]


def _rewired(graph: MemoryGraph, kept: Sequence[SearchNode]) -> MemoryGraph:
    """The graph of the nodes that stay; for a parent that goes, its own parents stand."""
    by_id = {node.id: node for node in graph.nodes}
    stays = {node.id for node in kept}

    def parents(node: SearchNode) -> list[str]:
        found: list[str] = []
        for parent in node.parents:
            found += [parent] if parent in stays or parent == ROOT else parents(by_id[parent])
        return found

    return MemoryGraph(
        question=graph.question, nodes=tuple(replace(node, parents=tuple(parents(node))) for node in kept)
    )


def _said(turns: Sequence[StoredTurn], allowed: set[str], files: Collection[str] | None) -> str:
    lines: list[str] = []
    for turn in turns[-MOST_TURNS:]:
        lines.append(f"Question: {one_line(turn.question)[:MOST_QUESTION_CHARS]}")
        if turn.record is not None and turn.record.answer and _may_be_told(turn, allowed, files):
            lines.append(f"Answer: {one_line(turn.record.answer)[:MOST_ANSWER_CHARS]}")
    return HEADING + "\n".join(lines) + "\n\n" if lines else ""


def _may_be_told(turn: StoredTurn, allowed: set[str], files: Collection[str] | None) -> bool:
    assert turn.record is not None
    within = files is None or (turn.files is not None and set(turn.files) <= set(files))
    return within and {each.item_id for each in turn.record.citations} <= allowed
