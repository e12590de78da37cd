"""Questions and their gold plans: the searches by which an ideal agent would answer, before any file exists.

Holds records and their JSON form. Questions are made in ``templates/``; item ids come from the writers, because each format
names its items in its own way.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from assets.miniature.sentences import EvidenceKey

NOT_ANSWERABLE = "Not answerable"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedHop:
    """One search: both wordings, the items it must find and the summary to remember.

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
    """One question. ``template`` names its kind; ``chance`` is the score of the best guess without evidence."""

    dataset: str
    template: str
    text: str
    answer: str
    hops: tuple[PlannedHop, ...]
    chance: float
    choices: tuple[str, ...] = ()
    moment_s: float | None = None  # of a video, for time references

    @property
    def needs_pixels(self) -> bool:
        """Whether some hop can be answered from pixels only."""
        return any(hop.visual for hop in self.hops)

    @property
    def gold(self) -> tuple[EvidenceKey, ...]:
        """Gold of all hops, each once."""
        return tuple(dict.fromkeys(key for hop in self.hops for key in hop.gold))

    def to_json(
        self, *, question_id: str, split: str, item_ids: Mapping[EvidenceKey, str]
    ) -> dict[str, object]:
        """The line of ``plans.jsonl``; ``split`` is the world's, which is not always the split of the format."""
        hops = [
            {
                "id": number,
                "depends": list(hop.depends),
                "queries": list(hop.queries),
                "gold": [item_ids[key] for key in hop.gold],
                "summary": hop.summary,
                "visual": hop.visual,
                "timestamps": list(hop.timestamps),
            }
            for number, hop in enumerate(self.hops)
        ]
        return {
            "question_id": question_id,
            "dataset": self.dataset,
            "split": split,
            "template": self.template,
            "needs_pixels": self.needs_pixels,
            "chance": round(self.chance, 4),
            "hops": hops,
            "answer": self.answer,
        }
