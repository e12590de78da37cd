"""Rollouts of the shape that groups of one question have, of random tokens, for the benchmarks of training.

Eight rollouts a question with two to six segments each; a segment is a rebuilt context with the pictures kept so far, a search,
its observation and a summary, or the answer. All rollouts of a group look at the same few pages, at one size, as in training.
Not a benchmark itself.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image
from transformers import PreTrainedTokenizerFast

from memory_graph.graph import AnswerNode, MemoryGraph, SearchNode
from model.encoding import IMAGE_PAD, VISION_END, VISION_START, visual_tokens
from model.records import Call, ImageRef, Outcome, Segment, Task, Trajectory
from model.tiny.tokenizer import CONTROL_TOKENS

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


def groups(questions: int, words: Words, *, seed: int = 0) -> list[Trajectory]:
    """Eight rollouts of each question."""
    rng = random.Random(seed)
    made = []
    for number in range(questions):
        lengths = list(SEGMENTS)
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
