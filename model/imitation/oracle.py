"""A scripted policy that knows the gold steps, and the noise that makes its demonstrations lifelike.

It plays through the same agent loop, retriever and limits as any policy, so a demonstration is an ordinary trajectory. The
plan of a question comes from whoever invented it (the miniature); the oracle itself sees only what a search displays. A
share of its steps is deliberately useless: dead ends, repeated queries and over-broad ones. In real trajectories about 80 % of
the steps are noise (arXiv 2602.12735, third pilot study). A share of its replies is said wrongly first, as ``mistakes.py``
has it, and rightly once the environment's error was heard.

It plays every memory policy: what differs is whether it summarises, what a summary holds, what it can name as parents,
and what it may still see of earlier results. Policies that answer once it answers rightly if the results hold all gold.
"""

import random
from collections import Counter
from collections.abc import Sequence
from enum import StrEnum

from memory_graph.actions import Answer, Mark, Memorize, Search, render
from memory_graph.graph import ROOT, Modality
from memory_graph.parsing import parse
from model.agent.memory.registry import MEMORIES
from model.imitation.gold_plan import DemonstrationNoise, GoldHop, GoldPlan, route_of
from model.imitation.mistakes import sample_mistake
from model.policies.chat_template import PromptEncoder
from model.policies.endpoint_policy import images_of
from model.types import Completion, Hit, PolicyRequest

NOT_ANSWERABLE = "Not answerable"
NOTHING_FOUND = "Nothing found."
GOLD_PRIORITY, OTHER_PRIORITY = 5, 1


class OracleScript(StrEnum):
    """How a memory policy is played."""

    GRAPH = "graph"  # a summary of each search; any node can be a parent
    STATE = "state"  # a summary of all that was found; only the last node can be named
    HISTORY = "history"  # no summary
    SINGLE = "single"  # one answer
    ROUTED = "routed"  # a place to look, then one answer


class SeenHits(StrEnum):
    """Which earlier results are in memory, so that they are not shown again."""

    USEFUL = "useful"
    ALL = "all"
    LAST = "last"
    NONE = "none"


_SCRIPTS = {
    "react": OracleScript.HISTORY,
    "mem1": OracleScript.STATE,
    "memagent": OracleScript.STATE,
    "closed_book": OracleScript.SINGLE,
    "vanilla": OracleScript.SINGLE,
    "videorag": OracleScript.SINGLE,
    "universalrag": OracleScript.ROUTED,
}
_SEEN_HITS = {
    "react": SeenHits.ALL,
    "raw_visual": SeenHits.ALL,
    "precaption": SeenHits.ALL,
    "mem1": SeenHits.LAST,
    "memagent": SeenHits.NONE,
}


def script_of(memory: str) -> OracleScript:
    """How a memory policy is played."""
    return _SCRIPTS.get(memory, OracleScript.GRAPH)


def shares(memories: Sequence[str], *, learner: str) -> tuple[float, ...]:
    """The share of examples that each of ``memories`` gets: half for the ``learner``, the rest alike by script and within each.

    What a tiny model learns last is to tell the scripts apart, so none of them may be rare.
    """
    others = [name for name in memories if name != learner]
    scripts = Counter(script_of(name) for name in others)
    rest = 0.5 if learner in memories else 1.0
    return tuple(
        1 - rest * bool(others) if name == learner else rest / len(scripts) / scripts[script_of(name)]
        for name in memories
    )


class Oracle:
    """The policy of ONE rollout of one question; single use. ``memory`` is the name of the memory policy it plays under."""

    fingerprint = "oracle"  # it has no weights

    def __init__(
        self,
        plan: GoldPlan,
        encoder: PromptEncoder | None = None,
        *,
        noise: DemonstrationNoise,
        rng: random.Random,
        memory: str = "vimrag",
    ) -> None:
        if memory not in MEMORIES:
            raise ValueError(f"unknown memory policy {memory!r}; known: {', '.join(MEMORIES)}")
        self._plan, self._encoder = plan, encoder
        self._noise, self._rng = noise, rng
        self._script = script_of(memory)
        self._seen_hits = _SEEN_HITS.get(memory, SeenHits.USEFUL)
        self._in_memory: frozenset[str] = frozenset()
        self._found: dict[int, str] = {}  # hop -> id of the node that found it
        self._wording: dict[int, int] = {}  # hop -> wordings already tried
        self._asked: list[str] = []
        self._hop: int | None = None  # hop of the pending search; None for a useless one
        self._nodes = 0
        self._due: str | None = None  # what was meant by a reply that was said wrongly

    async def complete(self, request: PolicyRequest) -> Completion:
        """The next scripted action; ``sampling`` is ignored."""
        text = self._reply(request)
        if self._encoder is None:
            return Completion(text=text, images=images_of(request.messages))
        return self._encoder.demonstration(request.messages, text)

    def _reply(self, request: PolicyRequest) -> str:
        """What is meant; sometimes a mistake first, never where it would end the rollout."""
        meant, self._due = self._due, None
        if meant is not None:
            return self._answer() if request.forced else meant
        text = self._next(request)
        if request.forced or not self._noise.repair or self._rng.random() >= self._noise.repair:
            return text
        self._due = text
        return sample_mistake(parse(text).action, self._rng, routing=self._script is OracleScript.ROUTED)

    def _next(self, request: PolicyRequest) -> str:
        shown = [display.hit for display in request.displayed or ()]
        if self._script is OracleScript.SINGLE or (self._script is OracleScript.ROUTED and request.forced):
            return self._answer_once(shown, searched=request.displayed is not None)
        if self._script is OracleScript.ROUTED:
            return render(Search(id="n1", parents=(ROOT,), query=route_of(self._plan)))
        has_results = request.displayed is not None
        if self._script is OracleScript.HISTORY and has_results:
            self._judge(shown)
        if request.forced:
            return self._answer()
        if has_results and self._script is not OracleScript.HISTORY:
            return self._note(shown)
        number = self._next_hop()
        return self._answer() if number is None else self._search(number)

    def _next_hop(self) -> int | None:
        """The first hop that is not found, not given up and whose dependencies are found."""
        for number, hop in enumerate(self._plan.hops):
            ready = all(parent in self._found for parent in hop.depends)
            if number not in self._found and ready and self._wording.get(number, 0) < len(hop.queries):
                return number
        return None

    def _search(self, number: int) -> str:
        hop = self._plan.hops[number]
        query, self._hop = self._useless_query(hop), None
        if query is None:
            query, self._hop = hop.queries[self._wording.get(number, 0)], number
            self._wording[number] = self._wording.get(number, 0) + 1
        self._asked.append(query)
        parents = self._parents(tuple(self._found[parent] for parent in hop.depends))
        self._nodes += 1
        return render(Search(id=f"n{self._nodes}", parents=parents, query=query))

    def _useless_query(self, hop: GoldHop) -> str | None:
        draw, noise = self._rng.random(), self._noise
        if draw < noise.dead_end and noise.distractions:
            return self._rng.choice(noise.distractions)
        if noise.dead_end <= draw < noise.dead_end + noise.repeat and self._asked:
            return self._asked[-1]
        if noise.dead_end + noise.repeat <= draw < noise.dead_end + noise.repeat + noise.broad:
            return " ".join(hop.queries[0].split()[:2])
        return None

    def _parents(self, nodes: tuple[str, ...]) -> tuple[str, ...]:
        """The nodes that are to be rested on, or the last one where no other can be named."""
        if self._script is OracleScript.STATE:
            return (f"n{self._nodes}",) if self._nodes else (ROOT,)
        return nodes or (ROOT,)

    def _judge(self, shown: Sequence[Hit]) -> tuple[Mark, ...]:
        """Marks of what is shown; takes note of the hop it completes and of what stays in memory."""
        hop = None if self._hop is None else self._plan.hops[self._hop]
        gold = frozenset() if hop is None else hop.gold
        if self._hop is not None and gold <= {hit.item_id for hit in shown} | self._in_memory:
            self._found[self._hop] = f"n{self._nodes}"
        self._in_memory = self._kept(shown, gold)
        return tuple(
            Mark(
                item=place,
                useful=hit.item_id in gold,
                priority=GOLD_PRIORITY if hit.item_id in gold else OTHER_PRIORITY,
                timestamps=hop.timestamps
                if hop and hit.item_id in gold and hit.modality is Modality.VIDEO
                else (),
            )
            for place, hit in enumerate(shown, start=1)
        )

    def _kept(self, shown: Sequence[Hit], gold: frozenset[str]) -> frozenset[str]:
        ids = frozenset(hit.item_id for hit in shown)
        if self._seen_hits is SeenHits.NONE:
            return frozenset()
        if self._seen_hits is SeenHits.LAST:
            return ids
        return self._in_memory | (ids if self._seen_hits is SeenHits.ALL else ids & gold)

    def _note(self, shown: Sequence[Hit]) -> str:
        marks = self._judge(shown)
        return render(Memorize(id=f"n{self._nodes}", summary=self._summary(), marks=marks))

    def _summary(self) -> str:
        """What the last search found, or, for a state, all that was found so far."""
        if self._script is OracleScript.STATE:
            facts = [self._plan.hops[number].summary for number in sorted(self._found)]
            return " ".join(facts) or NOTHING_FOUND
        hop = self._hop
        return self._plan.hops[hop].summary if hop is not None and hop in self._found else NOTHING_FOUND

    def _answer(self) -> str:
        complete = len(self._found) == len(self._plan.hops)
        leaves = set(self._found) - {parent for hop in self._plan.hops for parent in hop.depends}
        parents = self._parents(tuple(self._found[number] for number in sorted(leaves)))
        return render(Answer(parents=parents, text=self._plan.answer if complete else NOT_ANSWERABLE))

    def _answer_once(self, shown: Sequence[Hit], *, searched: bool) -> str:
        """The answer if all gold is shown at once."""
        complete = all(hop.gold <= {hit.item_id for hit in shown} for hop in self._plan.hops)
        parents = ("n1",) if searched else (ROOT,)
        return render(Answer(parents=parents, text=self._plan.answer if complete else NOT_ANSWERABLE))
