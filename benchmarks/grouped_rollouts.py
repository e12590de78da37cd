"""Rollouts of the shape that groups of one question have, of random tokens, for the benchmarks of training.

Eight rollouts a question with two to six segments each; a segment is a rebuilt context with the pictures kept so far, a search,
its observation and a summary, or the answer. All rollouts of a group look at the same few pages, at one size, as in training.
Also the trainer of the shipped tiny model's shape that such benchmarks time. Not a benchmark itself.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image
from transformers import PreTrainedTokenizerFast

from memory_graph.graph import AnswerNode, MemoryGraph, SearchNode
from model.config.algorithm import Algorithm, Pruning
from model.config.engine import EngineConfig
from model.config.schedule import Schedule
from model.imitation.tiny.shape import TinyShape, build_model
from model.imitation.tiny.tokenizer import CONTROL_TOKENS, build_tokenizer
from model.policies.chat_template import IMAGE_PAD, VISION_END, VISION_START, PromptEncoder, visual_tokens
from model.rl.segments import training_samples
from model.training.batches import InputBuilder, batch_rounds
from model.training.engine import DeepSpeedEngine
from model.training.logprobs import TokenLogprobs
from model.training.trainer import Trainer
from model.types import Call, ImageRef, Outcome, Segment, Task, Trajectory

Sharing = Literal["none", "batch", "step"]  # how long the features of a picture are kept

CLIP = {"clip_low": 0.01, "clip_high": 0.02}
# a rate that leaves the weights as they are
SCHEDULE = Schedule(learning_rate=1e-12, token_budget=4096, max_gradient_norm=0)
SEGMENTS = (2, 3, 3, 4, 4, 5, 5, 6)  # of the eight rollouts; every group has as many in all
RIGHT = 3  # rollouts of a group that answer rightly
SIDE_PX = 256  # of a page as it is shown: 64 visual tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """Ids to draw from, and those around a picture."""

    plain: tuple[int, ...]
    start: int
    middle: int
    end: int

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerFast) -> Words:
        """The ids of ``tokenizer``."""
        control = set(tokenizer.convert_tokens_to_ids(list(CONTROL_TOKENS)))
        around = tokenizer.convert_tokens_to_ids([VISION_START, IMAGE_PAD, VISION_END])
        plain = tuple(token for token in range(len(tokenizer)) if token not in control)
        return cls(plain=plain, start=around[0], middle=around[1], end=around[2])

    def draw(self, rng: random.Random, least: int, most: int) -> tuple[int, ...]:
        """Between ``least`` and ``most`` plain ids."""
        return tuple(rng.choices(self.plain, k=rng.randint(least, most)))

    def shown(self, pages: Sequence[ImageRef]) -> tuple[int, ...]:
        """Placeholders of the pages, each between its brackets."""
        ids: tuple[int, ...] = ()
        for page in pages:
            ids += (self.start, *[self.middle] * visual_tokens(page), self.end)
        return ids


class Pages:
    """A page of noise for any id, always the same."""

    def image(self, item_id: str) -> Image.Image:
        pixels = np.random.default_rng(sum(item_id.encode())).integers(0, 256, (32, 32, 3), dtype=np.uint8)
        return Image.fromarray(pixels).resize((SIDE_PX, SIDE_PX), Image.Resampling.NEAREST)

    def frame(self, item_id: str, timestamp_s: float) -> Image.Image:
        return self.image(item_id)


def call(prompt: tuple[int, ...], drawn: tuple[int, ...], images: Sequence[ImageRef]) -> Call:
    """A call whose log-probabilities are still to be filled in."""
    return Call(prompt_ids=prompt, token_ids=drawn, logprobs=(0.0,) * len(drawn), images=tuple(images))


def search(
    rng: random.Random, words: Words, name: str, kept: list[ImageRef], hits: list[ImageRef]
) -> Segment:
    """Context, search, observation, summary."""
    prompt = words.draw(rng, 80, 320) + words.shown(kept)
    query = words.draw(rng, 16, 48)
    seen = prompt + query + words.draw(rng, 24, 96) + words.shown(hits)
    summary = words.draw(rng, 32, 80)
    return Segment(node_id=name, calls=(call(prompt, query, kept), call(seen, summary, kept + hits)))


def rollout(rng: random.Random, words: Words, question: str, length: int, right: bool) -> Trajectory:
    """One rollout of ``length`` segments; of a right one about half of the nodes support nothing, as the paper counts noise."""
    pages = [ImageRef(item_id=f"{question}/{number}", width=SIDE_PX, height=SIDE_PX) for number in range(6)]
    names = [f"n{number}" for number in range(1, length)]
    segments, nodes, kept = [], [], []
    for number, name in enumerate(names):
        hits = rng.sample(pages, rng.randint(1, 2))
        segments.append(search(rng, words, name, kept[-1:], hits))
        kept.append(hits[0])
        found = ("gold",) if number % 2 == 0 else ("other",)
        nodes.append(SearchNode(id=name, parents=("root",), query=name, retrieved=found))
    final = words.draw(rng, 80, 320) + words.shown(kept[-2:])
    segments.append(Segment(node_id=None, calls=(call(final, words.draw(rng, 16, 64), kept[-2:]),)))
    graph = MemoryGraph(
        question=question, nodes=tuple(nodes), answer=AnswerNode(parents=tuple(names[::2]), text="a")
    )
    task = Task(id=question, dataset="d", question=question, answers=("a",), gold=frozenset({"gold"}))
    return Trajectory(
        task=task,
        graph=graph,
        segments=tuple(segments),
        outcome=Outcome.ANSWERED,
        reward=float(right),
        correct=right,
    )


def groups(questions: int, words: Words, *, size: int = 8, seed: int = 0) -> list[Trajectory]:
    """``size`` rollouts, at most eight, of each question."""
    rng = random.Random(seed)
    made = []
    for number in range(questions):
        lengths = list(SEGMENTS[:size])
        rng.shuffle(lengths)
        made += [
            rollout(rng, words, f"q{number}", length, member < RIGHT) for member, length in enumerate(lengths)
        ]
    return made


def with_logprobs(trajectories: Sequence[Trajectory], values: Sequence[Sequence[float]]) -> list[Trajectory]:
    """The rollouts with the log-probabilities of each segment's loss tokens filled in, segments in order."""
    remaining = iter(values)

    def filled(segment: Segment) -> Segment:
        found, calls = list(next(remaining)), []
        for each in segment.calls:
            calls.append(replace(each, logprobs=tuple(found[: len(each.token_ids)])))
            del found[: len(each.token_ids)]
        return replace(segment, calls=tuple(calls))

    return [replace(each, segments=tuple(filled(part) for part in each.segments)) for each in trajectories]


def model() -> Any:
    """A Qwen3-VL of the shape of the checkpoint that is shipped, with random weights, always the same."""
    torch.manual_seed(0)
    return build_model(build_tokenizer([]), TinyShape())


def sampled(trajectories: list[Trajectory], jitter: float) -> list[Trajectory]:
    """The rollouts with the log-probabilities of the model itself, each off by up to ``jitter`` nats."""
    rng = random.Random(0)
    samples = training_samples(trajectories, algorithm=Algorithm(pruning=Pruning.NONE)).samples
    builder = InputBuilder(encoder=PromptEncoder(build_tokenizer([])), media=Pages())
    scored, found = TokenLogprobs(model()).eval(), {}
    for (batch,), chunks in batch_rounds(samples, world_size=1, schedule=SCHEDULE):
        built = builder.build(batch, {each.key: 1.0 for each in batch})
        with torch.no_grad():
            values, _ = scored(built.inputs, built.targets, chunks)
        parts = values.split([len(each.loss_positions) for each in batch])
        found |= {each.key: part.tolist() for each, part in zip(batch, parts, strict=True)}
    return with_logprobs(
        trajectories,
        [[value + rng.uniform(-jitter, jitter) for value in found[each.key]] for each in samples],
    )


def ours(pruning: Pruning, *, sharing: Sharing = "step", train_vision: bool = True) -> Trainer:
    """The trainer on one rank, as recipes start it but for the clip and the rate."""
    schedule = SCHEDULE if sharing == "step" else replace(SCHEDULE, kept_visual_tokens=0)
    layout = EngineConfig(zero_stage=0, train_vision=train_vision)
    engine = DeepSpeedEngine(model(), config=layout, schedule=schedule)
    encoder = PromptEncoder(build_tokenizer([]))
    inputs = InputBuilder(encoder=encoder, media=Pages(), share_images=sharing != "none")
    return Trainer(engine, inputs, algorithm=Algorithm(pruning=pruning, **CLIP), parity=None)


def timed(steps: Mapping[str, Callable[[], Any]], repeats: int) -> dict[str, float]:
    """Median seconds of each, in turns."""
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(repeats):
        for name, step in steps.items():
            began = time.perf_counter()
            step()
            seconds[name].append(time.perf_counter() - began)
    return {name: statistics.median(each) for name, each in seconds.items()}
