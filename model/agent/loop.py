"""The agent loop: one rollout of one question as a stream of events.

The same loop serves a user's question, evaluation and RL rollouts. It calls the policy, reads replies,
re-asks, forces the final answer and cuts the calls into segments; what a context holds is decided by the
memory policy.
"""

import hashlib
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from memory_graph.actions import Answer, Search
from memory_graph.parsing import ActionError, LegalAction
from model.agent.context import render_turns, reply_turn, with_said
from model.agent.environment import Environment
from model.agent.events import (
    AnswerGiven,
    Event,
    ModelCall,
    ModelReply,
    NodeAdded,
    Notice,
    ObservationAdded,
    ReplyRejected,
    RolloutEnd,
    TokenDelta,
)
from model.agent.fitting import Fitting
from model.agent.memory.session import MemoryPolicy, MemorySession, Recollection
from model.config.limits import Limits
from model.protocols import (
    PicturesRefused,
    Policy,
    PromptTooLong,
    Retriever,
    Sight,
    StreamingPolicy,
)
from model.types import (
    Call,
    Completion,
    DisplayedHit,
    Message,
    PolicyRequest,
    Sampling,
    Segment,
    Task,
    Trajectory,
)


@dataclass(slots=True)
class Control:
    """What a reader may ask of a rollout that is under way."""

    answer_now: bool = False
    """The reply that is being generated is cut off, and the next call has to answer with what was found."""


Displayed: TypeAlias = tuple[DisplayedHit, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """A policy, a retriever and a way to remember; stateless, so it runs any number of rollouts at once."""

    policy: Policy
    retriever: Retriever
    memory: MemoryPolicy
    limits: Limits = field(default_factory=Limits)
    sampling: Sampling = field(default_factory=Sampling)
    for_reader: bool = False
    """Whether a person waits for the answer: a prompt that is refused is shortened, the limit of a reply is raised once where it
    was all thought, a forced answer in plain words is an answer, and before one without any search the question is looked up.
    Training and evaluation take replies as they come."""
    sight: Sight | None = None
    """Whether the policy reads pictures; None: it does."""

    async def run(self, task: Task, *, seed: int | None = None) -> Trajectory:
        """The trajectory of one rollout; errors of policy and retriever come through as they are."""
        async for event in self.events(task, seed=seed):
            if isinstance(event, RolloutEnd):
                return event.trajectory
        raise AssertionError("a rollout ends with RolloutEnd")

    async def events(
        self,
        task: Task,
        *,
        seed: int | None = None,
        stream: bool = False,
        control: Control | None = None,
        known: Recollection | None = None,
    ) -> AsyncGenerator[Event]:
        """What happens, as it happens; the last event is ``RolloutEnd``.

        ``seed`` makes the draws of this rollout reproducible; without it ``sampling.seed`` is used, or none.
        ``stream`` adds ``TokenDelta`` events where the policy can stream; ``control`` may be changed meanwhile.
        ``known`` is what a follow-up question knows of its conversation.
        """
        if known is None:
            session = self.memory.open(task, self.retriever, self.limits)
        else:
            session = self.memory.resume(task, self.retriever, self.limits, known)
        session.environment.sight = self.sight
        recorder = SegmentRecorder()
        fitting = Fitting(count=self.memory.count_tokens)
        wishes = control or Control()
        events = await session.begin()
        displayed: Displayed = None
        for event in events:
            recorder.on_event(event)
            yield event
        while session.environment.outcome is None:
            displayed = displayed_after(events, displayed)
            asked = completion = None
            turn = self._turn(session, fitting, displayed, wishes, seed=seed, stream=stream)
            async with aclosing(turn) as told:
                async for event in told:
                    if isinstance(event, ModelCall):
                        asked = event
                    elif isinstance(event, ModelReply):
                        completion = event.completion
                        recorder.record(_sent(asked).messages, completion)
                    yield event
            assert completion is not None and asked is not None, "a turn ends with a reply"
            events = await self._settled(session, fitting, completion, asked)
            for event in events:
                recorder.on_event(event)
                yield event
        yield RolloutEnd(trajectory=self.trajectory(session.environment, recorder.close()))

    async def _turn(
        self,
        session: MemorySession,
        fitting: Fitting,
        displayed: Displayed,
        wishes: Control,
        *,
        seed: int | None,
        stream: bool,
    ) -> AsyncGenerator[ModelCall | TokenDelta | ModelReply | Notice]:
        """One call of the policy: ``ModelCall``, then pieces where it streams, then ``ModelReply``.

        For a reader, a prompt that is refused for its length or its pictures is cut and asked again, with a ``Notice``.
        """
        while True:
            asked, whole = self._call(session, fitting, displayed, seed=seed, must_answer=wishes.answer_now)
            yield asked
            try:
                # closed at once when whoever listens leaves, so that the request is cancelled, not merely forgotten
                async with aclosing(self._replies(asked.request, stream=stream)) as pieces:
                    async for piece in pieces:
                        if wishes.answer_now and not asked.request.forced:
                            break
                        if isinstance(piece, str):
                            yield TokenDelta(call=asked.call, text=piece)
                            continue
                        session.environment.count_call(asked.request.messages, piece)
                        yield ModelReply(call=asked.call, completion=piece)
                    else:
                        return
                notice = Notice(call=asked.call, code="answer_now", text="answering now, with what was found")
            except (PromptTooLong, PicturesRefused) as error:
                if not self.for_reader:
                    raise
                notice = fitting.refused(error, asked.call, whole)
                session.environment.sees_pictures &= fitting.pictures
            yield notice

    async def _settled(
        self, session: MemorySession, fitting: Fitting, completion: Completion, asked: ModelCall
    ) -> tuple[Event, ...]:
        """Apply one reply to the session, with what a reader has to know of it."""
        if not self.for_reader:
            return await _settle(session, completion, asked)
        told = tuple(filter(None, (fitting.after(completion, asked.call),)))
        if thought := fitting.thought_only(completion, self.sampling, asked.call):
            notice, asks_again = thought
            if asks_again:
                return (*told, notice)
            closed = _close_pending(session.environment)
            session.environment.abstain()
            return (*told, notice, *closed)
        settled = await _settle(session, completion, asked, takes_plain=True)
        return (*told, *settled, *await self._looked_up(session, fitting, asked.call))

    async def _looked_up(self, session: MemorySession, fitting: Fitting, call: int) -> tuple[Event, ...]:
        """Where the next call has to answer and nothing was ever searched: a search with the question, and that it was made."""
        environment = session.environment
        has_searched = environment.counters.searches or environment.graph.nodes
        if environment.outcome is not None or not environment.must_answer or has_searched:
            return ()
        found = await session.look_up()
        return (fitting.looked_up(call), *found) if found else ()

    async def _replies(self, request: PolicyRequest, *, stream: bool) -> AsyncGenerator[str | Completion]:
        """The reply, in pieces first if it is to be streamed and can be; the completion is last."""
        if stream and isinstance(self.policy, StreamingPolicy):
            async with aclosing(self.policy.stream(request)) as pieces:
                async for piece in pieces:
                    yield piece
        else:
            yield await self.policy.complete(request)

    def _call(
        self,
        session: MemorySession,
        fitting: Fitting,
        displayed: Displayed,
        *,
        seed: int | None,
        must_answer: bool,
    ) -> tuple[ModelCall, tuple[Message, ...]]:
        """The next call, and its conversation before anything was cut."""
        environment = session.environment
        number = environment.counters.model_calls + 1
        environment.is_last_call = must_answer or environment.must_answer or fitting.has_looked_up
        forced = environment.is_last_call or session.must_answer
        messages = with_said(session.messages(forced=forced), session.said)
        sampling = replace(self.sampling, seed=call_seed(seed, number, default=self.sampling.seed))
        request = PolicyRequest(
            messages=fitting.prompt(messages),
            task=environment.task,
            sampling=fitting.sampling(sampling),
            forced=forced,
            displayed=displayed,
        )
        return ModelCall(call=number, request=request), messages

    def trajectory(self, environment: Environment, segments: tuple[Segment, ...]) -> Trajectory:
        """The record of a rollout whose ``environment`` has come to an outcome."""
        answer, outcome = environment.graph.answer, environment.outcome
        assert outcome is not None, "the loop ends with an outcome"
        return Trajectory(
            task=environment.task,
            graph=environment.graph,
            segments=segments,
            outcome=outcome,
            answer="" if answer is None else answer.text,
            policy=self.policy.fingerprint,
            memory=self.memory.name,
            allocation=environment.allocation,
            limits=replace(self.limits, similarity=None),
            index=self.retriever.fingerprint,
            counters=environment.counters,
        )


class SegmentRecorder:
    """Cuts the calls of one rollout into segments: one a search node, and the terminal one."""

    def __init__(self) -> None:
        self._open: list[Call] = []
        self._segments: list[Segment] = []

    def record(self, messages: Sequence[Message], completion: Completion) -> None:
        """Add a call and what it was shown to the open segment."""
        self._open.append(
            Call(
                prompt_ids=completion.prompt_ids,
                token_ids=completion.token_ids,
                logprobs=completion.logprobs,
                images=completion.images,
                text=completion.text,
                turns=render_turns(messages),
                prompt_tokens=completion.prompt_tokens,
                completion_tokens=completion.completion_tokens,
            )
        )

    def on_event(self, event: Event) -> None:
        """Close the segment of a node that entered the graph; note that the last reply was refused.

        A call that answered instead of summarising the node belongs to the terminal segment.
        """
        if isinstance(event, ReplyRejected):
            self._open[-1] = replace(self._open[-1], rejected=True)
        if not isinstance(event, NodeAdded):
            return
        kept = [self._open.pop()] if event.by_answer else []
        self._segments.append(Segment(node_id=event.node.id, calls=tuple(self._open)))
        self._open = kept

    def close(self) -> tuple[Segment, ...]:
        """All segments; the terminal one is last."""
        return (*self._segments, Segment(node_id=None, calls=tuple(self._open)))


def displayed_after(events: Sequence[Event], before: Displayed) -> Displayed:
    """The results that the next call has to act on: of a search just made; those of ``before`` if the reply was refused."""
    for event in reversed(events):
        if isinstance(event, ObservationAdded):
            return event.shown
        if isinstance(event, ReplyRejected):
            return before
    return None


def _sent(asked: ModelCall | None) -> PolicyRequest:
    assert asked is not None, "a reply follows its call"
    return asked.request


async def _settle(
    session: MemorySession, completion: Completion, asked: ModelCall, *, takes_plain: bool = False
) -> tuple[Event, ...]:
    """Apply one reply to the session; with ``takes_plain`` a forced answer may be plain words."""
    reply = reply_turn(completion)
    try:
        legal = session.environment.read(completion.text)
    except ActionError as error:
        plain = takes_plain and asked.request.forced and session.environment.plain_answer(completion.text)
        return (
            _answer(session.environment, plain, asked)
            if plain
            else _refuse(session, completion, asked, str(error))
        )
    if isinstance(legal.action, Answer):
        return _answer(session.environment, legal, asked)
    if asked.request.forced:
        if not session.environment.is_last_call:
            session.environment.refuse()  # counts towards the re-asks of a policy that only answers
        return _refuse(session, completion, asked, "Only an answer is accepted now.")
    if isinstance(legal.action, Search):
        return await session.search(reply, legal.action)
    return await session.memorize(reply, legal.action)


def _refuse(
    session: MemorySession, completion: Completion, asked: ModelCall, reason: str
) -> tuple[Event, ...]:
    rejected, environment = ReplyRejected(call=asked.call, reason=reason), session.environment
    if not asked.request.forced or (environment.limits.rules > 1 and not environment.is_last_call):
        session.reject(reply_turn(completion), reason)
        return (rejected,)
    closed = _close_pending(session.environment)
    session.environment.abstain()
    return (rejected, *closed)


def _answer(environment: Environment, legal: LegalAction, asked: ModelCall) -> tuple[Event, ...]:
    assert isinstance(legal.action, Answer)
    closed, forced = _close_pending(environment), asked.request.forced
    answer = environment.answer(legal.action, forced=forced)
    return (*closed, AnswerGiven(answer=answer, forced=forced))


def _close_pending(environment: Environment) -> tuple[Event, ...]:
    node = environment.close_pending()
    return () if node is None else (NodeAdded(node=node, graph=environment.graph, by_answer=True),)


def call_seed(seed: int | None, call: int, *, default: int | None = None) -> int | None:
    """A seed of its own for each call of a rollout, so that calls do not repeat each other's draws."""
    base = default if seed is None else seed
    return None if base is None else derived_seed(base, call)


def derived_seed(*parts: int | str) -> int:
    """A 63-bit seed from numbers and names; equal parts give equal seeds on every machine."""
    text = "\x1f".join(map(str, parts)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") >> 1
