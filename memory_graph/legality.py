"""Fits an action to the graph: what may be done now, and the nearest legal reading of ids that do not exist.

Knows nothing of text or JSON; ``parsing.py`` reads those.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from memory_graph.actions import Action, ActionError, Mark, Memorize, Search
from memory_graph.graph import ROOT, MemoryGraph, Modality, is_node_id

_ROOT_NAMES = frozenset({"root", "question", "q", "0", "n0", "none", "null"})
_NUMBERED = re.compile(r"(?:n|node)?[\s_#-]*(\d{1,6})", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingObservation:
    """A search whose observation was shown and whose summary is due."""

    search: Search
    modalities: tuple[Modality, ...] = ()  # of each observed item, in the order shown


class LegalAction(NamedTuple):
    """An action the graph accepts, and what had to be repaired for it (one short phrase each)."""

    action: Action
    repairs: tuple[str, ...]


def legalise(
    action: Action, graph: MemoryGraph, *, pending: PendingObservation | None, by_picture: bool = False
) -> LegalAction:
    """The nearest legal reading of ``action`` in the state (``graph``, ``pending``).

    Ids: a new node whose id is missing, malformed or taken becomes the next ``n<k>``. Parents: spellings such
    as ``N1``, ``node 1`` or ``question`` are resolved, a number beyond the newest node means the newest node,
    anything else is dropped; if none is left, a search hangs on the root and an answer on the newest node.
    What a search is to look like is dropped unless ``by_picture``, and then has to be a node that keeps pictures.
    Marks beyond the observation, second marks of an item and timestamps of stills are dropped; the id of a
    memorize is always the pending one. An answer may come straight after a search and may name the pending
    node.

    Raises:
        ActionError: nothing is pending to be memorised, a search before the pending one is memorised, an
        answered graph, an empty query, summary or answer, or a search by pictures that are not kept.
    """
    if graph.answer is not None:
        raise ActionError("The question is already answered.")
    if isinstance(action, Memorize):
        return _legal_memorize(action, pending)
    if isinstance(action, Search):
        return _legal_search(action, graph, pending, by_picture=by_picture)
    if not action.text.strip():
        raise ActionError("The answer is empty.")
    known = graph.ids if pending is None else (*graph.ids, pending.search.id)
    parents, repairs = _resolve(action.parents, known, default=known[-1])
    return LegalAction(replace(action, parents=parents), repairs)


def next_id(graph: MemoryGraph) -> str:
    """The next free id ``n<k>``: k counts the nodes from 1 and skips ids that are taken."""
    taken, number = set(graph.ids), len(graph.nodes) + 1
    while f"n{number}" in taken:
        number += 1
    return f"n{number}"


def _legal_search(
    action: Search, graph: MemoryGraph, pending: PendingObservation | None, *, by_picture: bool
) -> LegalAction:
    if pending is not None:
        raise ActionError(f"Memorize the results of {pending.search.id} before the next search.")
    if not action.query.strip():
        raise ActionError("The query is empty.")
    node_id, repairs = action.id, ()
    if not is_node_id(node_id) or node_id in graph.ids:
        node_id = next_id(graph)
        repairs = (f"node id set to {node_id}",)
    parents, parent_repairs = _resolve(action.parents, graph.ids, default=ROOT)
    like = _keeper(action.like, graph) if by_picture else ""
    return LegalAction(Search(node_id, parents, action.query, like), repairs + parent_repairs)


def _keeper(like: str, graph: MemoryGraph) -> str:
    """The node of that name, which keeps pictures; none for an empty name."""
    if not like:
        return ""
    name = like.strip().strip("[]").casefold()
    for node in reversed(graph.nodes):
        if node.id.casefold() == name and node.items:
            return node.id
    keepers = ", ".join(node.id for node in graph.nodes if node.items) or "none so far"
    raise ActionError(f"There are no kept pictures under {like[:40]!r}; nodes that keep some: {keepers}.")


def _legal_memorize(action: Memorize, pending: PendingObservation | None) -> LegalAction:
    if pending is None:
        raise ActionError("There is nothing to memorize: search first, or answer.")
    if not action.summary.strip():
        raise ActionError("The summary is empty: say what was found, or that nothing relevant was found.")
    repairs = [] if action.id == pending.search.id else [f"memorize id set to {pending.search.id}"]
    marks: dict[int, Mark] = {}
    for mark in action.marks:
        if mark.item > len(pending.modalities) or mark.item in marks:
            repairs.append("mark of an absent or already marked item dropped")
            continue
        if mark.timestamps and pending.modalities[mark.item - 1] is not Modality.VIDEO:
            repairs.append("timestamps of a still dropped")
            mark = replace(mark, timestamps=())
        marks[mark.item] = replace(mark, timestamps=tuple(sorted(set(mark.timestamps))))
    return LegalAction(
        Memorize(pending.search.id, action.summary, tuple(marks.values())), tuple(dict.fromkeys(repairs))
    )


def _resolve(
    parents: Sequence[str], known: Sequence[str], *, default: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Parents that exist, each once, and the repairs; ``known`` is in creation order, the root first."""
    by_spelling = {node_id.casefold(): node_id for node_id in reversed(known)} | {
        node_id: node_id for node_id in known
    }
    resolved_ids: dict[str, None] = {}
    repaired = not parents
    for parent in parents:
        resolved = (
            parent if parent in by_spelling else _nearest(parent.strip().casefold(), known, by_spelling)
        )
        repaired |= resolved != parent
        if resolved is not None:
            resolved_ids.setdefault(by_spelling[resolved])
    legal = tuple(resolved_ids) or (default,)
    return legal, (f"parents set to {','.join(legal)}",) if repaired else ()


def _nearest(spelling: str, known: Sequence[str], by_spelling: dict[str, str]) -> str | None:
    if spelling in by_spelling:
        return by_spelling[spelling]
    if spelling in _ROOT_NAMES:
        return ROOT
    if numbered := _NUMBERED.fullmatch(spelling):
        number = int(numbered[1])
        return by_spelling.get(f"n{number}") or known[min(number, len(known) - 1)]
    return None
