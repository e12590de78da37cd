"""A scripted policy that knows the gold steps, and the noise that makes its demonstrations lifelike.

It plays through the same agent loop, retriever and limits as any policy, so a demonstration is an ordinary trajectory. The
plan of a question comes from whoever invented it (the miniature); the oracle itself sees only what retrieval returns. A
share of its steps is deliberately useless: dead ends, repeated queries and over-broad ones. In real trajectories about 80 % of
the steps are noise (arXiv 2602.12735, third pilot study).
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from memory_graph.actions import Answer, Mark, Memorize, Search, render
from memory_graph.graph import ROOT
from model.encoding import Encoder
from model.protocols import Retriever
from model.records import Completion, Hit, ImageRef, Message, Sampling, Task

NOT_ANSWERABLE = "Not answerable"
NOTHING_FOUND = "Nothing found."
GOLD_PRIORITY, OTHER_PRIORITY = 5, 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """One step of a plan: what to search (wordings in order of preference), and what to note when it is found."""

    queries: tuple[str, ...]
    gold: frozenset[str]
    summary: str
    depends: tuple[int, ...] = ()
    timestamps: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How one question is answered."""

    hops: tuple[Hop, ...]
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """How often a demonstration errs; probabilities per planned search."""

    dead_end: float = 0.25
    repeat: float = 0.10
    broad: float = 0.15
    distractions: tuple[str, ...] = ()
    """Queries that lead elsewhere; drawn for dead ends."""

    def __post_init__(self) -> None:
        if min(self.dead_end, self.repeat, self.broad) < 0 or self.dead_end + self.repeat + self.broad >= 1:
            raise ValueError(f"noise probabilities must be at least 0 and sum below 1: {self}")


class Stage(StrEnum):
    """What the oracle says next."""

    SEARCH = "search"
    NOTE = "note"


class Oracle:
    """Policy and retriever of ONE rollout of one question; single use.

    Give it to the agent loop in both roles: as retriever it passes searches on and remembers the hits, as policy it
    plays its plan over what they were.
    """

    def __init__(
        self,
        plan: Plan,
        retriever: Retriever,
        encoder: Encoder | None = None,
        *,
        noise: Noise,
        rng: random.Random,
    ) -> None:
        self._plan, self._retriever, self._encoder = plan, retriever, encoder
        self._noise, self._rng = noise, rng
        self._hits: list[Hit] = []
        self._found: dict[int, str] = {}  # hop -> id of the node that found it
        self._wording: dict[int, int] = {}  # hop -> wordings already tried
        self._asked: list[str] = []
        self._hop: int | None = None  # hop of the pending search; None for a useless one
        self._stage = Stage.SEARCH
        self._nodes = 0

    @property
    def fingerprint(self) -> str:
        """The oracle has no weights: its retriever is what its behaviour depends on."""
        return f"oracle:{self._retriever.fingerprint}"

    async def search(self, query: str, *, top_k: int) -> list[Hit]:
        """Pass the search on and remember what it found."""
        self._hits = await self._retriever.search(query, top_k=top_k)
        return self._hits

    async def complete(self, messages: Sequence[Message], *, sampling: Sampling, task: Task) -> Completion:
        """The next scripted action; ``sampling`` is ignored."""
        text = self._next(messages)
        images = tuple(part for message in messages for part in message.parts if isinstance(part, ImageRef))
        if self._encoder is None:
            return Completion(text=text, images=images)
        prompt = self._encoder.encode(messages)
        tokens = (*self._encoder.text_ids(text), self._encoder.eos_id)
        return Completion(
            text=text,
            prompt_ids=prompt.ids,
            token_ids=tokens,
            logprobs=(0.0,) * len(tokens),
            images=prompt.images,
            prompt_tokens=len(prompt.ids),
            completion_tokens=len(tokens),
        )

    def _next(self, messages: Sequence[Message]) -> str:
        if "Answer now." in _text(messages[-1]):
            return self._answer()
        if self._stage is Stage.NOTE:
            self._stage = Stage.SEARCH
            return self._note(_text(messages[-1]))
        wanted = self._next_hop()
        return self._answer() if wanted is None else self._search(wanted)

    def _next_hop(self) -> int | None:
        """The first hop that is not found, not given up and whose dependencies are found."""
        for number, hop in enumerate(self._plan.hops):
            ready = all(parent in self._found for parent in hop.depends)
            if number not in self._found and ready and self._wording.get(number, 0) < len(hop.queries):
                return number
        return None

    def _search(self, wanted: int) -> str:
        hop = self._plan.hops[wanted]
        query, self._hop = self._useless_query(hop), None
        if query is None:
            query, self._hop = hop.queries[self._wording.get(wanted, 0)], wanted
            self._wording[wanted] = self._wording.get(wanted, 0) + 1
        self._asked.append(query)
        self._nodes += 1
        self._stage = Stage.NOTE
        parents = tuple(self._found[parent] for parent in hop.depends) or (ROOT,)
        return render(Search(id=f"n{self._nodes}", parents=parents, query=query))

    def _useless_query(self, hop: Hop) -> str | None:
        draw, noise = self._rng.random(), self._noise
        if draw < noise.dead_end and noise.distractions:
            return self._rng.choice(noise.distractions)
        if noise.dead_end <= draw < noise.dead_end + noise.repeat and self._asked:
            return self._asked[-1]
        if noise.dead_end + noise.repeat <= draw < noise.dead_end + noise.repeat + noise.broad:
            return " ".join(hop.queries[0].split()[:2])
        return None

    def _note(self, observation: str) -> str:
        hop = None if self._hop is None else self._plan.hops[self._hop]
        shown = self._shown(observation)
        gold = frozenset() if hop is None else hop.gold
        marks = tuple(
            Mark(
                item=place,
                useful=hit.item_id in gold,
                priority=GOLD_PRIORITY if hit.item_id in gold else OTHER_PRIORITY,
                timestamps=hop.timestamps if hop and hit.item_id in gold and hit.modality == "video" else (),
            )
            for place, hit in enumerate(shown, start=1)
        )
        node = f"n{self._nodes}"
        found = hop is not None and gold <= {hit.item_id for hit in shown}
        if hop is not None and self._hop is not None and found:
            self._found[self._hop] = node
        summary = hop.summary if hop is not None and found else NOTHING_FOUND
        return render(Memorize(id=node, summary=summary, marks=marks))

    def _shown(self, observation: str) -> list[Hit]:
        """The hits that the environment displayed, in display order: those already in memory are left out."""
        titles = re.findall(r"\n\[\d+\] ([^\n]*)", observation)
        shown, rest = [], list(self._hits)
        for title in titles:
            match = next((hit for hit in rest if title.startswith(hit.title)), None)
            if match is not None:
                rest.remove(match)
                shown.append(match)
        return shown

    def _answer(self) -> str:
        complete = len(self._found) == len(self._plan.hops)
        leaves = set(self._found) - {parent for hop in self._plan.hops for parent in hop.depends}
        parents = tuple(self._found[number] for number in sorted(leaves)) or (ROOT,)
        return render(Answer(parents=parents, text=self._plan.answer if complete else NOT_ANSWERABLE))


def _text(message: Message) -> str:
    return "".join(part for part in message.parts if isinstance(part, str))
