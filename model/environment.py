"""The world of one rollout: memory graph, retriever, pixel budget, limits, and what has happened so far.

An ``Environment`` serves one rollout and is then thrown away. It applies legal actions and keeps the
counters; it knows no prompts and calls no model. What of its state a policy is shown is decided by the memory
policies in ``memory/``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence, Set
from dataclasses import dataclass, replace

from memory_graph.actions import Answer, Mark, Memorize, Search
from memory_graph.budget import allocate
from memory_graph.energy import energies
from memory_graph.graph import AnswerNode, MemoryGraph, SearchNode, VisualItem
from memory_graph.parsing import ActionError, Legal, Pending, legalise, parse
from model.context import Evidence, Shown, frame_times, gather_evidence, num_visual_tokens, sized
from model.events import Observed
from model.protocols import Retriever
from model.records import Completion, Counters, Hit, Message, Outcome, Task

SHOWN_TIME_PRECISION_S = 0.05  # times are shown with one decimal, so a copied time may be off by this much


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one rollout may use. Pixels are those the model sees; 1,024 of them cost one visual token."""

    calls: int = 20
    """Model calls; the last one has to answer."""
    re_asks: int = 2
    """Rejected actions of one step that are answered with their error; the next one leads to the forced
    answer.
    """
    top_k: int = 3
    """Items a search returns."""
    total_pixels: int = 5 * 256 * 1024
    """S_total: all kept evidence together."""
    kept_items: int = 5
    """K: items of memory that are shown at most; a clip is one item."""
    min_pixels: int = 64 * 1024
    """A smaller grant is dropped and shared out again."""
    observation_pixels: int = 256 * 1024
    """One picture among search results."""
    frame_pixels: int = 49 * 1024
    """One frame of a clip among search results."""
    max_frames: int = 32
    """Frames of a clip among search results."""
    frames_per_s: float = 1.0
    """Sampling rate of clips shorter than ``max_frames`` intervals."""
    passage_chars: int = 6000
    """Text shown of one search result."""
    context_tokens: int = 16_384
    """Length of a rebuilt context; evidence is dropped to keep within. One observation and the replies to
    it come on top.
    """

    def __post_init__(self) -> None:
        counts = (
            self.calls,
            self.top_k,
            self.kept_items,
            self.max_frames,
            self.passage_chars,
            self.context_tokens,
        )
        if min(counts) < 1:
            raise ValueError(f"limits that count must be at least 1: {self}")
        if self.re_asks < 0 or self.min_pixels < 0 or self.frames_per_s <= 0:
            raise ValueError(f"limits out of range: {self}")
        if min(self.total_pixels, self.observation_pixels, self.frame_pixels) < 1024:
            raise ValueError(f"a pixel limit below one visual token (1,024 px) shows nothing: {self}")


MINIATURE_LIMITS = Limits(
    calls=10,
    total_pixels=5 * 16 * 1024,
    min_pixels=4 * 1024,
    observation_pixels=16 * 1024,
    frame_pixels=4 * 1024,
    max_frames=4,
    passage_chars=600,
    context_tokens=2048,
)


class Environment:
    """State of one rollout; single use.

    ``allocation`` is how kept evidence gets its pixels: "energy" (inference), "equal", "fixed" (training:
    independent of energies) or "none" (text summaries only).
    """

    def __init__(
        self, task: Task, retriever: Retriever, limits: Limits, *, allocation: str = "energy"
    ) -> None:
        self.task, self.limits, self.allocation = task, limits, allocation
        self.graph = MemoryGraph(question=task.question)
        self.outcome: Outcome | None = None
        self.counters = Counters()
        self.noted: frozenset[str] = frozenset()  # text items judged useful: their content is in a summary
        self._retriever = retriever
        self._titles: dict[str, str] = {}
        self._observed: Observed | None = None  # the search that awaits its summary
        self._rejections = 0  # of the current step

    @property
    def pending(self) -> Pending | None:
        """The search that awaits its summary."""
        if self._observed is None:
            return None
        seen = self._observed
        return Pending(
            search=Search(seen.node_id, seen.parents, seen.query),
            modalities=tuple(_kind(each.hit) for each in seen.shown),
        )

    @property
    def must_answer(self) -> bool:
        """Whether the next call has to answer: it is the last one, or the step used up its re-asks."""
        return self.counters.model_calls >= self.limits.calls - 1 or self._rejections > self.limits.re_asks

    def count_call(self, messages: Sequence[Message], completion: Completion) -> None:
        """Book one model call."""
        self._count(
            model_calls=1,
            prompt_tokens=completion.prompt_tokens,
            completion_tokens=completion.completion_tokens,
            visual_tokens=num_visual_tokens(messages),
        )

    def read(self, text: str) -> Legal:
        """The legal action in a model's reply. Raises ``ActionError`` (counted), with a text to show it."""
        try:
            parsed = parse(text)
            legal = legalise(parsed.action, self.graph, pending=self.pending)
        except ActionError:
            self._rejections += 1
            self._count(rejected_actions=1)
            raise
        self._count(repairs=len(parsed.repairs) + len(legal.repairs))
        return legal

    async def search(self, action: Search, *, known: Set[str] = frozenset()) -> Observed:
        """Run a legal search. Items in ``known`` are not shown again; a repeated query is not run again."""
        repeated = normalised(action.query) in {normalised(node.query) for node in self.graph.nodes}
        hits = [] if repeated else await self._retriever.search(action.query, top_k=self.limits.top_k)
        distinct = {hit.item_id: hit for hit in hits}
        fresh = [hit for item_id, hit in distinct.items() if item_id not in known]
        self._titles |= {hit.item_id: hit.title for hit in fresh}
        self._observed = Observed(
            node_id=action.id,
            parents=action.parents,
            query=action.query,
            retrieved=tuple(distinct),
            shown=tuple(shown(hit, self.limits) for hit in fresh),
            repeated=repeated,
        )
        self._rejections = 0
        self._count(searches=1, repeated_searches=int(repeated))
        return self._observed

    def memorize(self, action: Memorize) -> SearchNode:
        """Finalise the pending search as a node. Raises ``ValueError`` if there is none."""
        self._count(dead_ends=int(not any(mark.useful for mark in action.marks)))
        return self._finalise(action)

    def close_pending(self) -> SearchNode | None:
        """Finalise a search that was never summarised, if there is one; unjudged, it is no dead end."""
        return None if self._observed is None else self._finalise(Memorize(self._observed.node_id, ""))

    def _finalise(self, action: Memorize) -> SearchNode:
        if self._observed is None:
            raise ValueError("no search awaits a summary")
        seen = self._observed
        useful = [(seen.shown[mark.item - 1], mark) for mark in action.marks if mark.useful]
        node = SearchNode(
            id=seen.node_id,
            parents=seen.parents,
            query=seen.query,
            summary=action.summary,
            items=tuple(_kept(each, mark) for each, mark in useful if each.hit.modality != "text"),
            retrieved=seen.retrieved,
        )
        self.noted |= {each.hit.item_id for each, _ in useful if each.hit.modality == "text"}
        self.graph = self.graph.add(node)
        self._observed = None
        self._rejections = 0
        return node

    def answer(self, action: Answer, *, forced: bool) -> AnswerNode:
        """End the rollout with an answer whose parents are legal and in the graph."""
        answer = AnswerNode(parents=action.parents, text=action.text)
        self.graph = self.graph.finish(answer)
        self.outcome = Outcome.FORCED if forced else Outcome.ANSWERED
        return answer

    def abstain(self) -> None:
        """End the rollout without an answer."""
        self.outcome = Outcome.ABSTAINED

    def evidence(self) -> tuple[Evidence, ...]:
        """Kept items that get pixels now, energies and grants freshly computed; the overdraft is counted."""
        if self.allocation == "none":
            return ()
        omega = {} if self.allocation == "fixed" else energies(self.graph)
        grants = allocate(
            self.graph,
            omega,
            total_pixels=self.limits.total_pixels,
            top_k=self.limits.kept_items,
            min_pixels=self.limits.min_pixels,
            mode=self.allocation,
        )
        evidence = gather_evidence(self.graph, grants, omega, self._titles)
        costs = {(e.node_id, e.item_id): sum(i.width * i.height for i in e.images) for e in evidence}
        self._count(overdrawn_images=sum(cost > grants[key] for key, cost in costs.items()))
        return evidence

    def _count(self, **increments: int) -> None:
        totals = {name: getattr(self.counters, name) + by for name, by in increments.items()}
        self.counters = replace(self.counters, **totals)


def normalised(query: str) -> str:
    """What makes two queries the same: their words in order, without case, punctuation and spacing."""
    return " ".join(re.findall(r"\w+", query.casefold()))


def shown(hit: Hit, limits: Limits) -> Shown:
    """A search result with the pictures it is shown with: none for a text, frames at even times for a clip.

    Raises:
        ValueError: if a picture has no native size or a clip no duration.
    """
    if hit.modality == "text":
        return Shown(hit=hit)
    if hit.width < 1 or hit.height < 1:
        raise ValueError(f"{hit.modality} item {hit.item_id!r} has no native size: {hit.width}x{hit.height}")
    if hit.modality == "image":
        return Shown(
            hit=hit, images=(sized(hit.item_id, hit.width, hit.height, pixels=limits.observation_pixels),)
        )
    times = frame_times(hit.duration_s, max_frames=limits.max_frames, frames_per_s=limits.frames_per_s)
    frames = tuple(
        sized(hit.item_id, hit.width, hit.height, pixels=limits.frame_pixels, timestamp_s=time_s)
        for time_s in times
    )
    return Shown(hit=hit, images=frames, interval_s=hit.duration_s / len(times))


def key_frames(
    observed_s: Sequence[float], stated_s: Sequence[float], *, interval_s: float
) -> tuple[float, ...]:
    """Observed times nearest to the stated ones, within half a sampling interval; all if none is near."""
    reach = interval_s / 2 + SHOWN_TIME_PRECISION_S
    gaps = [min((abs(seen - wanted), seen) for seen in observed_s) for wanted in stated_s]
    kept = {seen for gap, seen in gaps if gap <= reach}
    return tuple(sorted(kept)) or tuple(observed_s)


def _kept(each: Shown, mark: Mark) -> VisualItem:
    observed_s = tuple(image.timestamp_s for image in each.images if image.timestamp_s is not None)
    times = key_frames(observed_s, mark.timestamps, interval_s=each.interval_s) if observed_s else ()
    return VisualItem(
        item_id=each.hit.item_id,
        kind=_kind(each.hit),
        priority=mark.priority,
        width=each.hit.width,
        height=each.hit.height,
        timestamps=times,
    )


def _kind(hit: Hit) -> str:
    """``page`` for a picture whose id says so (``dataset:page:...``), else the modality."""
    is_page = hit.modality == "image" and hit.item_id.split(":")[1:2] == ["page"]
    return "page" if is_page else hit.modality
