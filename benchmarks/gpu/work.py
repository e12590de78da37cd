"""Invented rollouts of the shapes that training sees: random tokens, random pictures shared by a group, graphs to prune."""

from __future__ import annotations

import random
from functools import cache
from zlib import crc32

import numpy as np
import torch
from PIL import Image

from benchmarks.gpu.sizes import Sizes
from memory_graph.graph import AnswerNode, MemoryGraph, SearchNode
from model.policies.chat_template import (
    TOKEN_PX,
    VISION_END,
    VISION_START,
    EncodedPrompt,
    PixelBatch,
    PromptEncoder,
)
from model.types import Call, ImageRef, Outcome, Segment, Task, Trajectory


class RandomPictures:
    """``MediaSource``: noise, the same for the same id."""

    def __init__(self, side: tuple[int, int]) -> None:
        self.side = side
        self._picture = cache(self._drawn)

    def _drawn(self, item_id: str) -> Image.Image:
        drawn = np.random.default_rng(crc32(item_id.encode())).integers(
            0, 256, (self.side[1], self.side[0], 3)
        )
        return Image.fromarray(drawn.astype(np.uint8))

    def image(self, item_id: str) -> Image.Image:
        return self._picture(item_id)

    def frame(self, item_id: str, timestamp_s: float) -> Image.Image:
        raise KeyError(item_id)


def square(tokens: int) -> tuple[int, int]:
    """Sides in pixels of an image of so many visual tokens."""
    side = round(tokens**0.5)
    assert side * side == tokens, "images are squares"
    return side * TOKEN_PX, side * TOKEN_PX


class Prompts:
    """Random prompts over an encoder's control tokens."""

    def __init__(self, encoder: PromptEncoder, vocabulary: int, *, seed: int = 0) -> None:
        self._encoder = encoder
        self._random = random.Random(seed)
        self._ids = range(len(encoder.tokenizer), vocabulary - 1)
        self._marks = [
            int(encoder.tokenizer.convert_tokens_to_ids(each)) for each in (VISION_START, VISION_END)
        ]

    def text(self, length: int) -> tuple[int, ...]:
        """Ordinary tokens."""
        return tuple(self._random.choices(self._ids, k=length))

    def prompt(self, text: int, images: tuple[ImageRef, ...]) -> EncodedPrompt:
        """Half of the text, the images, the other half."""
        start, end = self._marks
        shown: list[int] = []
        for image in images:
            count = (image.width // TOKEN_PX) * (image.height // TOKEN_PX)
            shown += [start, *[self._encoder.image_id] * count, end]
        return EncodedPrompt((*self.text(text - text // 2), *shown, *self.text(text // 2)), images)


def pictures(group: str, sizes: Sizes) -> tuple[ImageRef, ...]:
    """What a group looks at."""
    width, height = square(sizes.image_tokens)
    return tuple(
        ImageRef(item_id=f"{group}/{number}", width=width, height=height) for number in range(sizes.images)
    )


def random_pixels(images: tuple[ImageRef, ...], encoder: PromptEncoder, *, seed: int) -> PixelBatch:
    """Patches of noise."""
    grid = encoder.grid(images)
    drawn = torch.Generator().manual_seed(seed)
    return PixelBatch(
        torch.rand(int(grid.prod(1).sum()), encoder.patching.width, generator=drawn) * 2 - 1, grid
    )


def rollouts(prompts: Prompts, sizes: Sizes, *, pruned: float) -> list[Trajectory]:
    """One question's group; of every rollout the share ``pruned`` of the nodes is to be pruned (Eq. 11)."""
    shown = pictures("q", sizes)
    return [
        _rollout(prompts, sizes, shown, right=number % 2 == 0, pruned=pruned)
        for number in range(sizes.rollouts)
    ]


def _rollout(
    prompts: Prompts, sizes: Sizes, shown: tuple[ImageRef, ...], *, right: bool, pruned: float
) -> Trajectory:
    names = [f"n{number}" for number in range(1, sizes.segments + 1)]
    num_pruned = round(pruned * len(names))
    gold = set() if right else set(names[:num_pruned])
    nodes = tuple(
        SearchNode(
            id=name, parents=("root",), query=name, retrieved=("gold",) if name in gold else ("other",)
        )
        for name in names
    )
    answer = AnswerNode(parents=tuple(names[num_pruned:]) or ("root",), text="a")

    def segment(node: str | None) -> Segment:
        prompt = prompts.prompt(sizes.text, shown)
        drawn = prompts.text(sizes.generated)
        call = Call(
            prompt_ids=prompt.ids, token_ids=drawn, logprobs=(-1.5,) * len(drawn), images=prompt.images
        )
        return Segment(node_id=node, calls=(call,))

    return Trajectory(
        task=Task(id="q", dataset="d", question="q", answers=("a",), gold=frozenset({"gold"})),
        graph=MemoryGraph(question="q", nodes=nodes, answer=answer),
        segments=tuple(segment(name) for name in (*names, None)),
        outcome=Outcome.ANSWERED,
        reward=float(right),
        correct=right,
    )
