"""From messages to the exact tokens and pixels a Qwen-VL model sees, and back.

The one place that knows the chat template, the image placeholders and the pixel layout; rollouts and the trainer both go
through it, so what was generated and what is trained on cannot drift apart. Assistant turns that carry ``token_ids`` are
spliced in verbatim and never tokenised again. Text from outside can not produce control tokens.

Patch layout: P px patches merged 2 x 2; a still image fills both slots of the temporal patch. Qwen3-VL has P = 16, so one
visual token covers 32 x 32 px, which is the unit of the sizes of ``ImageRef``. Qwen2.5-VL has P = 14: an image of the same
number of tokens is given to it at 28 px a token, so that grants, counters and prompts do not depend on the family.
"""

from collections.abc import Sequence
from copy import deepcopy
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from cachetools import LRUCache
from PIL import Image
from tokenizers import Tokenizer
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from model.protocols import MediaSource
from model.types import Completion, ImageRef, Message

PATCH_PX = 16
MERGE = 2
TOKEN_PX = PATCH_PX * MERGE  # side of the square one visual token covers
TEMPORAL_PATCH = 2

TURN_START, TURN_END = "<|im_start|>", "<|im_end|>"
VISION_START, IMAGE_PAD, VISION_END = "<|vision_start|>", "<|image_pad|>", "<|vision_end|>"


class PatchGeometry(NamedTuple):
    """Input of a family's vision tower: patches of ``patch_px`` squared, each channel normalised.

    A value v in [0, 1] becomes (v - mean) / deviation.
    """

    patch_px: int
    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]

    @property
    def width(self) -> int:
        """Values of one flattened patch: 1,536 for 16 px."""
        return 3 * TEMPORAL_PATCH * self.patch_px * self.patch_px

    def input_px(self, side_px: int) -> int:
        """Side of the model's input for a granted side of ``side_px``, a multiple of 32."""
        return side_px // PATCH_PX * self.patch_px


QWEN3_VL = PatchGeometry(PATCH_PX, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
PATCH_WIDTH = QWEN3_VL.width  # values of one flattened patch of Qwen3-VL: 1,536
# mean and deviation of CLIP (arXiv 2103.00020), as in the published preprocessor_config.json of Qwen2.5-VL
QWEN2_5_VL = PatchGeometry(14, (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))


class EncodedPrompt(NamedTuple):
    """A prompt: token ids with every image placeholder expanded, and its images in placeholder order."""

    ids: tuple[int, ...]
    images: tuple[ImageRef, ...]

    def completion(
        self, text: str, token_ids: tuple[int, ...], logprobs: tuple[float, ...], *, ended: bool
    ) -> Completion:
        """A reply to it in tokens; ``ended`` unless the longest length cut it off."""
        return Completion(
            text=text,
            prompt_ids=self.ids,
            token_ids=token_ids,
            logprobs=logprobs,
            images=self.images,
            finish_reason="stop" if ended else "length",
            prompt_tokens=len(self.ids),
            completion_tokens=len(token_ids),
        )


class PixelBatch(NamedTuple):
    """Pixels of zero or more images, in patches: ``pixel_values`` f32[sum of patches, width], ``grid_thw`` i64[images, 3]."""

    pixel_values: Tensor
    grid_thw: Tensor


def visual_tokens(image: ImageRef) -> int:
    """Tokens one image costs. Raises ``ValueError`` unless both sides are positive multiples of 32 px."""
    if image.width % TOKEN_PX or image.height % TOKEN_PX or not (image.width and image.height):
        raise ValueError(
            f"image sides must be positive multiples of {TOKEN_PX} px, got {image.width}x{image.height}"
        )
    return (image.width // TOKEN_PX) * (image.height // TOKEN_PX)


def patches(pixels_HWC: np.ndarray, patching: PatchGeometry = QWEN3_VL) -> np.ndarray:
    """Flattened patches of an RGB image u8[h, w, 3], f32[h/P * w/P, 3 * 2 * P * P], in the order of the processors.

    2 x 2 neighbours stay together.
    """
    side, mean, deviation = patching.patch_px, *np.array(patching[1:], dtype=np.float32)
    pixels = pixels_HWC.astype(np.float32) / (255 * deviation) - mean / deviation
    rows, columns = pixels.shape[0] // side, pixels.shape[1] // side
    grid = pixels.reshape(rows // MERGE, MERGE, side, columns // MERGE, MERGE, side, 3)
    ordered = grid.transpose(0, 3, 1, 4, 6, 2, 5).reshape(rows * columns, 3, 1, side * side)
    filled = np.broadcast_to(ordered, (rows * columns, 3, TEMPORAL_PATCH, side * side))
    return filled.reshape(-1, patching.width)


def _resized(ref: ImageRef, media: MediaSource, patching: PatchGeometry) -> np.ndarray:
    visual_tokens(ref)
    image = media.image(ref.item_id) if ref.timestamp_s is None else media.frame(ref.item_id, ref.timestamp_s)
    size = (patching.input_px(ref.width), patching.input_px(ref.height))
    if image.size != size:
        image = image.resize(size, Image.Resampling.BICUBIC)
    return np.asarray(image.convert("RGB"))


class PromptEncoder:
    """Chat template and pixels of one tokenizer.

    Args:
        tokenizer: a fast tokenizer that knows the six control tokens above.
        roles: names that replace a message's role, e.g. ``{"tool": "user"}`` for models without a tool turn.
        cache_images: resized images kept, three bytes a pixel, so that segments sharing an image decode it once.
        patching: patch geometry of the model's family.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        *,
        roles: dict[str, str] | None = None,
        cache_images: int = 4096,
        patching: PatchGeometry = QWEN3_VL,
    ) -> None:
        backend = getattr(tokenizer, "backend_tokenizer", None)
        if not isinstance(backend, Tokenizer):
            raise ValueError(f"a fast tokenizer is needed, got {type(tokenizer).__name__}")
        self.tokenizer = tokenizer
        self._plain_backend = deepcopy(backend)  # a copy: the caller's tokenizer keeps its own setting
        self._plain_backend.encode_special_tokens = True  # control tokens in a text are ordinary characters
        self._roles = roles or {}
        self.patching = patching
        self._resized: LRUCache[ImageRef, np.ndarray] = LRUCache(cache_images)
        self._control = {
            token: self._id(token) for token in (TURN_START, TURN_END, VISION_START, IMAGE_PAD, VISION_END)
        }
        self._newline = self._plain("\n")
        self._plain_cached = lru_cache(maxsize=16384)(self._plain)

    def _id(self, token: str) -> int:
        token_id = self.tokenizer.convert_tokens_to_ids(token)
        if not isinstance(token_id, int) or token_id == self.tokenizer.unk_token_id:
            raise ValueError(f"the tokenizer lacks the control token {token!r}")
        return token_id

    @property
    def eos_id(self) -> int:
        """Id of the token that ends a turn."""
        return self._control[TURN_END]

    @property
    def pad_id(self) -> int:
        """Id used for padding; masked everywhere."""
        token_id = self.tokenizer.pad_token_id
        return token_id if isinstance(token_id, int) else self.eos_id

    @property
    def image_id(self) -> int:
        """Id of one visual-token placeholder."""
        return self._control[IMAGE_PAD]

    def _plain(self, text: str) -> tuple[int, ...]:
        """Ids of text in which control tokens are ordinary characters."""
        return tuple(self._plain_backend.encode(text, add_special_tokens=False).ids)

    def _part(self, part: str | ImageRef) -> tuple[int, ...]:
        if isinstance(part, str):
            return self._plain_cached(part)
        placeholders = (self.image_id,) * visual_tokens(part)
        return (self._control[VISION_START], *placeholders, self._control[VISION_END])

    def text_ids(self, text: str) -> tuple[int, ...]:
        """Ids of plain text, e.g. of a demonstration; the end token is not added."""
        return self._plain_cached(text)

    def turn(self, message: Message) -> tuple[int, ...]:
        """Ids of one complete turn, its closing newline included."""
        role = self._roles.get(message.role, message.role)
        ids = [self._control[TURN_START], *self._plain_cached(f"{role}\n")]
        if message.token_ids:
            ids.extend(message.token_ids)
        else:
            for part in message.parts:
                ids.extend(self._part(part))
        return (*ids, self._control[TURN_END], *self._newline)

    def encode(self, messages: Sequence[Message]) -> EncodedPrompt:
        """The conversation followed by the opening of the assistant's next turn."""
        ids = [token for message in messages for token in self.turn(message)]
        ids += [self._control[TURN_START], *self._plain_cached("assistant\n")]
        images = tuple(part for message in messages for part in message.parts if isinstance(part, ImageRef))
        return EncodedPrompt(tuple(ids), images)

    def demonstration(self, messages: Sequence[Message], text: str, *, is_cut: bool = False) -> Completion:
        """``text`` after ``messages``, with its end-of-turn token unless the reply was cut off, as if it had been generated.

        Nobody drew these tokens, so their log-probabilities are zeros and no ratio may rest on them.
        """
        tokens = (*self.text_ids(text), *(() if is_cut else (self.eos_id,)))
        return self.encode(messages).completion(text, tokens, (0.0,) * len(tokens), ended=not is_cut)

    def decode(self, ids: Sequence[int]) -> str:
        """Text of generated ids up to the end of the turn."""
        kept = list(ids)
        if self.eos_id in kept:
            kept = kept[: kept.index(self.eos_id)]
        return str(self.tokenizer.decode(kept, skip_special_tokens=False, clean_up_tokenization_spaces=False))

    @staticmethod
    def no_pixels() -> PixelBatch:
        """Pixels of a sequence without images, of any family."""
        return PixelBatch(torch.zeros(0, PATCH_WIDTH), torch.zeros(0, 3, dtype=torch.long))

    def pixels(self, images: Sequence[ImageRef], media: MediaSource, *, keep: bool = True) -> PixelBatch:
        """Pixels of ``images`` in order, each resized to its granted size; ``keep`` caches them for the next call.

        Raises:
            KeyError: for an item unknown to ``media``.
        """
        if not images:
            return self.no_pixels()
        arrays = [patches(self.resized_image(image, media, keep=keep), self.patching) for image in images]
        return PixelBatch(torch.from_numpy(np.concatenate(arrays)), self.grid(images))

    @staticmethod
    def grid(images: Sequence[ImageRef]) -> Tensor:
        """Patches of each image along time, height and width, i64[images, 3]."""
        sides = [[1, image.height // PATCH_PX, image.width // PATCH_PX] for image in images]
        return torch.tensor(sides, dtype=torch.long).reshape(-1, 3)

    def resized_image(self, ref: ImageRef, media: MediaSource, *, keep: bool = True) -> np.ndarray:
        """The image at the input size of this family's models, u8[h, w, 3]; ``keep`` and errors as in ``pixels``."""
        if ref in self._resized and keep:
            return self._resized[ref]
        pixels = _resized(ref, media, self.patching)
        if keep:
            self._resized[ref] = pixels
        return pixels


def collate(
    sequences: Sequence[Sequence[int]],
    pixel_batches: Sequence[PixelBatch],
    *,
    pad_id: int,
    image_id: int,
    left: bool = False,
) -> dict[str, Tensor]:
    """Keyword arguments of a Qwen-VL model for B sequences padded to the longest, L.

    Returns ``input_ids``, ``attention_mask`` and ``mm_token_type_ids`` [B, L]; ``pixel_values`` and ``image_grid_thw`` only
    when an image is there. ``left`` pads on the left, as generation needs.

    Raises:
        ValueError: if placeholders and pixels of a sequence disagree.
    """
    width = max(len(sequence) for sequence in sequences)
    input_ids_BL = torch.full((len(sequences), width), pad_id, dtype=torch.long)
    mask_BL = torch.zeros_like(input_ids_BL)
    for row, (sequence, pixels) in enumerate(zip(sequences, pixel_batches, strict=True)):
        span = slice(width - len(sequence), width) if left else slice(0, len(sequence))
        input_ids_BL[row, span] = torch.tensor(sequence, dtype=torch.long)
        mask_BL[row, span] = 1
        needed = int(pixels.grid_thw.prod(dim=1).sum()) // (MERGE * MERGE)
        placeholders = int((input_ids_BL[row] == image_id).sum())
        if placeholders != needed:
            raise ValueError(
                f"sequence {row} has {placeholders} image placeholders, its images need {needed}"
            )
    batch = {
        "input_ids": input_ids_BL,
        "attention_mask": mask_BL,
        "mm_token_type_ids": (input_ids_BL == image_id).int(),
    }
    if with_images := [pixels for pixels in pixel_batches if len(pixels.grid_thw)]:
        batch["pixel_values"] = torch.cat([pixels.pixel_values for pixels in with_images])
        batch["image_grid_thw"] = torch.cat([pixels.grid_thw for pixels in with_images])
    return batch
