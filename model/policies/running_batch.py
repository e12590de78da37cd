"""The running batch and the requests whose rows it holds: which join, which results each gets, which request an error ends.

Lives in the decoding thread; ``PendingRequest.deliver`` and ``deliver_together`` hand results to an event loop. When requests
join is decided by ``transformers_policy.py``.
"""

import asyncio
import threading
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

from model.policies.chat_template import EncodedPrompt, PromptEncoder
from model.policies.decoding import DecodingBatch, GenerationRequest
from model.policies.families import VisionLanguageModel
from model.policies.sampling import GeneratedTokens, RowState
from model.protocols import MediaSource
from model.types import Sampling

BatchEvent: TypeAlias = int | GeneratedTokens | Exception  # a token, the whole reply, or why there is none
SETTLED_TURNS = 32  # event-loop turns, of microseconds each, after which no further request is on its way
POLL_S = 0.05  # between two checks whether the loop still runs


class PendingRequest:
    """One request, its row, and the event loop that waits for it; made in that loop.

    ``streamed`` asks for every token as it is drawn.
    """

    def __init__(self, prompt: EncodedPrompt, sampling: Sampling, *, streamed: bool) -> None:
        self.prompt, self.row, self.streamed = prompt, RowState(sampling), streamed
        self.loop = asyncio.get_running_loop()
        self.events: asyncio.Queue[BatchEvent] = asyncio.Queue()
        self.reach = len(prompt.ids) + sampling.max_tokens  # tokens it may come to hold

    def deliver(self, event: BatchEvent) -> None:
        """Hand an event over to the loop, from another thread."""
        try:
            self.loop.call_soon_threadsafe(self.events.put_nowait, event)
        except RuntimeError:  # the loop is closed, so nobody waits
            self.row.abandon()


class RequestResult(NamedTuple):
    """An event for a request."""

    request: PendingRequest
    event: BatchEvent


class RunningBatch:
    """A ``DecodingBatch`` with the requests of its rows."""

    def __init__(self, model: VisionLanguageModel, encoder: PromptEncoder, media: MediaSource) -> None:
        self._model, self._encoder, self._media = model, encoder, media
        self._batch = DecodingBatch(model, encoder)
        self._requests: dict[RowState, PendingRequest] = {}

    @property
    def requests(self) -> list[PendingRequest]:
        """Requests being decoded."""
        return list(self._requests.values())

    @property
    def num_rows(self) -> int:
        """Rows being decoded."""
        return len(self._batch.rows)

    @property
    def reach(self) -> int:
        """Tokens that the longest row may come to hold."""
        return self._batch.reach

    def advance(self, joining: Sequence[PendingRequest]) -> list[RequestResult]:
        """Sample one token for every row, those of ``joining`` included; returns the events for their requests."""
        self._requests |= {request.row: request for request in joining}
        return [*self._step(), *self._join(joining), *self._sample()]

    def _step(self) -> list[RequestResult]:
        """Feed the last tokens; an error here belongs to no single request and ends all rows."""
        try:
            if self._batch.rows:
                self._batch.step()
        except Exception as error:
            lost = [self._requests.pop(row) for row in self._batch.rows]
            self._batch = DecodingBatch(self._model, self._encoder)
            return [RequestResult(request, error) for request in lost]
        return []

    def _join(self, joining: Sequence[PendingRequest]) -> list[RequestResult]:
        """Add rows together; if that fails, one by one, so that an error reaches only its own request."""
        failed: list[RequestResult] = []
        ready: list[GenerationRequest] = []
        for pending in joining:
            try:
                pixels = self._encoder.pixels(pending.prompt.images, self._media)
            except Exception as error:
                failed.append(RequestResult(self._requests.pop(pending.row), error))
            else:
                ready.append(GenerationRequest(pending.row, pending.prompt, pixels))
        try:
            self._batch.join(ready)
        except Exception:
            joined = set(self._batch.rows)
            left = [request for request in ready if request.row not in joined]
            failed += [result for request in left for result in self._join_alone(request)]
        return failed

    def _join_alone(self, request: GenerationRequest) -> list[RequestResult]:
        try:
            self._batch.join([request])
        except Exception as error:
            return [RequestResult(self._requests.pop(request.row), error)]
        return []

    def _sample(self) -> list[RequestResult]:
        if not self._batch.rows:
            return []
        rows = list(self._batch.rows)
        ended = set(self._batch.sample())
        results: list[RequestResult] = []
        for row in rows:
            request = self._requests[row]
            if request.streamed and row.token_ids:
                results.append(RequestResult(request, row.token_ids[-1]))
            if row in ended:
                del self._requests[row]
                results.append(RequestResult(request, row.generated))
        return results


def deliver_together(results: Sequence[RequestResult], *, num_waiting: Callable[[], int] | None) -> bool:
    """Deliver all results in one turn of their event loop; returns whether a reply ended, so that new requests may follow.

    Callbacks of one loop run in the order in which they were scheduled, so equal results lead to equal next requests, whatever
    the timing. With ``num_waiting``, the number of requests that wait, returns only once the loop brings no further one.
    """
    ended = any(not isinstance(result.event, int) for result in results)
    if not results:
        return False
    loop, settled = results[0].request.loop, threading.Event()

    def deliver_all() -> None:
        for result in results:
            result.request.events.put_nowait(result.event)
        if ended and num_waiting is not None:
            _settle(loop, num_waiting, settled)

    try:
        loop.call_soon_threadsafe(deliver_all)
    except RuntimeError:  # the loop is closed, so nobody waits
        for result in results:
            result.request.row.abandon()
        return ended
    while ended and num_waiting is not None and not settled.wait(POLL_S) and loop.is_running():
        pass
    return ended


def _settle(
    loop: asyncio.AbstractEventLoop, num_waiting: Callable[[], int], settled: threading.Event
) -> None:
    """Set ``settled`` after ``SETTLED_TURNS`` turns of the loop in which ``num_waiting`` did not grow."""

    def check(before: int, quiet_turns: int) -> None:
        waiting = num_waiting()
        if quiet_turns == SETTLED_TURNS:
            settled.set()
        else:
            loop.call_soon(check, waiting, quiet_turns + 1 if waiting == before else 0)

    check(num_waiting(), 0)
