"""What a drawing may say about nodes beyond the graph itself: titles, energies, grants, thumbnails.

Holds plain records. All text and every address in them is untrusted; cleaning and escaping is done where they are drawn.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from memory_graph.drawing.layering import node_ids
from memory_graph.graph import MemoryGraph, SearchNode, VisualItem


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemNote:
    """One kept item as it is shown to a reader."""

    item_id: str
    title: str = ""
    modality: str = "image"  # "text" | "image" | "page" | "video"; anything else gets a neutral mark
    priority: int | None = None  # 1 (least) to 5
    energy: float | None = None  # Eq. 7; None where unknown
    pixels: int | None = None  # granted, all frames together; None where the item is kept but not shown
    tokens: int | None = None  # visual tokens that the grant pays for
    width: int = 0  # native pixels; 0 where unknown
    height: int = 0
    thumbnail_href: str | None = (
        None  # an absolute path such as "/v1/media?item=a", or a data URI of an image
    )
    timestamps: tuple[float, ...] = ()  # key frames, seconds from the clip's start

    def __post_init__(self) -> None:
        """Raises ``ValueError`` for a number that cannot be."""
        if self.energy is not None and not 0 <= self.energy < math.inf:
            raise ValueError(
                f"the energy of {self.item_id!r} must be finite and not negative, got {self.energy}"
            )
        for name, value in (("pixels", self.pixels), ("tokens", self.tokens)):
            if value is not None and value < 0:
                raise ValueError(f"{name} of {self.item_id!r} must not be negative, got {value}")
        if any(not 0 <= time_s < math.inf for time_s in self.timestamps):
            raise ValueError(
                f"timestamps of {self.item_id!r} must be finite and not negative: {self.timestamps}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeNote:
    """One node: its kept items as the reader is to see them, and a line below them."""

    items: tuple[ItemNote, ...] = ()
    caption: str = ""


NO_NOTE = NodeNote()


def require_known(graph: MemoryGraph, notes: Mapping[str, NodeNote]) -> None:
    """Raises ``ValueError`` for a note about a node that is not drawn."""
    if unknown := sorted(set(notes) - set(node_ids(graph))):
        raise ValueError(f"notes about unknown nodes {unknown[:5]}")


def items_of(node: SearchNode, note: NodeNote) -> tuple[ItemNote, ...]:
    """The noted items, or what the graph itself knows of the kept ones when there are none."""
    return note.items or tuple(map(_plain, node.items))


def clock(time_s: float) -> str:
    """``0:07``, ``12:30.5``, ``1:02:03``: seconds as a person writes them."""
    tenths = round(time_s * 10)
    seconds, tenth = divmod(tenths, 10)
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    whole = f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
    return f"{whole}.{tenth}" if tenth else whole


def amount(count: int) -> str:
    """``900``, ``131k``, ``1.3M``: a count in at most four characters up to 999 million."""
    if count < 1000:
        return str(count)
    for unit, name in ((10**3, "k"), (10**6, "M"), (10**9, "G")):
        if round(count / unit) < 1000:
            scaled = count / unit
            return f"{scaled:.1f}{name}" if unit > 10**3 and scaled < 9.95 else f"{scaled:.0f}{name}"
    return f"{count / 10**9:.0f}G"


def grant(item: ItemNote) -> str:
    """``128 tok · 131k px``: what the item was granted, as far as it is known."""
    parts = []
    if item.tokens is not None:
        parts.append(f"{item.tokens if item.tokens < 10_000 else amount(item.tokens)} tok")
    if item.pixels is not None:
        parts.append(f"{amount(item.pixels)} px")
    return " · ".join(parts)


def counts(node: SearchNode) -> str:
    """``3 found · 2 useful``: what a search returned, and how much of it was kept or noted."""
    num_useful = len(node.items) + len(node.noted)
    useful = f"{num_useful or 'none'} useful"
    return f"{len(node.retrieved)} found · {useful}" if node.retrieved else useful


def describe(item: ItemNote) -> str:
    """Everything known of an item, in one line of plain text."""
    facts = [item.title or item.item_id, item.modality]
    if item.timestamps:
        facts.append("at " + ", ".join(map(clock, item.timestamps)))
    if item.priority is not None:
        facts.append(f"priority {item.priority} of 5")
    if item.energy is not None:
        facts.append(f"energy {item.energy:.2f}")
    if item.width and item.height:
        facts.append(f"{item.width} × {item.height} px native")
    facts.append(("granted " + grant(item)) if grant(item) else "")
    return " · ".join(filter(None, facts))


def _plain(item: VisualItem) -> ItemNote:
    return ItemNote(
        item_id=item.item_id,
        modality=item.kind,
        priority=item.priority,
        width=item.width,
        height=item.height,
        timestamps=item.timestamps,
    )
