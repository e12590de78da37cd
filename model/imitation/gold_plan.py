"""How a question of an invented world is answered, and how a demonstration of it errs.

Records and one pure function; they are played by ``oracle.py``. Plans come from whoever invented the question.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from model.agent.memory.universalrag import NO_SEARCH
from model.item_ids import PAGE_KINDS, IdKind, id_kind, video_of

_ROUTE_OF_KIND: Mapping[str, str] = {
    **dict.fromkeys(PAGE_KINDS, "document"),
    IdKind.IMAGE: "image",
    IdKind.CLIP: "clip",
    IdKind.VIDEO: "clip",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldHop:
    """One step of a plan: what to search (wordings in order of preference), and what to note when it is found."""

    queries: tuple[str, ...]
    gold: frozenset[str]
    summary: str
    depends: tuple[int, ...] = ()
    timestamps: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldPlan:
    """How one question is answered."""

    hops: tuple[GoldHop, ...]
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DemonstrationNoise:
    """How often a demonstration errs; probabilities per planned search."""

    dead_end: float = 0.25
    repeat: float = 0.10
    broad: float = 0.15
    repair: float = 0.0
    """Probability that a reply is said wrongly first, refused, and said rightly once the error was heard."""
    distractions: tuple[str, ...] = ()
    """Queries that lead elsewhere; drawn for dead ends."""

    def __post_init__(self) -> None:
        if min(self.dead_end, self.repeat, self.broad) < 0 or self.dead_end + self.repeat + self.broad >= 1:
            raise ValueError(f"noise probabilities must be at least 0 and sum below 1: {self}")
        if not 0 <= self.repair < 1:
            raise ValueError(f"the share of replies that are repaired must be at least 0 and below 1: {self}")


def route_of(plan: GoldPlan) -> str:
    """Where a router has to look: the place that holds most of the gold; clips of one video are looked for as that video."""
    gold = [item_id for hop in plan.hops for item_id in sorted(hop.gold)]
    if not gold:
        return NO_SEARCH
    places = Counter(_ROUTE_OF_KIND.get(id_kind(item_id), "paragraph") for item_id in gold)
    place = places.most_common(1)[0][0]
    one_video = len({video_of(item_id) for item_id in gold}) == 1 < len(set(gold))
    return "video" if place == "clip" and one_video else place
