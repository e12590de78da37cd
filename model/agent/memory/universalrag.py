"""UniversalRAG: a router picks what kind of item to look among, retrieval happens only there, one answer (arXiv 2504.20734).

Wire form [ours]: the router call is a ``search`` whose query is one word (``ROUTES``); the search itself is made with the
question. "none" searches nothing. A router that answers at once has picked "none" as well. Another word is refused as an illegal
action. The conversation goes on with the results, and the next call has to answer.

A route is a filter of the index, which then looks nowhere else: the best ten pictures among a million pages are found.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from memory_graph.actions import Search
from memory_graph.graph import Modality
from model.agent.context import opening_turns, question_parts
from model.agent.environment import Environment, Retrieval, normalised
from model.agent.events import Event, ReplyRejected
from model.agent.memory.session import MemoryPolicy, MemorySession
from model.item_ids import PAGE_KINDS, IdKind
from model.protocols import Retriever
from model.types import Hit, HitFilter, Message, Role

NO_SEARCH = "none"


CLIPS = HitFilter(modality=Modality.VIDEO)


def _only(where: HitFilter) -> Retrieval:
    async def retrieve(retriever: Retriever, query: str, top_k: int) -> list[Hit]:
        return await retriever.search(query, top_k=top_k, where=where)

    return retrieve


async def _one_video(retriever: Retriever, query: str, top_k: int) -> list[Hit]:
    """The best clips of the video of the best clip, in their order in time."""
    best = await retriever.search(query, top_k=1, where=CLIPS)
    if not best or not best[0].parent:
        return best
    of_video = replace(CLIPS, dataset=best[0].dataset, parent=best[0].parent)
    clips = await retriever.search(query, top_k=top_k, where=of_video)
    return sorted(clips, key=lambda hit: hit.start_s)


ROUTES: Mapping[str, Retrieval] = {
    "paragraph": _only(HitFilter(modality=Modality.TEXT)),
    "document": _only(HitFilter(modality=Modality.IMAGE, kinds=PAGE_KINDS)),
    "image": _only(HitFilter(modality=Modality.IMAGE, kinds=(IdKind.IMAGE,))),
    "clip": _only(CLIPS),
    "video": _one_video,
}
REFUSAL = f"Not a place to look: the query has to be one of {', '.join((NO_SEARCH, *ROUTES))}."


class RoutedSession(MemorySession):
    """One rollout: the conversation, and whether the route is chosen."""

    def __init__(self, policy: MemoryPolicy, environment: Environment) -> None:
        super().__init__(policy, environment)
        question = question_parts(policy.profile, environment.task)
        self._turns = opening_turns(policy.profile.system_router, question)

    async def search(self, reply: Message, action: Search) -> tuple[Event, ...]:
        """Take the query as the route and search with the question there."""
        route, environment = normalised(action.query), self.environment
        if route == NO_SEARCH:
            self.must_answer = True
            self._turns += (reply, Message(role=Role.TOOL, parts=(self._profile.not_searched,)))
            return ()
        if route not in ROUTES:
            environment.refuse()
            self.reject(reply, REFUSAL)
            return (ReplyRejected(call=environment.counters.model_calls, reason=REFUSAL),)
        self.must_answer = True
        by_question = replace(action, query=environment.task.question)
        observed = await environment.search(by_question, view=self.fitting, retrieval=ROUTES[route])
        self.add_observation(reply, observed)
        return self.unjudged(observed)


@dataclass(frozen=True, slots=True, kw_only=True)
class UniversalRag(MemoryPolicy):
    """Two calls: where to look, and the answer."""

    session = RoutedSession

    name: str = "universalrag"
