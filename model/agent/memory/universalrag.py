"""UniversalRAG: a router picks what kind of item to look among, retrieval happens only there, one answer (arXiv 2504.20734).

Wire form [ours]: the router call is a ``search`` whose query is one word (``ROUTES``); the search itself is made with the
question. "none" searches nothing. A router that answers at once has picked "none" as well. Another word is refused as an illegal
action. The conversation goes on with the results, and the next call has to answer.

The index ranks all kinds of items together, so a route looks further down the ranking (``Environment.search``) and takes the
first ``top_k`` items of its kind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from memory_graph.actions import Memorize, Search
from memory_graph.graph import Modality
from model.agent.context import TokenCounter, estimate_tokens, question_parts, with_notice
from model.agent.environment import Choice, Environment, normalised
from model.agent.events import Event, NodeAdded, ReplyRejected
from model.agent.memory.observation import ObservationRenderer
from model.agent.prompts import FULL, Profile
from model.config.limits import Limits
from model.item_ids import PAGE_KINDS, id_kind, video_of
from model.protocols import Retriever
from model.types import Hit, Message, Role, Task

NO_SEARCH = "none"


def _taking(wanted: Callable[[Hit], bool]) -> Choice:
    return lambda hits: [hit for hit in hits if wanted(hit)]


def _one_video(hits: list[Hit]) -> list[Hit]:
    """The clips of the video of the best clip, in their order in time."""
    clips = [hit for hit in hits if hit.modality is Modality.VIDEO]
    same = [hit for hit in clips if video_of(hit.item_id) == video_of(clips[0].item_id)]
    return sorted(same, key=lambda hit: hit.start_s)


ROUTES: Mapping[str, Choice] = {
    "paragraph": _taking(lambda hit: hit.modality is Modality.TEXT),
    "document": _taking(lambda hit: hit.modality is Modality.IMAGE and id_kind(hit.item_id) in PAGE_KINDS),
    "image": _taking(lambda hit: hit.modality is Modality.IMAGE and id_kind(hit.item_id) not in PAGE_KINDS),
    "clip": _taking(lambda hit: hit.modality is Modality.VIDEO),
    "video": _one_video,
}
REFUSAL = f"Not a place to look: the query has to be one of {', '.join((NO_SEARCH, *ROUTES))}."


@dataclass(frozen=True, slots=True, kw_only=True)
class UniversalRag:
    """Two calls: where to look, and the answer."""

    profile: Profile = FULL
    count_tokens: TokenCounter = estimate_tokens
    name: str = "universalrag"

    def open(self, task: Task, retriever: Retriever, limits: Limits) -> RoutedSession:
        """The session of one rollout."""
        observing = ObservationRenderer(profile=self.profile, limits=limits, count=self.count_tokens)
        return RoutedSession(Environment(task, retriever, limits), observing)


class RoutedSession:
    """One rollout: the conversation, and whether the route is chosen."""

    def __init__(self, environment: Environment, observing: ObservationRenderer) -> None:
        profile = observing.profile
        self.environment = environment
        self.must_answer = False
        self._observing = observing
        self._turns = (
            Message(role=Role.SYSTEM, parts=(profile.system_router,)),
            Message(role=Role.USER, parts=question_parts(profile, environment.task)),
        )

    async def begin(self) -> tuple[Event, ...]:
        """Nothing: the router speaks first."""
        return ()

    def messages(self, *, forced: bool) -> tuple[Message, ...]:
        """The conversation so far."""
        return with_notice(self._turns, self._observing.profile.answer_now) if forced else self._turns

    def reject(self, reply: Message, reason: str) -> None:
        """Show the error; the router is asked again."""
        self._turns += (reply, Message(role=Role.TOOL, parts=(reason,)))

    async def search(self, reply: Message, action: Search) -> tuple[Event, ...]:
        """Take the query as the route and search with the question there."""
        route, environment = normalised(action.query), self.environment
        if route == NO_SEARCH:
            self.must_answer = True
            notice = Message(role=Role.TOOL, parts=(self._observing.profile.not_searched,))
            self._turns += (reply, notice)
            return ()
        if route not in ROUTES:
            environment.refuse()
            self.reject(reply, REFUSAL)
            return (ReplyRejected(call=environment.counters.model_calls, reason=REFUSAL),)
        self.must_answer = True
        asked = replace(action, query=environment.task.question)
        observed = await environment.search(asked, view=self._observing.fitting, choice=ROUTES[route])
        self._turns += (reply, self._observing.turn(observed))
        node = environment.close_pending()
        assert node is not None, "a search was just made"
        return (observed, NodeAdded(node=node, graph=environment.graph))

    async def memorize(self, reply: Message, action: Memorize) -> tuple[Event, ...]:
        """Refused by the environment before it comes here: nothing ever awaits a summary."""
        raise ValueError("a router does not memorize")
