"""A local Qwen-VL as a policy: requests join the running batch and leave it one by one.

``TransformersPolicy`` holds the queue, the thread and the streams; the decoding loop is ``decoding.py``. One thread decodes for
as long as there is anything to decode: between two steps it takes in waiting requests, so that none waits for another's reply
to end. The reply to a request does not depend on the rest of the batch.
"""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

import torch

from model.policies.chat_template import PromptEncoder
from model.policies.detokenizer import Detokenizer
from model.policies.families import VisionLanguageModel, family
from model.policies.fingerprint import policy_fingerprint
from model.policies.running_batch import (
    SETTLED_TURNS,
    BatchEvent,
    PendingRequest,
    RunningBatch,
    deliver_together,
)
from model.policies.sampling import GeneratedTokens
from model.protocols import MediaSource
from model.types import Completion, PolicyRequest

IDLE_TURNS = 3  # event-loop turns without a new request before decoding starts

logger = logging.getLogger(__name__)


class TransformersPolicy:
    """``StreamingPolicy`` over a model in this process.

    Args:
        model: a Qwen-VL of a known family; in eval mode while it decodes.
        encoder: chat template and pixels, with the patch geometry of the model's family.
        media: source of the prompts' images.
        max_batch: requests decoded together.
        max_prompt_tokens: longest prompt; a longer one is refused with ``ValueError``.
        cache_tokens: room of the KV cache, rows times the tokens of the longest; one request alone is always served.
        lockstep: take requests into the batch only once the event loop brings no more, so that the composition of a batch, on
            which the last bits of a log-probability depend, does not depend on timing. Requests then come from one event loop.
    """

    def __init__(  # noqa: PLR0913 - limits with defaults
        self,
        model: VisionLanguageModel,
        encoder: PromptEncoder,
        media: MediaSource,
        *,
        max_batch: int = 32,
        max_prompt_tokens: int = 32_768,
        cache_tokens: int = 262_144,
        lockstep: bool = False,
    ) -> None:
        if min(max_batch, max_prompt_tokens, cache_tokens) < 1:
            raise ValueError(
                f"limits must be at least 1, got {max_batch}, {max_prompt_tokens} and {cache_tokens}"
            )
        if family(model.config.model_type).patching != encoder.patching:
            raise ValueError(
                f"the encoder cuts patches of {encoder.patching.patch_px} px, not as {model.config.model_type} does"
            )
        self._model, self._encoder, self._media = model, encoder, media
        self._max_batch, self._max_prompt_tokens = max_batch, max_prompt_tokens
        self._cache_tokens = cache_tokens
        self._lockstep = lockstep
        self._idle_turns = SETTLED_TURNS if lockstep else IDLE_TURNS
        self._waiting: deque[PendingRequest] = deque()
        # held while ``_waiting`` and ``_running`` change, so that no request comes between the last look and the end
        self._lock = threading.Lock()
        self._running = False
        self._starter: asyncio.AbstractEventLoop | None = None  # the loop that is about to start the thread
        # one thread for good: every new one would start its own team of OpenMP threads
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="generate")
        self._fingerprint: str | None = None

    @property
    def fingerprint(self) -> str:
        """Hash of weights and tokenizer, computed once; see ``refresh``."""
        if self._fingerprint is None:
            self._fingerprint = policy_fingerprint(self._model, self._encoder.tokenizer)
        return self._fingerprint

    def refresh(self) -> None:
        """Forget the fingerprint: the weights have changed."""
        self._fingerprint = None

    async def complete(self, request: PolicyRequest) -> Completion:
        """One completion; cancelled, it leaves the batch at the next step.

        Raises:
            ValueError: for a prompt that is too long.
            KeyError: for an image that ``media`` does not know.
        """
        pending = self._submit(request, streamed=False)
        try:
            return self._completion(pending, await pending.events.get())
        finally:
            pending.row.abandon()

    async def stream(self, request: PolicyRequest) -> AsyncIterator[str | Completion]:
        """Pieces of whole characters, the completion last; the pieces add up to its text. Errors as ``complete``."""
        pending = self._submit(request, streamed=True)
        pieces = Detokenizer(self._encoder)
        try:
            while isinstance(event := await pending.events.get(), int):
                if piece := pieces.add(event):
                    yield piece
            completion = self._completion(pending, event)
            if piece := pieces.rest():
                yield piece
            yield completion
        finally:
            pending.row.abandon()

    def _completion(self, pending: PendingRequest, event: BatchEvent) -> Completion:
        if isinstance(event, Exception):
            raise event
        assert isinstance(event, GeneratedTokens), "tokens are handed to streams only"
        text, ended = self._encoder.decode(event.token_ids), event.token_ids[-1] == self._encoder.eos_id
        return pending.prompt.completion(text, event.token_ids, event.logprobs, ended=ended)

    def _submit(self, request: PolicyRequest, *, streamed: bool) -> PendingRequest:
        prompt = self._encoder.encode(request.messages)
        if len(prompt.ids) > self._max_prompt_tokens:
            raise ValueError(
                f"the prompt has {len(prompt.ids)} tokens, at most {self._max_prompt_tokens} are allowed"
            )
        pending = PendingRequest(prompt, request.sampling, streamed=streamed)
        with self._lock:
            self._waiting.append(pending)
            # a loop that was closed before it started the thread never will
            starts = not self._running or (self._starter is not None and self._starter.is_closed())
            self._running = True
            if starts:
                self._starter = pending.loop
        if starts:
            pending.loop.call_soon(self._start, pending.loop, 0, 0)
        return pending

    def _start(self, loop: asyncio.AbstractEventLoop, before: int, quiet_turns: int) -> None:
        """Start the thread once the first batch is full or the event loop brings no further request."""
        waiting = len(self._waiting)
        if quiet_turns < self._idle_turns and waiting < self._max_batch:
            loop.call_soon(self._start, loop, waiting, quiet_turns + 1 if waiting == before else 0)
            return
        self._starter = None
        self._thread.submit(self._run)

    @torch.inference_mode()
    def _run(self) -> None:
        """Decode until no request is left."""
        was_training = self._model.training
        self._model.eval()
        running = RunningBatch(self._model, self._encoder, self._media)
        may_join = True
        try:
            while True:
                results = running.advance(self._next_requests(running) if may_join else ())
                # the model's mode is restored before the last requests are answered: their callers may train it at once
                paused = not running.num_rows and self._pause(was_training)
                if self._lockstep:
                    ended = deliver_together(results, num_waiting=None if paused else self._num_waiting)
                    may_join = ended or not running.num_rows
                else:
                    for result in results:
                        result.request.deliver(result.event)
                if paused:
                    return
        except BaseException as cause:
            logger.exception("decoding ended")
            error = RuntimeError(f"decoding ended: {type(cause).__name__}: {cause}")
            error.__cause__ = cause
            self._fail_all(error, running, was_training)

    def _num_waiting(self) -> int:
        return len(self._waiting)

    def _next_requests(self, running: RunningBatch) -> list[PendingRequest]:
        """Requests of the queue that join now, in its order: one that does not fit waits, and so do all behind it."""
        joining: list[PendingRequest] = []
        reach = running.reach
        with self._lock:
            while self._waiting:
                request = self._waiting[0]
                num_rows = running.num_rows + len(joining) + 1
                needed = num_rows * max(reach, request.reach)
                if num_rows > 1 and (num_rows > self._max_batch or needed > self._cache_tokens):
                    break
                self._waiting.popleft()
                if not request.row.done:  # else it was abandoned
                    joining.append(request)
                    reach = max(reach, request.reach)
        return joining

    def _pause(self, was_training: bool) -> bool:
        """Whether nothing waits; if so, the next request starts the thread again."""
        with self._lock:
            if self._waiting:
                return False
            self._model.train(was_training)
            self._running = False
            return True

    def _fail_all(self, error: Exception, running: RunningBatch, was_training: bool) -> None:
        with self._lock:
            lost = [*running.requests, *self._waiting]
            self._waiting.clear()
            self._model.train(was_training)
            self._running = False
        for request in lost:
            request.deliver(error)
