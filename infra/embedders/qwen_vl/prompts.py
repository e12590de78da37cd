"""What a Qwen-VL embedder reads: a system turn with the instruction, a user turn with text or patches, an opened reply.

The layout is that of the models' own helpers; which token ends a prompt (Qwen3-VL-Embedding closes it with one of its own) is
said by the post-processor of the folder's ``tokenizer.json``. Control tokens within a text are ordinary characters.
"""

from collections.abc import Sequence
from copy import deepcopy
from enum import IntEnum
from typing import NamedTuple

from tokenizers import Tokenizer

from infra.embedders.qwen_vl.pixels import MERGE, TEMPORAL_PATCH, Patches

TURN_START, TURN_END = "<|im_start|>", "<|im_end|>"
VISION_START, VISION_END = "<|vision_start|>", "<|vision_end|>"
IMAGE_PAD, VIDEO_PAD = "<|image_pad|>", "<|video_pad|>"
CONTROL_TOKENS = (TURN_START, TURN_END, VISION_START, VISION_END, IMAGE_PAD, VIDEO_PAD)
EMPTY = "NULL"  # what the models were shown for an empty text


class TokenKind(IntEnum):
    """What stands at a position of a prompt, as the models number it."""

    TEXT = 0
    IMAGE = 1
    VIDEO = 2


class Prompt(NamedTuple):
    """Token ids with every placeholder expanded, what they stand for, and the patches they stand for, if any."""

    ids: tuple[int, ...]
    kind: TokenKind
    placeholder: int | None = None  # the id that stands for a visual token
    patches: Patches | None = None
    frame_interval_s: float = 0.0  # of a clip whose times no words tell


class PromptBuilder:
    """Prompts of one tokenizer and one instruction.

    Args:
        tokenizer: of the model's folder.
        instruction: what the vector is wanted for; a full stop is added where punctuation lacks.
        max_tokens: longest prompt; text is cut at its end.
        has_timestamps: whether frames are preceded by their time, as in Qwen3-VL.

    Raises:
        ValueError: if the tokenizer lacks a control token, or the instruction alone is too long.
    """

    def __init__(
        self, tokenizer: Tokenizer, instruction: str, *, max_tokens: int, has_timestamps: bool
    ) -> None:
        self._plain_tokenizer = deepcopy(tokenizer)  # a copy: the other one keeps its own settings
        self._plain_tokenizer.encode_special_tokens = True
        self._plain_tokenizer.no_truncation()
        self._plain_tokenizer.no_padding()
        self._control = {
            token: id_ for token in CONTROL_TOKENS if (id_ := tokenizer.token_to_id(token)) is not None
        }
        if missing := [token for token in (TURN_START, TURN_END) if token not in self._control]:
            raise ValueError(f"the tokenizer lacks the control tokens {', '.join(missing)}")
        self._has_timestamps = has_timestamps
        self._head = [*self._turn("system", self._plain(_sentence(instruction))), *self._opening("user")]
        closing = tokenizer.encode("", add_special_tokens=True).ids
        self._tail = [*self._closing(), *self._opening("assistant"), *closing]
        self._room = max_tokens - len(self._head) - len(self._tail)
        if self._room < 1:
            raise ValueError(f"the instruction leaves no room within {max_tokens} tokens: {instruction!r}")

    @property
    def reads_images(self) -> bool:
        """Whether the tokenizer has a placeholder of images."""
        return self._control.keys() >= {VISION_START, VISION_END, IMAGE_PAD}

    @property
    def reads_video(self) -> bool:
        """Whether the tokenizer has a placeholder of frames."""
        return self.reads_images and VIDEO_PAD in self._control

    def text(self, text: str) -> Prompt:
        """The prompt of a text, cut at its end where it is too long."""
        ids = self._plain(text.strip() or EMPTY)[: self._room]
        return Prompt((*self._head, *ids, *self._tail), TokenKind.TEXT)

    def image(self, patches: Patches) -> Prompt:
        """The prompt of an image. Raises ``ValueError`` if it has more tokens than fit."""
        ids = self._checked(self._enclosed(IMAGE_PAD, patches.num_tokens))
        return Prompt(ids, TokenKind.IMAGE, self._control[IMAGE_PAD], patches)

    def clip(self, patches: Patches, *, frame_interval_s: float) -> Prompt:
        """The prompt of a clip. Raises ``ValueError`` if it has more tokens than fit.

        With timestamps each time step stands for itself behind the middle of its two frames' times; otherwise all stand together.
        """
        times, rows, columns = patches.grid
        each = rows * columns // MERGE**2
        ids: list[int] = [] if self._has_timestamps else self._enclosed(VIDEO_PAD, times * each)
        for step in range(times if self._has_timestamps else 0):
            middle_s = (TEMPORAL_PATCH * step + (TEMPORAL_PATCH - 1) / 2) * frame_interval_s
            ids += [*self._plain(f"<{middle_s:.1f} seconds>"), *self._enclosed(VIDEO_PAD, each)]
        told_s = 0.0 if self._has_timestamps else frame_interval_s
        return Prompt(self._checked(ids), TokenKind.VIDEO, self._control[VIDEO_PAD], patches, told_s)

    def _checked(self, ids: Sequence[int]) -> tuple[int, ...]:
        """The whole prompt around visual tokens."""
        if len(ids) > self._room:
            raise ValueError(
                f"{len(ids)} visual tokens do not fit {self._room}: lower the pixels or frames of the embedder"
            )
        return (*self._head, *ids, *self._tail)

    def _enclosed(self, pad: str, count: int) -> list[int]:
        if missing := [token for token in (VISION_START, pad, VISION_END) if token not in self._control]:
            raise ValueError(f"the tokenizer of this model has no {', '.join(missing)}")
        return [self._control[VISION_START], *[self._control[pad]] * count, self._control[VISION_END]]

    def _opening(self, role: str) -> list[int]:
        return [self._control[TURN_START], *self._plain(f"{role}\n")]

    def _closing(self) -> list[int]:
        return [self._control[TURN_END], *self._plain("\n")]

    def _turn(self, role: str, content: Sequence[int]) -> list[int]:
        return [*self._opening(role), *content, *self._closing()]

    def _plain(self, text: str) -> list[int]:
        return self._plain_tokenizer.encode(text, add_special_tokens=False).ids


def _sentence(instruction: str) -> str:
    stripped = instruction.strip()
    return stripped if not stripped or not stripped[-1].isalnum() else f"{stripped}."
