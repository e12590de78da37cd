"""What is asked and how an ideal agent would find it: questions with their hops, before any file exists.

Holds records and their JSON form. Questions are made in ``asking/``; item ids come from the writers, because each format
names its items in its own way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from assets.miniature.sentences import EvidenceKey

NOT_ANSWERABLE = "Not answerable"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedHop:
    """One search: both wordings, the items it must find and what is then worth remembering.

    ``summary`` of a visual hop names what is kept and not its value, unless a later hop depends on that value.
    ``timestamps`` are the moments of a clip to keep, seconds from the clip's start.
    """

    queries: tuple[str, ...]
    gold: tuple[EvidenceKey, ...]
    summary: str
    depends: tuple[int, ...] = ()
    visual: bool = False
    timestamps: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedQuestion:
    """One question. ``template`` names its kind; ``chance`` is what the best guess without evidence scores on it."""

    dataset: str
    template: str
    text: str
    answer: str
    hops: tuple[PlannedHop, ...]
    chance: float
    choices: tuple[str, ...] = ()
    moment_s: float | None = None  # of a film, for time references

    @property
    def needs_pixels(self) -> bool:
        """Whether some hop can be answered from pixels only."""
        return any(hop.visual for hop in self.hops)

    @property
    def gold(self) -> tuple[EvidenceKey, ...]:
        """Gold of all hops, each once."""
        return tuple(dict.fromkeys(key for hop in self.hops for key in hop.gold))


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedQuestion:
    """A question as its writer placed it: the id and split under which the parser will yield it."""

    asked: PlannedQuestion
    question_id: str
    split: str  # of the world, which is not always the split of the format
    ids: Mapping[EvidenceKey, str] = field(repr=False)

    def to_json(self) -> dict[str, object]:
        """The line of ``plans.jsonl``."""
        asked = self.asked
        hops = [
            {
                "id": number,
                "depends": list(hop.depends),
                "queries": list(hop.queries),
                "gold": [self.ids[key] for key in hop.gold],
                "summary": hop.summary,
                "visual": hop.visual,
                "timestamps": list(hop.timestamps),
            }
            for number, hop in enumerate(asked.hops)
        ]
        return {
            "question_id": self.question_id,
            "dataset": asked.dataset,
            "split": self.split,
            "template": asked.template,
            "needs_pixels": asked.needs_pixels,
            "chance": round(asked.chance, 4),
            "hops": hops,
            "answer": asked.answer,
        }
