"""The world of one rollout: memory graph, retriever, pixel budget, limits, and what has happened so far.

An ``Environment`` serves one rollout and is then thrown away. It applies legal actions and keeps the
counters; it knows no prompts and calls no model. What of its state a policy is shown is decided by the memory
policies in ``memory/``.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence, Set
from dataclasses import replace
from typing import TypeAlias

from memory_graph.actions import Action, Answer, Memorize, Search
from memory_graph.budget import Allocation
from memory_graph.graph import AnswerNode, MemoryGraph, Modality, SearchNode
from memory_graph.parsing import ActionError, LegalAction, PendingObservation, legalise, parse
from model.agent.context import DisplayedEvidence, excerpt, gather_evidence, num_visual_tokens
from model.agent.display import display, kept_item, without_images
from model.agent.events import ObservationAdded
from model.agent.graph_state import graph_state
from model.agent.plain_answer import plain_answer
from model.agent.prompts import is_placeholder
from model.config.limits import Limits
from model.protocols import Retriever, Sight
from model.types import Completion, Counters, DisplayedHit, Hit, Message, Outcome, Task

View: TypeAlias = Callable[[tuple[DisplayedHit, ...]], tuple[DisplayedHit, ...]]
Retrieval: TypeAlias = Callable[[Retriever, str, int], Awaitable[list[Hit]]]
"""Query and ``top_k`` to hits, best first."""


class Environment:
    """State of one rollout; single use.

    ``allocation`` is how kept evidence gets its pixels; with ``NONE`` memory holds no images. ``by_picture`` allows searches
    for what looks like kept pictures, where the index sees.
    """

    def __init__(
        self,
        task: Task,
        retriever: Retriever,
        limits: Limits,
        *,
        allocation: Allocation = Allocation.NONE,
        by_picture: bool = False,
    ) -> None:
        self.task, self.limits, self.allocation = task, limits, allocation
        self.graph = MemoryGraph(question=task.question)
        self.outcome: Outcome | None = None
        self.counters = Counters()
        self.noted: frozenset[str] = frozenset()  # text items judged useful: their content is in a summary
        self.by_picture = by_picture and retriever.sees
        self._retriever = retriever
        self.sight: Sight | None = None  # None: the policy sees
        self.sees_pictures = True
        self._titles: dict[str, str] = {}
        self._texts: dict[str, str] = {}  # of visual items, for a policy that does not see them
        self._observed: ObservationAdded | None = None  # the search that awaits its summary
        self._rejections = 0  # of the current step
        self._found: list[tuple[str, Mapping[str, Hit]]] = []  # by query, in order
        self.is_last_call = False  # the present one has to answer, and no other follows

    def recall(self, graph: MemoryGraph, *, titles: Mapping[str, str], texts: Mapping[str, str]) -> None:
        """Go on from the nodes of an unanswered graph, before anything has happened."""
        self.graph = MemoryGraph(question=self.task.question, nodes=graph.nodes)
        self.noted = frozenset(item for node in graph.nodes for item in node.noted)
        self._titles |= dict(titles)
        self._texts |= {
            item.item_id: texts[item.item_id]
            for node in graph.nodes
            for item in node.items
            if item.item_id in texts
        }

    @property
    def pending(self) -> PendingObservation | None:
        """The search that awaits its summary."""
        if self._observed is None:
            return None
        observed = self._observed
        return PendingObservation(
            search=Search(observed.node_id, observed.parents, observed.query),
            modalities=tuple(shown.hit.modality for shown in observed.shown),
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

    def read(self, text: str) -> LegalAction:
        """The legal action in a model's reply. Raises ``ActionError`` (counted), with a text to show it."""
        try:
            parsed = parse(text)
            _refuse_placeholder(parsed.action)
            legal = legalise(parsed.action, self.graph, pending=self.pending, by_picture=self.by_picture)
        except ActionError:
            self.refuse()
            raise
        self.count_repairs(len(parsed.repairs) + len(legal.repairs))
        return legal

    def refuse(self) -> None:
        """Book a reply that was no legal action."""
        self._rejections += 1
        self._count(rejected_actions=1)

    def count_repairs(self, number: int) -> None:
        """Book slips that were repaired in place."""
        self._count(repairs=number)

    async def search(
        self,
        action: Search,
        *,
        known: Set[str] = frozenset(),
        view: View | None = None,
        retrieval: Retrieval | None = None,
    ) -> ObservationAdded:
        """Run a legal search; a repeated query is not run again, but what it found and is not known is shown.

        Args:
            action: the search.
            known: items that are not shown again.
            view: what of the new results is displayed; the summary judges what was.
            retrieval: how the hits are got; by default the best of the whole index.
        """
        earlier = self._asked_before(action.asked)
        repeated = earlier is not None
        hits = dict(earlier or {}) if repeated else await self._hits(action, retrieval)
        fresh = [hit for item_id, hit in hits.items() if item_id not in known]
        if repeated:
            hits = {hit.item_id: hit for hit in fresh}
        else:
            self._found.append((action.asked, hits))
        self._titles |= {hit.item_id: hit.title for hit in fresh}
        self._texts |= {hit.item_id: hit.text for hit in fresh if hit.modality is not Modality.TEXT}
        looked_at = tuple(display(hit, self.limits) for hit in fresh)
        if not await self._sees(looked_at):
            self._count(pictures_as_words=sum(bool(shown.images) for shown in looked_at))
            looked_at = tuple(map(without_images, looked_at))
        self._observed = ObservationAdded(
            node_id=action.id,
            parents=action.parents,
            query=action.asked,
            retrieved=tuple(hits),
            shown=looked_at if view is None else view(looked_at),
            repeated=repeated,
        )
        self._rejections = 0
        self._count(searches=1, repeated_searches=int(repeated))
        return self._observed

    async def _sees(self, looked_at: Sequence[DisplayedHit]) -> bool:
        """Whether the policy is shown pictures; who can tell is asked when there is a first one."""
        if self.sight is not None and any(shown.images for shown in looked_at):
            self.sees_pictures, self.sight = self.sees_pictures and await self.sight(), None
        return self.sees_pictures

    async def _hits(self, action: Search, retrieval: Retrieval | None) -> dict[str, Hit]:
        """Distinct hits by id, best first, at most ``top_k``."""
        top_k = self.limits.top_k
        if retrieval is not None:
            hits = await retrieval(self._retriever, action.query, top_k)
        else:
            pictures = [
                item.item_id for node in self.graph.nodes if node.id == action.like for item in node.items
            ]
            hits = await self._retriever.search(action.query, top_k=top_k, like=pictures)
        return {hit.item_id: hit for hit in hits}

    def _asked_before(self, query: str) -> Mapping[str, Hit] | None:
        """What an earlier query found with the same words, or about the same meaning where that can be told; None without one.

        Nothing under the first rules, and for queries of a graph that was given.
        """
        alike, least = self.limits.similarity, self.limits.same_query

        def is_same(other: str) -> bool:
            return normalised(other) == normalised(query) or (
                alike is not None and alike(query, other) >= least
            )

        if self.limits.rules > 1 and (
            found := next((hits for other, hits in self._found if is_same(other)), None)
        ):
            return found
        return {} if any(is_same(node.query) for node in self.graph.nodes) else None

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
            items=tuple(
                kept_item(displayed, mark)
                for displayed, mark in useful
                if displayed.hit.modality is not Modality.TEXT
            ),
            retrieved=seen.retrieved,
            noted=tuple(
                displayed.hit.item_id for displayed, _ in useful if displayed.hit.modality is Modality.TEXT
            ),
        )
        self.noted |= set(node.noted)
        self.graph = self.graph.add(node)
        self._observed = None
        self._rejections = 0
        return node

    def plain_answer(self, text: str) -> LegalAction | None:
        """A reply that is an answer in plain words, for when only an answer is accepted; counted as a repair."""
        pending = self._observed.node_id if self._observed else ""
        if (answer := plain_answer(text, self.graph, pending=pending)) is None:
            return None
        self.count_repairs(1)
        return LegalAction(answer, ("answer in plain words",))

    def answer(self, action: Answer, *, forced: bool) -> AnswerNode:
        """End the rollout with an answer whose parents are legal and in the graph."""
        answer = AnswerNode(parents=action.parents, text=action.text)
        self.graph = self.graph.finish(answer)
        self.outcome = Outcome.FORCED if forced else Outcome.ANSWERED
        return answer

    def abstain(self) -> None:
        """End the rollout without an answer."""
        self.outcome = Outcome.ABSTAINED

    def evidence(self) -> tuple[DisplayedEvidence, ...]:
        """Kept items that get pixels now, energies and grants freshly computed; the overdraft is counted."""
        state = graph_state(self.graph, limits=self.limits, allocation=self.allocation, titles=self._titles)
        omega = {} if self.allocation is Allocation.FIXED else state.energies
        evidence = gather_evidence(self.graph, state.grants, omega, self._titles)
        if not self.sees_pictures:
            return tuple(
                replace(
                    each,
                    images=(),
                    text=excerpt(self._texts.get(each.item_id, ""), self.limits.passage_chars),
                )
                for each in evidence
            )
        costs = {(e.node_id, e.item_id): sum(i.width * i.height for i in e.images) for e in evidence}
        self._count(overdrawn_images=sum(cost > state.grants[key] for key, cost in costs.items()))
        return evidence

    def _count(self, **increments: int) -> None:
        totals = {name: getattr(self.counters, name) + by for name, by in increments.items()}
        self.counters = replace(self.counters, **totals)


def _refuse_placeholder(action: Action) -> None:
    """Raise ``ActionError`` for a copied example, or another of its kind: words between angle brackets and nothing else."""
    words = {Search: "query", Memorize: "summary", Answer: "text"}[type(action)]
    said = getattr(action, words).strip()
    if is_placeholder(said):
        raise ActionError(f"{said} stands for your own words: write those.")


def normalised(query: str) -> str:
    """What makes two queries the same: their words in order, without case, punctuation and spacing."""
    return " ".join(re.findall(r"\w+", query.casefold()))
