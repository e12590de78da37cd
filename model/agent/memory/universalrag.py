"""UniversalRAG: a router picks what kind of item to look among, retrieval happens only there, one answer (arXiv 2504.20734).

Wire form [ours]: the router call is a ``search`` whose query is one word (``ROUTES``); the search itself is made with the
question. "none" searches nothing. A router that answers at once has picked "none" as well. Another word is refused as an illegal
action. The conversation goes on with the results, and the next call has to answer.

The index ranks all kinds of items together, so a route looks further down the ranking (``Environment.search``) and takes the
first ``top_k`` items of its kind.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from memory_graph.actions import Search
from memory_graph.graph import Modality
from model.agent.context import opening_turns, question_parts
from model.agent.environment import Choice, Environment, normalised
from model.agent.events import Event, ReplyRejected
from model.agent.memory.session import MemoryPolicy, MemorySession
from model.item_ids import PAGE_KINDS, id_kind, video_of
from model.types import Hit, Message, Role

NO_SEARCH = "none"


def _only(matches: Callable[[Hit], bool]) -> Choice:
    return lambda hits: [hit for hit in hits if matches(hit)]


def _one_video(hits: list[Hit]) -> list[Hit]:
    """The clips of the video of the best clip, in their order in time."""
    clips = [hit for hit in hits if hit.modality is Modality.VIDEO]
    same = [hit for hit in clips if video_of(hit.item_id) == video_of(clips[0].item_id)]
    return sorted(same, key=lambda hit: hit.start_s)


ROUTES: Mapping[str, Choice] = {
    "paragraph": _only(lambda hit: hit.modality is Modality.TEXT),
    "document": _only(lambda hit: hit.modality is Modality.IMAGE and id_kind(hit.item_id) in PAGE_KINDS),
    "image": _only(lambda hit: hit.modality is Modality.IMAGE and id_kind(hit.item_id) not in PAGE_KINDS),
    "clip": _only(lambda hit: hit.modality is Modality.VIDEO),
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
        observed = await environment.search(by_question, view=self.fitting, choice=ROUTES[route])
        self.add_observation(reply, observed)
        return self.unjudged(observed)


@dataclass(frozen=True, slots=True, kw_only=True)
class UniversalRag(MemoryPolicy):
    """Two calls: where to look, and the answer."""

    session = RoutedSession

    name: str = "universalrag"
