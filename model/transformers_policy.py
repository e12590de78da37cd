"""A local Qwen-VL as a policy: pending requests are batched and decoded together with a KV cache.

``TransformersPolicy`` queues and batches; ``generate`` is the decoding loop over one batch. The loop is our
own because a draw must not depend on who else is in the batch: each request has its own random stream, and a
finished row leaves the batch. Log-probabilities are those of temperature 1, from the same logits the token
was drawn from.

Shape legend: B = rows still decoding, L = padded prompt length, V = vocabulary.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from transformers import DynamicCache, Qwen3VLForConditionalGeneration

from model.encoding import Encoded, Encoder, PixelBatch, collate
from model.fingerprint import of_policy
from model.protocols import MediaSource
from model.records import Completion, Message, Sampling, Task

IDLE_TURNS = 3  # event-loop turns without a new request before a batch is closed
COMPACT_BELOW = 0.75  # share of rows still decoding at which finished rows are cut out of the cache


class Generated(NamedTuple):
    """Tokens drawn for one prompt, the end token included when drawn, and their log-probabilities (nats)."""

    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...]


class _Request(NamedTuple):
    prompt: Encoded
    sampling: Sampling
    result: asyncio.Future[Generated]


class TransformersPolicy:
    """``Policy`` over a model in this process. Use it from one event loop at a time.

    Args:
        model: a Qwen-VL; put into eval mode for each batch.
        encoder: chat template and pixels.
        media: where the pictures of the prompts come from.
        max_batch: requests decoded together.
        max_prompt_tokens: longest prompt; a longer one is refused with ``ValueError``.
    """

    def __init__(
        self,
        model: Qwen3VLForConditionalGeneration,
        encoder: Encoder,
        media: MediaSource,
        *,
        max_batch: int = 32,
        max_prompt_tokens: int = 32_768,
    ) -> None:
        if max_batch < 1 or max_prompt_tokens < 1:
            raise ValueError(f"limits must be at least 1, got {max_batch} and {max_prompt_tokens}")
        self._model, self._encoder, self._media = model, encoder, media
        self._max_batch, self._max_prompt_tokens = max_batch, max_prompt_tokens
        self._waiting: list[_Request] = []
        # one thread for good: every new one would start its own team of OpenMP threads
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="generate")
        self._worker: asyncio.Task[None] | None = None
        self._fingerprint: str | None = None

    @property
    def fingerprint(self) -> str:
        """Hash of weights and tokenizer, computed once; see ``refresh``."""
        if self._fingerprint is None:
            self._fingerprint = of_policy(self._model, self._encoder.tokenizer)
        return self._fingerprint

    def refresh(self) -> None:
        """Say that the weights have changed."""
        self._fingerprint = None

    async def complete(self, messages: Sequence[Message], *, sampling: Sampling, task: Task) -> Completion:
        """One completion. Raises ``ValueError`` for a long prompt, ``KeyError`` for unknown pictures."""
        prompt = self._encoder.encode(messages)
        if len(prompt.ids) > self._max_prompt_tokens:
            raise ValueError(
                f"the prompt has {len(prompt.ids)} tokens, at most {self._max_prompt_tokens} are allowed"
            )
        result: asyncio.Future[Generated] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Request(prompt, sampling, result))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        drawn = await result
        return Completion(
            text=self._encoder.decode(drawn.token_ids),
            prompt_ids=prompt.ids,
            token_ids=drawn.token_ids,
            logprobs=drawn.logprobs,
            images=prompt.images,
            finish_reason="stop" if drawn.token_ids[-1] == self._encoder.eos_id else "length",
            prompt_tokens=len(prompt.ids),
            completion_tokens=len(drawn.token_ids),
        )

    async def _work(self) -> None:
        """Serve batches until nothing waits; inference runs in a thread, so that rollouts go on meanwhile."""
        while self._waiting:
            await self._gather()
            batch, self._waiting = self._waiting[: self._max_batch], self._waiting[self._max_batch :]
            await self._serve(
                [request for request in batch if not request.result.done()]
            )  # without cancelled ones

    async def _gather(self) -> None:
        """Wait until the batch is full or the event loop brings no further request."""
        quiet = 0
        while quiet < IDLE_TURNS and len(self._waiting) < self._max_batch:
            before = len(self._waiting)
            await asyncio.sleep(0)
            quiet = quiet + 1 if len(self._waiting) == before else 0

    async def _serve(self, batch: list[_Request]) -> None:
        """Generate for ``batch``; if it fails, one by one, so that an error reaches only its own request."""
        if not batch:
            return
        try:
            drawn = await asyncio.get_running_loop().run_in_executor(self._thread, self._generate, batch)
        except Exception as error:
            if len(batch) > 1:
                for request in batch:
                    await self._serve([request])
            elif not batch[0].result.done():
                batch[0].result.set_exception(error)
            return
        for request, generated in zip(batch, drawn, strict=True):
            if not request.result.done():
                request.result.set_result(generated)

    def _generate(self, batch: Sequence[_Request]) -> list[Generated]:
        pixels = [self._encoder.pixels(request.prompt.images, self._media) for request in batch]
        return generate(
            self._model,
            [request.prompt.ids for request in batch],
            pixels,
            [request.sampling for request in batch],
            encoder=self._encoder,
        )


@torch.inference_mode()
def generate(
    model: Qwen3VLForConditionalGeneration,
    prompts: Sequence[Sequence[int]],
    pixels: Sequence[PixelBatch],
    samplings: Sequence[Sampling],
    *,
    encoder: Encoder,
) -> list[Generated]:
    """Complete each prompt as its own sampling says; rows end at the end token or at their ``max_tokens``."""
    was_training = model.training
    model.eval()
    rows = [_Row(sampling) for sampling in samplings]
    batch = collate(prompts, pixels, pad_id=encoder.pad_id, image_id=encoder.image_id, left=True)
    state = _prefill(model, {name: tensor.to(model.device) for name, tensor in batch.items()})
    active = rows
    while True:
        drawn = _draw(state.logits_BV, active, forbidden=encoder.image_id)
        for row, token, logprob in zip(active, drawn.tokens, drawn.logprobs, strict=True):
            row.take(token, logprob, encoder.eos_id)
        alive = [place for place, row in enumerate(active) if not row.done]
        if not alive:
            break
        tokens = drawn.tokens
        if len(alive) < COMPACT_BELOW * len(active):
            state, active, tokens = (
                _compacted(state, alive),
                [active[p] for p in alive],
                [tokens[p] for p in alive],
            )
        state = _step(model, state, tokens)
    model.train(was_training)
    return [Generated(tuple(row.token_ids), tuple(row.logprobs)) for row in rows]


class _Row:
    """Progress of one request."""

    def __init__(self, sampling: Sampling) -> None:
        self.sampling = sampling
        self._random = np.random.default_rng(sampling.seed)
        self.token_ids: list[int] = []
        self.logprobs: list[float] = []
        self.done = False

    def uniform(self) -> float:
        """The next number of the row's own stream, in [0, 1)."""
        return float(self._random.random())

    def take(self, token: int, logprob: float, eos_id: int) -> None:
        """Append a drawn token unless the row has ended."""
        if self.done:
            return
        self.token_ids.append(token)
        self.logprobs.append(logprob)
        self.done = token == eos_id or len(self.token_ids) >= self.sampling.max_tokens


class _State(NamedTuple):
    """Where decoding stands: next token's logits, cache, attention mask [B, L+t], next positions [B]."""

    logits_BV: Tensor
    cache: DynamicCache
    mask_BL: Tensor
    next_position_B: Tensor


class _Drawn(NamedTuple):
    tokens: list[int]
    logprobs: list[float]


def _prefill(model: Qwen3VLForConditionalGeneration, batch: dict[str, Tensor]) -> _State:
    """Run the prompts, with explicit positions: those the model keeps are its last caller's."""
    mask_BL = batch["attention_mask"]
    if "image_grid_thw" in batch:
        placed = ("input_ids", "mm_token_type_ids", "image_grid_thw", "attention_mask")
        arguments: dict[str, Any] = {name: batch[name] for name in placed}
        positions_3BL, _ = model.model.get_rope_index(**arguments)
    else:
        positions_3BL = (mask_BL.cumsum(-1) - 1).clamp(min=0).expand(3, -1, -1)
    cache = DynamicCache(config=model.config.get_text_config())
    output = model(
        **batch, position_ids=positions_3BL, past_key_values=cache, use_cache=True, logits_to_keep=1
    )
    next_position_B = positions_3BL.amax(dim=(0, 2)) + 1
    return _State(output.logits[:, -1].float(), cache, mask_BL, next_position_B)


def _step(model: Qwen3VLForConditionalGeneration, state: _State, tokens: Sequence[int]) -> _State:
    """Feed one token a row; finished rows are fed too and ignored."""
    device = state.mask_BL.device
    tokens_B1 = torch.tensor(tokens, device=device).unsqueeze(1)
    mask_BL = torch.cat([state.mask_BL, state.mask_BL.new_ones(len(tokens), 1)], dim=1)
    output = model(
        input_ids=tokens_B1,
        attention_mask=mask_BL,
        position_ids=state.next_position_B.view(1, -1, 1).expand(3, -1, -1),
        past_key_values=state.cache,
        use_cache=True,
    )
    return _State(output.logits[:, -1].float(), state.cache, mask_BL, state.next_position_B + 1)


def _compacted(state: _State, alive: Sequence[int]) -> _State:
    """The state without finished rows."""
    kept = torch.tensor(alive, device=state.mask_BL.device)
    state.cache.batch_select_indices(kept)
    return _State(state.logits_BV[kept], state.cache, state.mask_BL[kept], state.next_position_B[kept])


def _draw(logits_BV: Tensor, rows: Sequence[_Row], *, forbidden: int) -> _Drawn:
    """The next token of each row and its log-probability under temperature 1.

    ``forbidden`` is the image placeholder: drawn, it would stand for pixels that nobody has.
    """
    allowed_BV = logits_BV.clone()
    allowed_BV[:, forbidden] = -torch.inf
    tokens_B = allowed_BV.argmax(dim=-1)
    if any(row.sampling.temperature > 0 for row in rows):
        tokens_B = _sample(allowed_BV, tokens_B, rows)
    logprobs_B = torch.log_softmax(logits_BV, dim=-1).gather(1, tokens_B.unsqueeze(1)).squeeze(1)
    return _Drawn(tokens_B.tolist(), logprobs_B.tolist())


def _sample(logits_BV: Tensor, greedy_B: Tensor, rows: Sequence[_Row]) -> Tensor:
    """Nucleus sampling, ``[B]``: the cumulative distribution inverted at a number of each row's own stream.

    The nucleus is the shortest prefix of the tokens in order of probability that reaches ``top_p``.
    """
    asked = torch.tensor(
        [[row.sampling.temperature, row.sampling.top_p, row.uniform()] for row in rows],
        dtype=torch.float32,
        device=logits_BV.device,
    )
    temperature_B1, top_p_B1, uniform_B1 = asked.split(1, dim=1)
    scaled_BV = logits_BV / temperature_B1.where(temperature_B1 > 0, 1.0)
    ordered_BV, tokens_BV = torch.softmax(scaled_BV, dim=-1).sort(descending=True, stable=True)
    cumulative_BV = ordered_BV.cumsum(-1)
    last_B1 = (cumulative_BV < top_p_B1).sum(-1, keepdim=True).clamp(max=logits_BV.shape[-1] - 1)
    target_B1 = uniform_B1 * cumulative_BV.gather(1, last_B1)
    place_B1 = torch.minimum((cumulative_BV <= target_B1).sum(-1, keepdim=True), last_B1)
    drawn_B = tokens_BV.gather(1, place_B1).squeeze(1)
    return drawn_B.where(temperature_B1.squeeze(1) > 0, greedy_B)
