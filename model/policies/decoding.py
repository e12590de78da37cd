"""The decoding loop: a running batch of a local Qwen-VL that requests join and leave between steps.

``DecodingBatch`` is the loop in pieces (``step``, ``join``, ``sample``), ``generate`` the whole of it for requests that are all
there. The loop is our own because a sample must not depend on the rest of the batch: each row has its own random
stream (``sampling.py``), its own positions and its own place in the cache (``kv_cache.py``). Queues and threads are
``transformers_policy.py``.

Shape legend: B = rows still decoding, U = different prompts, L = padded prompt length, V = vocabulary.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers import DynamicCache

from model.policies.chat_template import EncodedPrompt, PixelBatch, PromptEncoder, collate
from model.policies.families import VisionLanguageModel
from model.policies.kv_cache import RowCache, RowSource, compact
from model.policies.sampling import GeneratedTokens, RowState, sample
from model.policies.vision_cache import VisionFeatureCache
from model.types import ImageRef

PREFILL_TOKENS = 16_384  # padded tokens of one forward pass over prompts, which bounds its activations
LONGEST_TO_SHORTEST = 1.25  # prompts of one pass, so that at most a fifth of it is padding
FEATURE_TOKENS = 16_384  # visual tokens whose features are kept for other prompts
ATTENTIONS = ("sdpa", "eager")  # those that honour a mask with gaps at the end of a row


class GenerationRequest(NamedTuple):
    """A prompt to complete and the state of its row; requests with equal prompts are computed once."""

    row: RowState
    prompt: EncodedPrompt
    pixels: PixelBatch

    @property
    def reach(self) -> int:
        """Tokens it may come to hold: its prompt and its longest reply."""
        return len(self.prompt.ids) + self.row.sampling.max_tokens


class Prefill(NamedTuple):
    """Computed prompts: logits of the next token, keys and values, next positions."""

    logits_UV: Tensor
    cache: DynamicCache
    next_positions: list[int]


class DecodingBatch:
    """Rows that are decoded together.

    In this order: ``step`` feeds each row's last token, ``join`` adds rows, ``sample`` gives every row its next token and
    removes those that have ended.

    Raises:
        ValueError: if the model's attention cannot decode rows of different lengths.
    """

    def __init__(self, model: VisionLanguageModel, encoder: PromptEncoder) -> None:
        attention = model.config.get_text_config()._attn_implementation
        if attention not in ATTENTIONS:
            raise ValueError(
                f"decoding needs one of the attentions {', '.join(ATTENTIONS)}, got {attention!r}"
            )
        self._model, self._encoder = model, encoder
        self._cache = RowCache(model.config.get_text_config())
        self._image_features = VisionFeatureCache(model, max_tokens=FEATURE_TOKENS)
        self._logits_BV: Tensor | None = None
        self._next_positions: list[int] = []
        self._reaches: list[int] = []
        self.rows: list[RowState] = []

    @property
    def reach(self) -> int:
        """Tokens that the longest row may come to hold."""
        return max(self._reaches, default=0)

    def step(self) -> None:
        """Feed each row its last token."""
        device = self._model.device
        tokens_B1 = torch.tensor([row.token_ids[-1:] for row in self.rows], device=device)
        positions_B = torch.tensor(self._next_positions, device=device)
        output = self._model(
            input_ids=tokens_B1,
            attention_mask=self._cache.mask(device),
            position_ids=positions_B.view(1, -1, 1).expand(3, -1, -1),
            past_key_values=self._cache,
            use_cache=True,
        )
        self._cache.grow()
        self._next_positions = [position + 1 for position in self._next_positions]
        self._logits_BV = output.logits[:, -1].float()

    def join(self, requests: Sequence[GenerationRequest]) -> None:
        """Compute the prompts of ``requests``, equal ones once, and add their rows.

        An error leaves the present rows as they are; some of ``requests`` may have joined.
        """
        assert self._logits_BV is not None or not self.rows, "the present rows step first"
        for groups in _prefill_passes(requests):
            distinct = [group[0] for group in groups]
            self._append(groups, prefill(self._model, self._encoder, distinct, self._image_features))

    def sample(self) -> list[RowState]:
        """Give every row its next token; returns the rows that have ended and left, in any order."""
        assert self._logits_BV is not None, "rows join before they are sampled"
        sampled = sample(self._logits_BV, self.rows, forbidden=self._encoder.image_id)
        for row, token, logprob in zip(self.rows, sampled.tokens, sampled.logprobs, strict=True):
            if not row.done:  # an abandoned row gets no more tokens
                row.append(token, logprob, self._encoder.eos_id)
        self._logits_BV = None
        return self._remove([index for index, row in enumerate(self.rows) if row.done])

    def _append(self, groups: Sequence[Sequence[GenerationRequest]], prefilled: Prefill) -> None:
        sources = [
            (RowSource(number, len(request.prompt.ids)), request)
            for number, group in enumerate(groups)
            for request in group
        ]
        reach = max(self.reach, *(request.reach for _, request in sources))
        self._cache.insert(prefilled.cache, [source for source, _ in sources], columns=reach)
        logits_NV = prefilled.logits_UV[[source.row for source, _ in sources]]
        before_BV = self._logits_BV
        self._logits_BV = logits_NV if before_BV is None else torch.cat([before_BV, logits_NV])
        for source, request in sources:
            self.rows.append(request.row)
            self._reaches.append(request.reach)
            self._next_positions.append(prefilled.next_positions[source.row])

    def _remove(self, indices: Sequence[int]) -> list[RowState]:
        if not indices:
            return []
        removed = [self.rows[index] for index in indices]
        order = compact(len(self.rows), indices)
        self._cache.keep(order)
        self.rows = [self.rows[index] for index in order]
        self._reaches = [self._reaches[index] for index in order]
        self._next_positions = [self._next_positions[index] for index in order]
        return removed


@torch.inference_mode()
def generate(
    model: VisionLanguageModel, requests: Sequence[GenerationRequest], *, encoder: PromptEncoder
) -> list[GeneratedTokens]:
    """Complete each request with its own sampling options; rows end at the end token or at their ``max_tokens``."""
    was_training = model.training
    model.eval()
    batch = DecodingBatch(model, encoder)
    batch.join(requests)
    batch.sample()
    while batch.rows:
        batch.step()
        batch.sample()
    model.train(was_training)
    return [request.row.generated for request in requests]


def prefill(
    model: VisionLanguageModel,
    encoder: PromptEncoder,
    requests: Sequence[GenerationRequest],
    image_features: VisionFeatureCache,
) -> Prefill:
    """Run prompts in one pass, with explicit positions: those the model stores belong to its last caller."""
    batch = collate(
        [request.prompt.ids for request in requests],
        [request.pixels for request in requests],
        pad_id=encoder.pad_id,
        image_id=encoder.image_id,
        left=True,
    )
    batch.pop("pixel_values", None)  # features replace them
    inputs: dict[str, Any] = {name: tensor.to(model.device) for name, tensor in batch.items()}
    positions_3UL = _positions(model, inputs)
    features = image_features.features(
        [request.prompt.images for request in requests], [request.pixels for request in requests]
    )
    if features is not None:
        inputs["mm_encoder_outputs"] = {"image": features}
    cache = DynamicCache(config=model.config.get_text_config())
    output = model(
        **inputs, position_ids=positions_3UL, past_key_values=cache, use_cache=True, logits_to_keep=1
    )
    next_positions = (positions_3UL.amax(dim=(0, 2)) + 1).tolist()
    return Prefill(output.logits[:, -1].float(), cache, next_positions)


def _positions(model: VisionLanguageModel, inputs: dict[str, Tensor]) -> Tensor:
    """Positions of time, height and width, i64[3, U, L]."""
    mask_UL = inputs["attention_mask"]
    if "image_grid_thw" not in inputs:
        return (mask_UL.cumsum(-1) - 1).clamp(min=0).expand(3, -1, -1)
    names = ("input_ids", "mm_token_type_ids", "image_grid_thw", "attention_mask")
    arguments: dict[str, Any] = {name: inputs[name] for name in names}
    return model.model.get_rope_index(**arguments)[0]


def _prefill_passes(requests: Sequence[GenerationRequest]) -> list[list[list[GenerationRequest]]]:
    """Requests with equal prompts in one group, groups of similar length in one pass, shortest first."""
    groups: dict[tuple[tuple[int, ...], tuple[ImageRef, ...]], list[GenerationRequest]] = {}
    for request in requests:
        groups.setdefault((request.prompt.ids, request.prompt.images), []).append(request)
    passes: list[list[list[GenerationRequest]]] = []
    for group in sorted(groups.values(), key=lambda group: len(group[0].prompt.ids)):
        length = len(group[0].prompt.ids)
        if passes and _fits(length, passes[-1]):
            passes[-1].append(group)
        else:
            passes.append([group])
    return passes


def _fits(length: int, groups: Sequence[Sequence[GenerationRequest]]) -> bool:
    shortest = len(groups[0][0].prompt.ids)
    return length <= LONGEST_TO_SHORTEST * shortest and length * (len(groups) + 1) <= PREFILL_TOKENS
