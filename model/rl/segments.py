"""From rollouts to training samples: one segment, one sample, with its own prompt and its own pixels.

Finds the generated tokens of a segment by position, joins the credit mask and the advantage, and says why a sample takes no
gradient. Holds plain records, no tensors; the mask itself is decided in ``memory_graph.credit``, advantages in
``advantage.py``, batches are made in ``training/batches.py``.
"""

from __future__ import annotations

import math
import random
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

from memory_graph.credit import PRUNED_DEAD_END, prune_reasons, random_mask
from model.config.algorithm import Algorithm, Denominator, Pruning
from model.rl.advantage import advantages
from model.types import ImageRef, Segment, Trajectory

PRUNED_AT_RANDOM = "pruned: drawn by chance"


class SampleKey(NamedTuple):
    """Where a sample comes from: question, rollout within the question's group, segment within the rollout (from 0)."""

    question_id: str
    rollout: int
    segment: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSample:
    """One segment as the trainer sees it. Raises ``ValueError`` for positions that are not increasing or out of range."""

    key: SampleKey
    token_ids: tuple[int, ...]
    """The last call's prompt and its tokens: every token of the segment, image placeholders expanded."""
    loss_positions: tuple[int, ...]
    """Indices of ``token_ids`` that the policy generated, over all calls; everything else carries no loss."""
    old_logprobs: tuple[float, ...]
    """Of each loss position under the sampling policy (nats, at its temperature); empty for supervised samples."""
    images: tuple[ImageRef, ...] = ()
    """In placeholder order."""
    advantage: float = 1.0
    pruned: bool = False
    """mu of Eq. 11: True takes the segment out of the gradient and, with it, out of the forward pass."""
    reason: str = ""
    """Why it is pruned; empty when it is not."""
    node_id: str | None = None
    """None for the answer segment."""

    def __post_init__(self) -> None:
        positions = self.loss_positions
        if not positions or positions[0] < 1 or positions[-1] >= len(self.token_ids):
            raise ValueError(f"loss positions must lie in 1..{len(self.token_ids) - 1}, at least one of them")
        if any(later <= earlier for earlier, later in pairwise(positions)):
            raise ValueError("loss positions must increase")
        if not all(math.isfinite(value) for value in self.old_logprobs):
            raise ValueError("a log-probability of the sampling policy is not finite")
        if self.old_logprobs and len(self.old_logprobs) != len(positions):
            raise ValueError(f"{len(self.old_logprobs)} log-probabilities for {len(positions)} loss tokens")


class SegmentTokens(NamedTuple):
    """All tokens of a segment, and which of them were generated."""

    token_ids: tuple[int, ...]
    loss_positions: tuple[int, ...]
    images: tuple[ImageRef, ...]


class SampleSet(NamedTuple):
    """Samples of every scored rollout, pruned ones included, and how many rollouts were left out as unscored."""

    samples: tuple[TrainingSample, ...]
    num_unscored: int


def segment_tokens(segment: Segment, *, accepted_only: bool = False) -> SegmentTokens:
    """Positions of the tokens that each call of ``segment`` generated, within the last call's prompt and tokens.

    ``accepted_only`` leaves out those of replies that the environment refused.

    Raises:
        ValueError: if a call has no tokens (a remote endpoint's), or does not extend the prompt, tokens and images of the
            call before it, so that the segment is not one sequence.
    """
    if not segment.calls:
        raise ValueError("a segment without calls cannot be trained on")
    so_far: tuple[int, ...] = ()
    images: tuple[ImageRef, ...] = ()
    positions: list[int] = []
    for number, call in enumerate(segment.calls):
        if not call.prompt_ids or not call.token_ids:
            raise ValueError(
                f"call {number} has no token ids; only rollouts of a local policy can be trained on"
            )
        if call.prompt_ids[: len(so_far)] != so_far or call.images[: len(images)] != images:
            raise ValueError(f"the prompt of call {number} does not extend the call before it")
        start = len(call.prompt_ids)
        so_far = call.prompt_ids + call.token_ids
        images = call.images
        if not (accepted_only and call.rejected):
            positions.extend(range(start, len(so_far)))
    return SegmentTokens(so_far, tuple(positions), images)


def training_samples(trajectories: Sequence[Trajectory], *, algorithm: Algorithm) -> SampleSet:
    """One sample for each segment of each scored rollout, with its advantage and its pruning mask.

    A segment without a call (a rollout that ended before its answer was asked for) gives none.

    Raises:
        ValueError: if a segment is not one sequence, lacks log-probabilities, or a scored rollout lacks a verdict that the
            pruning needs; the message names question, rollout and segment.
    """
    groups = [each.task.id for each in trajectories]
    worths = advantages(groups, [each.reward for each in trajectories], algorithm=algorithm)
    samples: list[TrainingSample] = []
    numbers: Counter[str] = Counter()
    for trajectory, worth in zip(trajectories, worths, strict=True):
        rollout = numbers[trajectory.task.id]
        numbers[trajectory.task.id] += 1
        if worth is not None:
            samples += _rollout_samples(trajectory, rollout, worth, algorithm)
    return SampleSet(tuple(samples), sum(worth is None for worth in worths))


def supervised_samples(trajectories: Sequence[Trajectory]) -> tuple[TrainingSample, ...]:
    """Every segment of demonstrations, to be imitated token by token but for refused replies; needs no log-probabilities."""
    numbers: Counter[str] = Counter()
    samples = []
    for trajectory in trajectories:
        for index, segment in enumerate(trajectory.segments):
            if all(call.rejected for call in segment.calls):
                continue
            key = SampleKey(trajectory.task.id, numbers[trajectory.task.id], index)
            samples.append(_sample(key, segment, sampled=False))
        numbers[trajectory.task.id] += 1
    return tuple(samples)


def _sample(key: SampleKey, segment: Segment, *, sampled: bool) -> TrainingSample:
    try:
        found = segment_tokens(segment, accepted_only=not sampled)
        old = tuple(value for call in segment.calls for value in call.logprobs) if sampled else ()
        if sampled and not old:
            raise ValueError("no log-probabilities of the sampling policy, so its ratio is undefined")
        return TrainingSample(key=key, node_id=segment.node_id, old_logprobs=old, **found._asdict())
    except ValueError as cause:
        raise ValueError(
            f"question {key.question_id!r}, rollout {key.rollout}, segment {key.segment}: {cause}"
        ) from cause


def _rollout_samples(
    trajectory: Trajectory, rollout: int, advantage: float, algorithm: Algorithm
) -> list[TrainingSample]:
    reasons = segment_reasons(trajectory, rollout=rollout, algorithm=algorithm)
    samples = []
    for index, (segment, reason) in enumerate(zip(trajectory.segments, reasons, strict=True)):
        if segment.calls:
            sample = _sample(SampleKey(trajectory.task.id, rollout, index), segment, sampled=True)
            samples.append(replace(sample, advantage=advantage, pruned=bool(reason), reason=reason))
    return samples


def segment_reasons(trajectory: Trajectory, *, rollout: int, algorithm: Algorithm) -> tuple[str, ...]:
    """Why each segment of a scored rollout is pruned, empty text where it is kept: Eq. 11 or one of its ablations.

    A segment whose node was never finished has no place in the graph: it supports no answer and found nothing.

    Raises:
        ValueError: if the rollout has a reward and no verdict.
    """
    if algorithm.pruning is Pruning.NONE:
        return ("",) * len(trajectory.segments)
    if trajectory.correct is None:
        raise ValueError(
            f"question {trajectory.task.id!r}, rollout {rollout}: pruning needs a verdict, not only a reward"
        )
    positives, negatives = (
        algorithm.pruning is not Pruning.NEGATIVES,
        algorithm.pruning is not Pruning.POSITIVES,
    )
    found = prune_reasons(
        trajectory.graph,
        correct=trajectory.correct,
        gold=trajectory.task.gold,
        positives=positives,
        negatives=negatives,
    )
    if algorithm.pruning is Pruning.RANDOM:
        seed = random.Random(f"{algorithm.seed}/{trajectory.task.id}/{rollout}").getrandbits(63)
        drawn = random_mask([reason.startswith("pruned") for reason in found], seed=seed)
        found = tuple(PRUNED_AT_RANDOM if each else "" for each in drawn)
    by_node = {node.id: reason for node, reason in zip(trajectory.graph.nodes, found[:-1], strict=True)}
    unfinished = PRUNED_DEAD_END if trajectory.correct and positives else ""
    reasons = [
        "" if segment.node_id is None else by_node.get(segment.node_id, unfinished)
        for segment in trajectory.segments
    ]
    return tuple(reason if reason.startswith("pruned") else "" for reason in reasons)


def segment_weights(
    samples: Sequence[TrainingSample], *, denominator: Denominator
) -> Mapping[SampleKey, float]:
    """What one segment counts in the objective of an update: ``1 / (questions * denominator of its question)``.

    Eq. 12 is an expectation over questions, so every question counts alike, however many segments its rollouts have.
    ``samples`` must hold whole questions, pruned and zero-advantage samples included.
    """
    counted: dict[str, set[object]] = defaultdict(set)
    for sample in samples:
        question = counted[sample.key.question_id]
        if denominator is Denominator.ROLLOUTS:
            question.add(sample.key.rollout)
        elif denominator is Denominator.ALL or not sample.pruned:
            question.add(sample.key)
    return {
        sample.key: 1.0 / (len(counted) * max(1, len(counted[sample.key.question_id]))) for sample in samples
    }
