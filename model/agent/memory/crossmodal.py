"""What an iterative agent keeps of pictures: the four strategies of the paper's second pilot study (arXiv 2602.12735).

All of them search, summarise and start each cycle from question and linearised graph; they differ in what stands under it:

* ``precaption``: the captions (text surrogates made at index time) of all results; no pixels anywhere, not even in observations;
* ``raw_visual``: the pictures of all results, at the sizes they were observed with;
* ``context_caption``: nothing; the model describes useful items in view of the query, in the summary;
* ``related_visual``: the pictures of useful items only, key frames of clips, at the sizes they were observed with.

There are no energies and no grants here: the caps are those of single pictures and of the context. When it is too long, what was
kept first goes first; graph and question never.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

from memory_graph.graph import SearchNode
from model.agent.context import (
    DisplayedEvidence,
    TokenCounter,
    estimate_tokens,
    excerpt,
    fit,
    state_parts,
)
from model.agent.environment import Environment
from model.agent.events import ObservationAdded
from model.agent.memory.cycle import CycleSession
from model.agent.memory.observation import ObservationRenderer
from model.agent.prompts import FULL, Profile
from model.config.limits import Limits
from model.protocols import Retriever
from model.types import DisplayedHit, ImageRef, Message, Role, Task

Keep: TypeAlias = Callable[[ObservationAdded, SearchNode], tuple[DisplayedEvidence, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """What is kept of one search, and how the agent is told."""

    instruction: Callable[[Profile], str]
    keep: Keep
    sees_pictures: bool = True


def _captions(observed: ObservationAdded, node: SearchNode) -> tuple[DisplayedEvidence, ...]:
    return tuple(_evidence(node, each, text=each.hit.text) for each in observed.shown)


def _all_pictures(observed: ObservationAdded, node: SearchNode) -> tuple[DisplayedEvidence, ...]:
    return tuple(_evidence(node, each, images=each.images) for each in observed.shown if each.images)


def _nothing(observed: ObservationAdded, node: SearchNode) -> tuple[DisplayedEvidence, ...]:
    return ()


def _useful_pictures(observed: ObservationAdded, node: SearchNode) -> tuple[DisplayedEvidence, ...]:
    useful = {item.item_id: item.timestamps for item in node.items}
    return tuple(
        _evidence(node, each, images=_key_frames(each, useful[each.hit.item_id]))
        for each in observed.shown
        if each.hit.item_id in useful and each.images
    )


def _key_frames(each: DisplayedHit, times: tuple[float, ...]) -> tuple[ImageRef, ...]:
    return tuple(image for image in each.images if not times or image.timestamp_s in times)


def _evidence(
    node: SearchNode, each: DisplayedHit, *, images: tuple[ImageRef, ...] = (), text: str = ""
) -> DisplayedEvidence:
    return DisplayedEvidence(
        node_id=node.id, item_id=each.hit.item_id, title=each.hit.title, images=images, text=text
    )


STRATEGIES: Mapping[str, Strategy] = {
    "precaption": Strategy(
        instruction=lambda profile: profile.system_captions, keep=_captions, sees_pictures=False
    ),
    "raw_visual": Strategy(instruction=lambda profile: profile.system_all_pictures, keep=_all_pictures),
    "context_caption": Strategy(instruction=lambda profile: profile.system_descriptions, keep=_nothing),
    "related_visual": Strategy(instruction=lambda profile: profile.system, keep=_useful_pictures),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossModal:
    """One of ``STRATEGIES``, under its name."""

    name: str
    profile: Profile = FULL
    count_tokens: TokenCounter = estimate_tokens

    def __post_init__(self) -> None:
        if self.name not in STRATEGIES:
            raise ValueError(f"unknown strategy {self.name!r}; known: {', '.join(STRATEGIES)}")

    def open(self, task: Task, retriever: Retriever, limits: Limits) -> CycleSession:
        """The session of one rollout."""
        environment = Environment(task, retriever, limits)
        observing = ObservationRenderer(profile=self.profile, limits=limits, count=self.count_tokens)
        return CycleSession(environment, StrategyContents(self, environment), observing)


class StrategyContents:
    """The graph, and under it what the strategy keeps, in the order it was found."""

    def __init__(self, policy: CrossModal, environment: Environment) -> None:
        self._policy, self._environment = policy, environment
        self._strategy = STRATEGIES[policy.name]
        self._kept: tuple[DisplayedEvidence, ...] = ()

    def display(self, shown: tuple[DisplayedHit, ...]) -> tuple[DisplayedHit, ...]:
        """All of it, or its texts only."""
        if self._strategy.sees_pictures:
            return shown
        return tuple(replace(each, images=(), interval_s=0.0) for each in shown)

    def known(self) -> frozenset[str]:
        """What the context already holds: what is kept, and texts whose content is in a summary."""
        return frozenset(each.item_id for each in self._kept) | self._environment.noted

    def wording(self, summary: str) -> str:
        """As it was given."""
        return summary

    def remember(self, observed: ObservationAdded, node: SearchNode) -> None:
        """Keep what the strategy keeps, as far as it fits."""
        limits = self._environment.limits
        found = (
            replace(each, text=excerpt(each.text, limits.passage_chars))
            for each in self._strategy.keep(observed, node)
        )
        self._kept = fit(
            self._context,
            (*self._kept, *found),
            max_tokens=limits.context_tokens,
            count=self._policy.count_tokens,
        )

    def rebuilt(self) -> tuple[Message, ...]:
        """Instruction, question, graph, what is kept."""
        return self._context(self._kept)

    def _context(self, kept: tuple[DisplayedEvidence, ...]) -> tuple[Message, ...]:
        profile, environment = self._policy.profile, self._environment
        parts = state_parts(profile, environment.task, environment.graph, kept)
        return (
            Message(role=Role.SYSTEM, parts=(self._strategy.instruction(profile),)),
            Message(role=Role.USER, parts=parts),
        )
