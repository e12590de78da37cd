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
from model.agent.context import render_turns, reply_turn
from model.agent.environment import Environment
from model.agent.events import (
    AnswerGiven,
    Event,
    ModelCall,
    ModelReply,
    NodeAdded,
    ObservationAdded,
    ReplyRejected,
    RolloutEnd,
    TokenDelta,
)
from model.agent.memory.session import MemoryPolicy, MemorySession
from model.config.limits import Limits
from model.protocols import Policy, Retriever, StreamingPolicy
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

Displayed: TypeAlias = tuple[DisplayedHit, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """A policy, a retriever and a way to remember; stateless, so it runs any number of rollouts at once."""

    policy: Policy
    retriever: Retriever
    memory: MemoryPolicy
    limits: Limits = field(default_factory=Limits)
    sampling: Sampling = field(default_factory=Sampling)

    async def run(self, task: Task, *, seed: int | None = None) -> Trajectory:
        """The trajectory of one rollout; errors of policy and retriever come through as they are."""
        async for event in self.events(task, seed=seed):
            if isinstance(event, RolloutEnd):
                return event.trajectory
        raise AssertionError("a rollout ends with RolloutEnd")

    async def events(
        self, task: Task, *, seed: int | None = None, stream: bool = False
    ) -> AsyncGenerator[Event]:
        """What happens, as it happens; the last event is ``RolloutEnd``.

        ``seed`` makes the draws of this rollout reproducible; without it ``sampling.seed`` is used, or none.
        ``stream`` adds ``TokenDelta`` events where the policy can stream.
        """
        session = self.memory.open(task, self.retriever, self.limits)
        recorder = SegmentRecorder()
        events = await session.begin()
        displayed: Displayed = None
        for event in events:
            recorder.on_event(event)
            yield event
        while session.environment.outcome is None:
            displayed = displayed_after(events, displayed)
            asked = self._call(session, displayed, seed=seed)
            yield asked
            completion: Completion | None = None
            # closed at once when whoever listens leaves, so that the request is cancelled, not merely forgotten
            async with aclosing(self._replies(asked.request, stream=stream)) as pieces:
                async for piece in pieces:
                    if isinstance(piece, Completion):
                        completion = piece
                    else:
                        yield TokenDelta(call=asked.call, text=piece)
            assert completion is not None, "a reply ends with its completion"
            session.environment.count_call(asked.request.messages, completion)
            recorder.record(asked.request.messages, completion)
            yield ModelReply(call=asked.call, completion=completion)
            events = await _settle(session, completion, asked)
            for event in events:
                recorder.on_event(event)
                yield event
        yield RolloutEnd(trajectory=self.trajectory(session.environment, recorder.close()))

    async def _replies(self, request: PolicyRequest, *, stream: bool) -> AsyncGenerator[str | Completion]:
        """The reply, in pieces first if it is to be streamed and can be; the completion is last."""
        if stream and isinstance(self.policy, StreamingPolicy):
            async with aclosing(self.policy.stream(request)) as pieces:
                async for piece in pieces:
                    yield piece
        else:
            yield await self.policy.complete(request)

    def _call(self, session: MemorySession, displayed: Displayed, *, seed: int | None) -> ModelCall:
        environment = session.environment
        number = environment.counters.model_calls + 1
        forced = environment.must_answer or session.must_answer
        request = PolicyRequest(
            messages=session.messages(forced=forced),
            task=environment.task,
            sampling=replace(self.sampling, seed=call_seed(seed, number, default=self.sampling.seed)),
            forced=forced,
            displayed=displayed,
        )
        return ModelCall(call=number, request=request)

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
    for event in events:
        if isinstance(event, ObservationAdded):
            return event.shown
        if isinstance(event, ReplyRejected):
            return before
    return None


async def _settle(session: MemorySession, completion: Completion, asked: ModelCall) -> tuple[Event, ...]:
    """Apply one reply to the session."""
    reply = reply_turn(completion)
    try:
        legal = session.environment.read(completion.text)
    except ActionError as error:
        return _refuse(session, completion, asked, str(error))
    if isinstance(legal.action, Answer):
        return _answer(session.environment, legal, asked)
    if asked.request.forced:
        return _refuse(session, completion, asked, "Only an answer is accepted now.")
    if isinstance(legal.action, Search):
        return await session.search(reply, legal.action)
    return await session.memorize(reply, legal.action)


def _refuse(
    session: MemorySession, completion: Completion, asked: ModelCall, reason: str
) -> tuple[Event, ...]:
    rejected = ReplyRejected(call=asked.call, reason=reason)
    if not asked.request.forced:
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
