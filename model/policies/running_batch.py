"""The running batch and the requests whose rows it holds: who joins, who is told what, whose error it is.

Lives in the decoding thread; only ``PendingRequest.tell`` reaches into an event loop. When requests join is decided by
``transformers_policy.py``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from model.policies.chat_template import EncodedPrompt, PromptEncoder
from model.policies.decoding import DecodingBatch, GenerationRequest
from model.policies.families import VisionLanguageModel
from model.policies.sampling import GeneratedTokens, RowState
from model.protocols import MediaSource
from model.types import Sampling

BatchEvent: TypeAlias = (
    int | GeneratedTokens | Exception
)  # a token, the end of the reply, or why there is none


class PendingRequest:
    """One request, its row, and the event loop that waits for it; made in that loop.

    ``streamed`` asks for every token as it is drawn.
    """

    def __init__(self, prompt: EncodedPrompt, sampling: Sampling, *, streamed: bool) -> None:
        self.prompt, self.row, self.streamed = prompt, RowState(sampling), streamed
        self.loop = asyncio.get_running_loop()
        self.events: asyncio.Queue[BatchEvent] = asyncio.Queue()
        self.reach = len(prompt.ids) + sampling.max_tokens  # tokens it may come to hold

    def tell(self, event: BatchEvent) -> None:
        """Hand an event over to the loop, from another thread."""
        try:
            self.loop.call_soon_threadsafe(self.events.put_nowait, event)
        except RuntimeError:  # the loop is closed, so nobody waits
            self.row.abandon()


class RequestResult(NamedTuple):
    """What a request is to be told."""

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
        """Those being decoded."""
        return list(self._requests.values())

    @property
    def num_rows(self) -> int:
        """Rows being decoded."""
        return len(self._batch.rows)

    @property
    def reach(self) -> int:
        """Tokens that the longest row may come to hold."""
        return self._batch.reach

    def turn(self, joining: Sequence[PendingRequest]) -> list[RequestResult]:
        """One token for every row, those of ``joining`` included; what is to be told to whom."""
        self._requests |= {one.row: one for one in joining}
        return [*self._step(), *self._join(joining), *self._draw()]

    def _step(self) -> list[RequestResult]:
        """Feed the last tokens; an error here is nobody's in particular and ends all rows."""
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
        for one in joining:
            try:
                pixels = self._encoder.pixels(one.prompt.images, self._media)
            except Exception as error:
                failed.append(RequestResult(self._requests.pop(one.row), error))
            else:
                ready.append(GenerationRequest(one.row, one.prompt, pixels))
        try:
            self._batch.join(ready)
        except Exception:
            joined = set(self._batch.rows)
            failed += [outcome for one in ready if one.row not in joined for outcome in self._join_alone(one)]
        return failed

    def _join_alone(self, one: GenerationRequest) -> list[RequestResult]:
        try:
            self._batch.join([one])
        except Exception as error:
            return [RequestResult(self._requests.pop(one.row), error)]
        return []

    def _draw(self) -> list[RequestResult]:
        if not self._batch.rows:
            return []
        drawing = list(self._batch.rows)
        ended = set(self._batch.sample())
        outcomes: list[RequestResult] = []
        for row in drawing:
            request = self._requests[row]
            if request.streamed and row.token_ids:
                outcomes.append(RequestResult(request, row.token_ids[-1]))
            if row in ended:
                del self._requests[row]
                outcomes.append(RequestResult(request, row.generated))
        return outcomes
