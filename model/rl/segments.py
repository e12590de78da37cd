"""From rollouts to training samples: one segment, one sample, with its own prompt and its own pixels.

Finds the generated tokens of a segment by position. Holds plain records, no tensors; advantage and credit are decided in
``credit.py``, batches are made in ``training/batches.py``.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

from memory_graph.credit import Credit
from model.config.algorithm import Algorithm, Denominator
from model.rl.credit import credited, numbered, refused_unit_credit
from model.types import ImageRef, Segment, Trajectory


class SampleKey(NamedTuple):
    """Where a sample comes from: question, rollout within the question's group, segment within the rollout (from 0).

    ``refused`` tells the refused replies of a segment, where they are a unit of their own, from the rest of it.
    """

    question_id: str
    rollout: int
    segment: int
    refused: bool = False


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
    credit: Credit | None = None
    """Whether and why it is pruned; None for supervised samples, which all are trained on."""
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

    @property
    def pruned(self) -> bool:
        """Mu of Eq. 11: True takes the segment out of the gradient and, with it, out of the forward pass."""
        return self.credit is not None and self.credit.pruned

    @property
    def is_answer(self) -> bool:
        """Whether it is the answer, not a refused attempt at one that is a unit of its own."""
        return self.node_id is None and not self.key.refused


class SegmentTokens(NamedTuple):
    """All tokens of a segment, and which of them were generated."""

    token_ids: tuple[int, ...]
    loss_positions: tuple[int, ...]
    images: tuple[ImageRef, ...]


class SampleSet(NamedTuple):
    """Samples of every scored rollout, pruned ones included, and how many rollouts were left out as unscored."""

    samples: tuple[TrainingSample, ...]
    num_unscored: int


def segment_tokens(segment: Segment, *, refused: bool | None = None) -> SegmentTokens:
    """Positions of the tokens that each call of ``segment`` generated, within the last call's prompt and tokens.

    ``refused``: only those of replies that the environment refused, or only those of the others; None: all.

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
        if refused is None or call.rejected is refused:
            positions.extend(range(start, len(so_far)))
    return SegmentTokens(so_far, tuple(positions), images)


def training_samples(trajectories: Sequence[Trajectory], *, algorithm: Algorithm) -> SampleSet:
    """One sample for each segment of each scored rollout, with its advantage and its credit.

    A segment with refused replies gives two where ``algorithm`` makes these units of their own, one without a call (a rollout
    that ended before its answer was asked for) none.

    Raises:
        ValueError: if a segment is not one sequence, lacks log-probabilities, or a scored rollout lacks a verdict that the
            pruning needs; the message names question, rollout and segment.
    """
    samples: list[TrainingSample] = []
    num_unscored = 0
    for rollout, trajectory in numbered(credited(trajectories, algorithm=algorithm)):
        if trajectory.advantage is None:
            num_unscored += 1
            continue
        for index, segment in enumerate(trajectory.segments):
            key = SampleKey(trajectory.task.id, rollout, index)
            samples += [
                replace(_sample(unit, segment, credit, refused=refused), advantage=trajectory.advantage)
                for unit, credit, refused in _units(key, segment, trajectory, algorithm)
            ]
    return SampleSet(tuple(samples), num_unscored)


def _units(
    key: SampleKey, segment: Segment, trajectory: Trajectory, algorithm: Algorithm
) -> Iterator[tuple[SampleKey, Credit | None, bool | None]]:
    """What of a segment is trained as one: all of it, or what was accepted and what was refused each for itself."""
    has_refused = any(call.rejected for call in segment.calls)
    if not (algorithm.own_refusals and has_refused):
        if segment.calls:
            yield key, segment.credit, None
        return
    if not all(call.rejected for call in segment.calls):
        yield key, segment.credit, False
    yield key._replace(refused=True), refused_unit_credit(trajectory, algorithm=algorithm), True


def supervised_samples(trajectories: Sequence[Trajectory]) -> tuple[TrainingSample, ...]:
    """Every segment of demonstrations, to be imitated token by token but for refused replies; needs no log-probabilities."""
    return tuple(
        _demonstration(SampleKey(trajectory.task.id, rollout, index), segment)
        for rollout, trajectory in numbered(trajectories)
        for index, segment in enumerate(trajectory.segments)
        if not all(call.rejected for call in segment.calls)
    )


def _sample(
    key: SampleKey, segment: Segment, credit: Credit | None, *, refused: bool | None
) -> TrainingSample:
    with _where(key):
        tokens = segment_tokens(segment, refused=refused)
        calls = [call for call in segment.calls if refused is None or call.rejected is refused]
        old = tuple(value for call in calls for value in call.logprobs)
        if not old:
            raise ValueError("no log-probabilities of the sampling policy, so its ratio is undefined")
        return TrainingSample(
            key=key, node_id=segment.node_id, old_logprobs=old, credit=credit, **tokens._asdict()
        )


def _demonstration(key: SampleKey, segment: Segment) -> TrainingSample:
    with _where(key):
        tokens = segment_tokens(segment, refused=False)
        return TrainingSample(key=key, node_id=segment.node_id, old_logprobs=(), **tokens._asdict())


@contextmanager
def _where(key: SampleKey) -> Iterator[None]:
    """Name the segment in whatever is wrong with it."""
    try:
        yield
    except ValueError as cause:
        raise ValueError(
            f"question {key.question_id!r}, rollout {key.rollout}, segment {key.segment}: {cause}"
        ) from cause


def segment_weights(
    samples: Sequence[TrainingSample], *, denominator: Denominator, answer_weight: float = 1.0
) -> Mapping[SampleKey, float]:
    """What one segment counts in the objective of an update: ``1 / (questions * denominator of its question)``.

    Eq. 12 is an expectation over questions, so every question counts alike, however many segments its rollouts have.
    ``samples`` must hold whole questions, pruned and zero-advantage samples included. Answers count ``answer_weight`` of that;
    the denominator counts them in full.
    """
    counted: dict[str, set[object]] = defaultdict(set)
    for sample in samples:
        question = counted[sample.key.question_id]
        if denominator is Denominator.ROLLOUTS:
            question.add(sample.key.rollout)
        elif denominator is Denominator.ALL or not sample.pruned:
            question.add(sample.key)
    return {
        sample.key: (answer_weight if sample.is_answer else 1.0)
        / (len(counted) * max(1, len(counted[sample.key.question_id])))
        for sample in samples
    }
