"""What an iterative agent keeps of images: the four strategies of the paper's second pilot study (arXiv 2602.12735).

All of them search, summarise and start each cycle from question and linearised graph; they differ in what stands under it:

* ``precaption``: the captions (text surrogates made at index time) of all results; no pixels anywhere, not even in observations;
* ``raw_visual``: the images of all results, at the sizes they were observed with;
* ``context_caption``: nothing; the model describes useful items in view of the query, in the summary;
* ``related_visual``: the images of useful items only, key frames of clips, at the sizes they were observed with.

There are no energies and no grants here: the caps are those of single images and of the context. When it is too long, what was
kept first goes first; graph and question never.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

from memory_graph.graph import SearchNode
from model.agent.context import DisplayedEvidence, evidence_of, excerpt, fit, opening_turns, state_parts
from model.agent.display import without_images
from model.agent.events import ObservationAdded
from model.agent.memory.cycle import CycleSession
from model.agent.memory.session import MemoryPolicy
from model.agent.prompts import Profile
from model.types import DisplayedHit, ImageRef, Message

Keep: TypeAlias = Callable[[ObservationAdded, SearchNode], tuple[DisplayedEvidence, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """What is kept of one search, and how the agent is told."""

    instruction: Callable[[Profile], str]
    keep: Keep
    sees_images: bool = True


def _captions(observed: ObservationAdded, node: SearchNode) -> tuple[DisplayedEvidence, ...]:
    return tuple(evidence_of(node, display, text=display.hit.text) for display in observed.shown)


def _all_images(observed: ObservationAdded, node: SearchNode) -> tuple[DisplayedEvidence, ...]:
    return tuple(
        evidence_of(node, display, images=display.images) for display in observed.shown if display.images
    )


def _nothing(observed: ObservationAdded, node: SearchNode) -> tuple[DisplayedEvidence, ...]:
    return ()


def _useful_images(observed: ObservationAdded, node: SearchNode) -> tuple[DisplayedEvidence, ...]:
    useful = {item.item_id: item.timestamps for item in node.items}
    return tuple(
        evidence_of(node, display, images=_key_frames(display, useful[display.hit.item_id]))
        for display in observed.shown
        if display.hit.item_id in useful and display.images
    )


def _key_frames(display: DisplayedHit, times: tuple[float, ...]) -> tuple[ImageRef, ...]:
    return tuple(image for image in display.images if not times or image.timestamp_s in times)


STRATEGIES: Mapping[str, Strategy] = {
    "precaption": Strategy(
        instruction=lambda profile: profile.system_captions, keep=_captions, sees_images=False
    ),
    "raw_visual": Strategy(instruction=lambda profile: profile.system_all_images, keep=_all_images),
    "context_caption": Strategy(instruction=lambda profile: profile.system_descriptions, keep=_nothing),
    "related_visual": Strategy(instruction=lambda profile: profile.system, keep=_useful_images),
}


class StrategySession(CycleSession):
    """The graph, and under it what the strategy keeps, in the order it was found."""

    _kept: tuple[DisplayedEvidence, ...] = ()

    @property
    def _strategy(self) -> Strategy:
        return STRATEGIES[self._policy.name]

    def display(self, shown: tuple[DisplayedHit, ...]) -> tuple[DisplayedHit, ...]:
        """All of it, or its texts only."""
        return shown if self._strategy.sees_images else tuple(map(without_images, shown))

    def known(self) -> frozenset[str]:
        """What the context already holds: what is kept, and texts whose content is in a summary."""
        return frozenset(evidence.item_id for evidence in self._kept) | self.environment.noted

    def remember(self, observed: ObservationAdded, node: SearchNode) -> None:
        """Keep what the strategy keeps, as far as it fits."""
        limits = self.environment.limits
        new = (
            replace(evidence, text=excerpt(evidence.text, limits.passage_chars))
            for evidence in self._strategy.keep(observed, node)
        )
        self._kept = fit(
            self._context,
            (*self._kept, *new),
            max_tokens=limits.context_tokens,
            count=self._policy.count_tokens,
        )

    def rebuilt(self) -> tuple[Message, ...]:
        """Instruction, question, graph, what is kept."""
        return self._context(self._kept)

    def _context(self, kept: tuple[DisplayedEvidence, ...]) -> tuple[Message, ...]:
        parts = state_parts(self._profile, self.environment.task, self.environment.graph, kept)
        return opening_turns(self._strategy.instruction(self._profile), parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossModal(MemoryPolicy):
    """One of ``STRATEGIES``, under its name."""

    session = StrategySession

    def __post_init__(self) -> None:
        if self.name not in STRATEGIES:
            raise ValueError(f"unknown strategy {self.name!r}; known: {', '.join(STRATEGIES)}")
