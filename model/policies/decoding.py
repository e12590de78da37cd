"""The decoding loop: a running batch of a local Qwen-VL that requests join and leave between steps.

``DecodingBatch`` is the loop in pieces (``step``, ``join``, ``sample``), ``generate`` the whole of it for requests that are all
there. The loop is our own because a draw must not depend on who else is in the batch: each row has its own random
stream (``sampling.py``), its own positions and its own place in the cache (``kv_cache.py``). Queues and threads are
``transformers_policy.py``.

Shape legend: B = rows still decoding, U = different prompts, L = padded prompt length, V = vocabulary.
"""

from __future__ import annotations

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
PICTURE_TOKENS = 16_384  # visual tokens whose features are kept for other prompts
ATTENTIONS = ("sdpa", "eager")  # those that honour a mask with gaps at the end of a row


class GenerationRequest(NamedTuple):
    """What is to be completed, and the row that it will be; requests with equal prompts are computed once."""

    row: RowState
    prompt: EncodedPrompt
    pixels: PixelBatch

    @property
    def reach(self) -> int:
        """Tokens it may come to hold: its prompt and all that it may draw."""
        return len(self.prompt.ids) + self.row.sampling.max_tokens


class Prefill(NamedTuple):
    """Prompts that have been computed: next token's logits, keys and values, next positions."""

    logits_UV: Tensor
    cache: DynamicCache
    next_positions: list[int]


class DecodingBatch:
    """Rows that are decoded together.

    In turn: ``step`` feeds each row's last token, ``join`` adds rows, ``sample`` gives every row its next token and
    takes out those that have ended.

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
        self._pictures = VisionFeatureCache(model, max_tokens=PICTURE_TOKENS)
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

        An error leaves the rows that are there as they are; of ``requests``, some may have joined.
        """
        assert self._logits_BV is not None or not self.rows, "the rows that are there step first"
        for piece in _pieces(requests):
            different = [group[0] for group in piece]
            self._append(piece, prefill(self._model, self._encoder, different, self._pictures))

    def sample(self) -> list[RowState]:
        """Give every row its next token; the rows that have ended, and have left, in any order."""
        assert self._logits_BV is not None, "rows join before they draw"
        drawn = sample(self._logits_BV, self.rows, forbidden=self._encoder.image_id)
        for row, token, logprob in zip(self.rows, drawn.tokens, drawn.logprobs, strict=True):
            if not row.done:  # an abandoned row draws no more
                row.take(token, logprob, self._encoder.eos_id)
        self._logits_BV = None
        return self._leave([place for place, row in enumerate(self.rows) if row.done])

    def _append(self, piece: Sequence[Sequence[GenerationRequest]], done: Prefill) -> None:
        sources = [
            (RowSource(number, len(one.prompt.ids)), one)
            for number, group in enumerate(piece)
            for one in group
        ]
        reach = max(self.reach, *(one.reach for _, one in sources))
        self._cache.insert(done.cache, [source for source, _ in sources], columns=reach)
        logits_NV = done.logits_UV[[source.row for source, _ in sources]]
        before_BV = self._logits_BV
        self._logits_BV = logits_NV if before_BV is None else torch.cat([before_BV, logits_NV])
        for source, one in sources:
            self.rows.append(one.row)
            self._reaches.append(one.reach)
            self._next_positions.append(done.next_positions[source.row])

    def _leave(self, places: Sequence[int]) -> list[RowState]:
        if not places:
            return []
        gone = [self.rows[place] for place in places]
        order = compact(len(self.rows), places)
        self._cache.keep(order)
        self.rows = [self.rows[place] for place in order]
        self._reaches = [self._reaches[place] for place in order]
        self._next_positions = [self._next_positions[place] for place in order]
        return gone


@torch.inference_mode()
def generate(
    model: VisionLanguageModel, requests: Sequence[GenerationRequest], *, encoder: PromptEncoder
) -> list[GeneratedTokens]:
    """Complete each request as its own sampling says; rows end at the end token or at their ``max_tokens``."""
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
    pictures: VisionFeatureCache,
) -> Prefill:
    """Run prompts in one pass, with explicit positions: those the model keeps are its last caller's."""
    batch = collate(
        [one.prompt.ids for one in requests],
        [one.pixels for one in requests],
        pad_id=encoder.pad_id,
        image_id=encoder.image_id,
        left=True,
    )
    batch.pop("pixel_values", None)  # their features are given instead
    inputs: dict[str, Any] = {name: tensor.to(model.device) for name, tensor in batch.items()}
    positions_3UL = _positions(model, inputs)
    features = pictures.features([one.prompt.images for one in requests], [one.pixels for one in requests])
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
    placed = ("input_ids", "mm_token_type_ids", "image_grid_thw", "attention_mask")
    arguments: dict[str, Any] = {name: inputs[name] for name in placed}
    return model.model.get_rope_index(**arguments)[0]


def _pieces(requests: Sequence[GenerationRequest]) -> list[list[list[GenerationRequest]]]:
    """Requests with equal prompts in one group, groups of similar length in one piece, shortest first."""
    groups: dict[tuple[tuple[int, ...], tuple[ImageRef, ...]], list[GenerationRequest]] = {}
    for one in requests:
        groups.setdefault((one.prompt.ids, one.prompt.images), []).append(one)
    pieces: list[list[list[GenerationRequest]]] = []
    for group in sorted(groups.values(), key=lambda group: len(group[0].prompt.ids)):
        length = len(group[0].prompt.ids)
        if pieces and _fits(length, pieces[-1]):
            pieces[-1].append(group)
        else:
            pieces.append([group])
    return pieces


def _fits(length: int, piece: Sequence[Sequence[GenerationRequest]]) -> bool:
    shortest = len(piece[0][0].prompt.ids)
    return length <= LONGEST_TO_SHORTEST * shortest and length * (len(piece) + 1) <= PREFILL_TOKENS
