"""A tiny policy, a few pictures and rollouts with known shape, for the tests of the trainer.

Rollouts are made of random tokens: the trainer does not read text. Log-probabilities of the sampling policy come from a
plain forward pass over all positions, so that they do not depend on the code under test.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import torch
from PIL import Image
from transformers import PreTrainedTokenizerFast, Qwen3VLForConditionalGeneration

from memory_graph.graph import AnswerNode, MemoryGraph, SearchNode
from model.config.algorithm import Algorithm
from model.config.engine import EngineConfig
from model.config.schedule import Schedule
from model.imitation.tiny.shape import TinyShape, build_model
from model.imitation.tiny.tokenizer import CONTROL_TOKENS, build_tokenizer
from model.policies.chat_template import (
    IMAGE_PAD,
    VISION_END,
    VISION_START,
    PromptEncoder,
    collate,
    visual_tokens,
)
from model.training.batches import InputBuilder
from model.training.engine import DeepSpeedEngine
from model.training.parity import ParityConfig
from model.training.trainer import Trainer
from model.types import Call, ImageRef, Outcome, Segment, Task, Trajectory

SHAPE = TinyShape(
    width=32,
    layers=2,
    heads=2,
    feed_forward=48,
    vision_width=16,
    vision_layers=1,
    vision_heads=2,
    vision_feed_forward=32,
    native_px=64,
)
CAT = ImageRef(item_id="cat", width=64, height=32)
DOG = ImageRef(item_id="dog", width=32, height=64)


WIDE = Algorithm(clip_low=0.2, clip_high=0.2)
SMALL_BATCHES = Schedule(learning_rate=1e-3, token_budget=120, logit_tokens=8)
ZERO_2 = EngineConfig(zero_stage=2)


@cache
def tokenizer() -> PreTrainedTokenizerFast:
    """The project's own tokenizer over two words."""
    return build_tokenizer(
        [" alpha", " beta"], added=()
    )  # the stored traces were drawn under this vocabulary


def _id(token: str) -> int:
    found = tokenizer().convert_tokens_to_ids(token)
    assert isinstance(found, int)
    return found


def encoder() -> PromptEncoder:
    """An encoder with an empty image cache."""
    return PromptEncoder(tokenizer())


def policy(seed: int = 0) -> Qwen3VLForConditionalGeneration:
    """A random model whose distributions are far from uniform, so that every input matters."""
    torch.manual_seed(seed)
    model = build_model(tokenizer(), SHAPE)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(6.0)
    return model.eval()


class Pictures:
    """Pictures of noise by item id, in memory."""

    def __init__(self, names: Sequence[str] = ("cat", "dog")) -> None:
        self.images = {name: noise(number) for number, name in enumerate(names)}

    def image(self, item_id: str) -> Image.Image:
        """The picture."""
        return self.images[item_id]

    def frame(self, item_id: str, timestamp_s: float) -> Image.Image:
        """Pictures stand still."""
        return self.images[item_id]


def noise(seed: int) -> Image.Image:
    """A 64x64 picture of coarse random colours."""
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return Image.fromarray(pixels).resize((64, 64), Image.Resampling.NEAREST)


@cache
def plain_ids() -> tuple[int, ...]:
    """Every id that is no control token."""
    control = {_id(token) for token in CONTROL_TOKENS}
    return tuple(token for token in range(len(tokenizer())) if token not in control)


def words(rng: random.Random, count: int) -> tuple[int, ...]:
    """Random ids that are no control tokens."""
    return tuple(rng.choices(plain_ids(), k=count))


@cache
def image_ids(image: ImageRef) -> tuple[int, ...]:
    """Placeholders of one image between their brackets."""
    start, middle, end = (_id(token) for token in (VISION_START, IMAGE_PAD, VISION_END))
    return (start, *[middle] * visual_tokens(image), end)


def segment(
    rng: random.Random,
    *,
    node_id: str | None,
    lengths: Sequence[int],
    images: Sequence[ImageRef] = (),
    prompt: int = 4,
) -> Segment:
    """Calls that generate ``lengths`` tokens each; the first prompt holds ``images``, later ones three tokens more."""
    prompt_ids = words(rng, prompt) + tuple(token for image in images for token in image_ids(image))
    calls = []
    for length in lengths:
        token_ids = words(rng, length)
        calls.append(
            Call(prompt_ids=prompt_ids, token_ids=token_ids, logprobs=(0.0,) * length, images=tuple(images))
        )
        prompt_ids = prompt_ids + token_ids + words(rng, 3)
    return Segment(node_id=node_id, calls=tuple(calls))


def rollout(
    question: str,
    segments: Sequence[Segment],
    *,
    reward: float | None,
    support: Sequence[str] = ("root",),
    gold: str = "",
) -> Trajectory:
    """A rollout whose graph has one node for each node segment; node ``nK`` returned the item ``item-nK``."""
    nodes = tuple(
        SearchNode(id=each.node_id, parents=("root",), query="q", retrieved=(f"item-{each.node_id}",))
        for each in segments
        if each.node_id is not None
    )
    graph = MemoryGraph(question=question, nodes=nodes, answer=AnswerNode(parents=tuple(support), text="a"))
    task = Task(
        id=question, dataset="d", question=question, answers=("a",), gold=frozenset([gold] if gold else [])
    )
    correct = None if reward is None else reward == 1.0
    return Trajectory(
        task=task,
        graph=graph,
        segments=tuple(segments),
        outcome=Outcome.ANSWERED,
        reward=reward,
        correct=correct,
    )


def group(question: str, seed: int, *, pictures: bool = True) -> list[Trajectory]:
    """Four rollouts of one question: two right, two wrong, some segments pruned by either rule, two to three segments each."""
    rng = random.Random(f"{question}/{seed}")
    shown = (CAT,) if pictures else ()
    more = (DOG, CAT) if pictures else ()

    def three() -> list[Segment]:
        return [
            segment(rng, node_id="n1", lengths=(3, 2), images=shown),
            segment(rng, node_id="n2", lengths=(rng.randint(2, 9),), prompt=rng.randint(2, 12)),
            segment(rng, node_id=None, lengths=(4,), images=more),
        ]

    return [
        rollout(question, three(), reward=1.0, support=("n1",)),  # n2 supports nothing: pruned
        rollout(question, three(), reward=1.0, support=("n1", "n2")),
        rollout(question, three(), reward=0.0, gold="item-n1"),  # n1 found the evidence: pruned
        rollout(question, [three()[0], three()[2]], reward=0.0),
    ]


def sampled(
    trajectories: Sequence[Trajectory],
    model: Qwen3VLForConditionalGeneration,
    media: Pictures,
    *,
    jitter: float = 0.0,
    seed: int = 0,
) -> list[Trajectory]:
    """The rollouts with the log-probabilities ``model`` gives their tokens, plus noise of ``jitter`` nats."""
    rng = random.Random(seed)

    def scored(call: Call) -> Call:
        sequence = call.prompt_ids + call.token_ids
        pixels = encoder().pixels(call.images, media)
        inputs = collate([sequence], [pixels], pad_id=encoder().pad_id, image_id=encoder().image_id)
        with torch.no_grad():
            logits = model(**inputs).logits[0].log_softmax(dim=-1)
        found = [float(logits[at - 1, sequence[at]]) for at in range(len(call.prompt_ids), len(sequence))]
        return replace(call, logprobs=tuple(value + rng.uniform(-jitter, jitter) for value in found))

    return [
        replace(
            each,
            segments=tuple(
                replace(part, calls=tuple(scored(call) for call in part.calls)) for part in each.segments
            ),
        )
        for each in trajectories
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What a trainer of the tests varies in."""

    algorithm: Algorithm = WIDE
    schedule: Schedule = SMALL_BATCHES
    engine: EngineConfig = ZERO_2
    parity: ParityConfig | None = None


def trainer(
    setup: Setup, model: Qwen3VLForConditionalGeneration | None = None, media: Pictures | None = None
) -> Trainer:
    """A trainer of a fresh ``policy()``, or of ``model``."""
    engine = DeepSpeedEngine(
        policy() if model is None else model, config=setup.engine, schedule=setup.schedule
    )
    inputs = InputBuilder(encoder=encoder(), media=media or Pictures())
    return Trainer(engine, inputs, algorithm=setup.algorithm, parity=setup.parity)
