"""The memory of one rollout: a directed acyclic graph of searches from the question to one answer.

Holds ids, text and references to visual evidence; never pixels, tokens or tensors. Nodes are kept in creation
order and every parent precedes its child, so a graph that exists is acyclic: a broken invariant cannot be
constructed. Energies live in ``energy.py``, pixel grants in ``budget.py``, credit in ``credit.py``, text in
``linearise.py``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

ROOT = "root"

MIN_PRIORITY, MAX_PRIORITY = 1, 5

# Ids are written unquoted into the linearised graph, so they may hold no separator, quote or space.
_NODE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}", re.ASCII)


def is_node_id(text: str) -> bool:
    """Whether ``text`` may name a search node: 1 to 32 of ``A-Z a-z 0-9 _ . -``, and not ``root``."""
    return _NODE_ID.fullmatch(text) is not None and text.casefold() != ROOT


class Modality(StrEnum):
    """What a model perceives of an item."""

    TEXT = "text"
    IMAGE = "image"
    VIDEO = "video"


class VisualKind(StrEnum):
    """What a kept item is, for a reader."""

    IMAGE = "image"
    PAGE = "page"
    VIDEO = "video"

    @property
    def modality(self) -> Modality:
        """A page is seen as an image."""
        return Modality.VIDEO if self is VisualKind.VIDEO else Modality.IMAGE


@dataclass(frozen=True, slots=True, kw_only=True)
class VisualItem:
    """One image, page or video clip kept by a node."""

    item_id: str
    kind: VisualKind
    priority: int  # 1 (least) to 5, as stated by the model
    width: int  # native pixels; of one frame when the item is a video
    height: int
    timestamps: tuple[float, ...] = ()  # key frames kept, seconds from the clip's start; empty for stills

    def __post_init__(self) -> None:
        """Raises ``ValueError`` for a field out of range."""
        if not self.item_id:
            raise ValueError("a visual item needs an id")
        if not MIN_PRIORITY <= self.priority <= MAX_PRIORITY:
            raise ValueError(f"priority of {self.item_id!r} must be 1 to 5, got {self.priority}")
        if self.width < 1 or self.height < 1:
            raise ValueError(f"{self.item_id!r} must have a native size, got {self.width}x{self.height}")
        if self.timestamps and self.kind is not VisualKind.VIDEO:
            raise ValueError(f"{self.item_id!r} is a {self.kind}; only a video has timestamps")
        if any(not math.isfinite(time_s) or time_s < 0 for time_s in self.timestamps):
            raise ValueError(
                f"timestamps of {self.item_id!r} must be finite and not negative: {self.timestamps}"
            )

    @property
    def num_frames(self) -> int:
        """Images shown for the item: 1 for a still (and for a video whose frames were not chosen)."""
        return max(1, len(self.timestamps))


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchNode:
    """One finalised search v_i = (p_i, q_i, s_i, m_i). Parents named twice count once; one is needed."""

    id: str
    parents: tuple[str, ...]  # p_i, ids of older nodes or "root"
    query: str  # q_i
    summary: str = ""  # s_i
    items: tuple[VisualItem, ...] = ()  # m_i, the useful visual items
    retrieved: tuple[str, ...] = ()  # every item id the search returned, useful or not
    noted: tuple[str, ...] = ()  # ids of the useful texts: their content is in the summary

    def __post_init__(self) -> None:
        """Raises ``ValueError`` for a malformed id, no parent, or an item kept twice."""
        if not is_node_id(self.id):
            raise ValueError(f"not a node id: {self.id!r}")
        object.__setattr__(self, "parents", _distinct(self.parents))
        if not self.parents:
            raise ValueError(f"node {self.id!r} has no parent; only the root has none")
        if len({item.item_id for item in self.items}) < len(self.items):
            raise ValueError(f"node {self.id!r} keeps one item twice")


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerNode:
    """The terminal node. Parents named twice count once; at least one is needed."""

    parents: tuple[str, ...]
    text: str

    def __post_init__(self) -> None:
        """Raises ``ValueError`` when no parent is left."""
        object.__setattr__(self, "parents", _distinct(self.parents))
        if not self.parents:
            raise ValueError(
                "the answer has no parent; an answer that rests on no search has the parent 'root'"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryGraph:
    """G_t = (V_t, E_t). Immutable: ``add`` and ``finish`` return a new graph.

    Invariants, each refused with ``ValueError``: ids are unique, parents are known and older, the root is the
    only node without parents, there is at most one answer and nothing follows it.
    """

    question: str
    nodes: tuple[SearchNode, ...] = ()  # creation order
    answer: AnswerNode | None = None

    def __post_init__(self) -> None:
        """Raises ``ValueError`` for the first broken invariant."""
        known = {ROOT}
        for node in self.nodes:
            if node.id in known:
                raise ValueError(f"node id {node.id!r} is taken")
            _require_known(node.parents, known, f"node {node.id!r}")
            known.add(node.id)
        if self.answer is not None:
            _require_known(self.answer.parents, known, "the answer")

    @property
    def ids(self) -> tuple[str, ...]:
        """Every node id in creation order, the root first; the answer has none."""
        return (ROOT, *(node.id for node in self.nodes))

    def add(self, node: SearchNode) -> MemoryGraph:
        """The graph with one more search node, which becomes the newest."""
        if self.answer is not None:
            raise ValueError(f"the graph is answered; node {node.id!r} cannot be added")
        return replace(self, nodes=(*self.nodes, node))

    def finish(self, answer: AnswerNode) -> MemoryGraph:
        """The graph closed by its answer."""
        if self.answer is not None:
            raise ValueError("the graph already has an answer")
        return replace(self, answer=answer)

    def ancestors(self, node_ids: Iterable[str]) -> frozenset[str]:
        """All that the given nodes rest on, over every branch: themselves included, the root left out."""
        support = set(node_ids)
        _require_known(support, set(self.ids), "the closure")
        for node in reversed(self.nodes):
            if node.id in support:
                support.update(node.parents)
        return frozenset(support - {ROOT})


def _distinct(ids: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(ids))


def _require_known(ids: Iterable[str], known: set[str], whose: str) -> None:
    if unknown := [node_id for node_id in ids if node_id not in known]:
        raise ValueError(f"{whose} names unknown or younger nodes {unknown}")
