"""The whole objective of an update and its gradient by every logit, in NumPy and with loops, from rewards down.

Written from the equations (method section of arXiv 2602.12735; GSPO 2507.18071; GRPO 2402.03300), not from the code: advantages,
Eq. 11, denominators, ratios, clip, divergence. Derivatives are worked out on paper; ``reference.py`` holds those of one segment.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from model.types import Trajectory


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentLogits:
    """What the policy says at the loss tokens of one segment, and what is compared with it."""

    logits_TV: np.ndarray
    tokens_T: Sequence[int]
    old_T: Sequence[float]
    anchor_T: Sequence[float] | None = None
    pruned: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """One rollout of the update."""

    question: str
    reward: float | None
    segments: Sequence[SegmentLogits]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The objective's options by the names of the paper's terms; values as in ``model.config.algorithm``."""

    ratio: str
    low: float
    high: float
    denominator: str
    baseline: str
    normalise_std: bool
    std_epsilon: float
    std_floor: float
    kl: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """Loss of the update, and its derivative by the logits of each segment, rollout by rollout; 0 where none is."""

    loss: float
    gradients: list[list[np.ndarray]]


def is_pruned(trajectory: Trajectory, index: int, *, positives: bool = True, negatives: bool = True) -> bool:
    """Eq. 11 for segment ``index``, the ancestors found by walking from the answer upwards."""
    node_id = trajectory.segments[index].node_id
    if node_id is None:
        return False
    nodes = {node.id: node for node in trajectory.graph.nodes}
    if trajectory.reward == 1.0:
        answer = trajectory.graph.answer
        assert answer is not None
        reached, frontier = set(), list(answer.parents)
        while frontier:
            name = frontier.pop()
            if name in nodes and name not in reached:
                reached.add(name)
                frontier.extend(nodes[name].parents)
        return positives and node_id not in reached
    return negatives and any(item in trajectory.task.gold for item in nodes[node_id].retrieved)


def advantages(rollouts: Sequence[Scored], options: Options) -> list[float]:
    """Reward minus mean of its peers, over their deviation; 0 for an unscored rollout, which counts for nobody."""
    worths = []
    for each in rollouts:
        peers = [
            other.reward
            for other in rollouts
            if other.reward is not None and (options.baseline == "batch" or other.question == each.question)
        ]
        if each.reward is None or max(peers) == min(peers):
            worths.append(0.0)
            continue
        centred = each.reward - np.mean(peers)
        worths.append(
            float(
                centred / (max(np.std(peers), options.std_floor) + options.std_epsilon)
                if options.normalise_std
                else centred
            )
        )
    return worths


def weight(rollouts: Sequence[Scored], question: str, options: Options) -> float:
    """One over questions times the denominator of ``question``."""
    scored = [each for each in rollouts if each.reward is not None]
    mine = [each for each in scored if each.question == question]
    segments = [segment for each in mine for segment in each.segments]
    counts = {
        "all": len(segments),
        "kept": sum(not segment.pruned for segment in segments),
        "rollouts": len(mine),
    }
    return 1 / (len({each.question for each in scored}) * max(1, counts[options.denominator]))


def objective(rollouts: Sequence[Scored], options: Options) -> Whole:
    """Minus Eq. 12 over the mean of questions, plus the divergence, and the gradient by every logit."""
    loss, gradients = 0.0, []
    for each, worth in zip(rollouts, advantages(rollouts, options), strict=True):
        rows = []
        for segment in each.segments:
            if each.reward is None or segment.pruned:
                rows.append(np.zeros_like(segment.logits_TV))
                continue
            share = weight(rollouts, each.question, options)
            value, row = _segment(segment, worth, share, options)
            loss += value
            rows.append(row)
        gradients.append(rows)
    return Whole(loss=loss, gradients=gradients)


def _segment(
    segment: SegmentLogits, worth: float, share: float, options: Options
) -> tuple[float, np.ndarray]:
    logits = np.asarray(segment.logits_TV, dtype=np.float64)
    shifted = logits - logits.max(axis=1, keepdims=True)
    probabilities = np.exp(shifted) / np.exp(shifted).sum(axis=1, keepdims=True)
    new = [math.log(probabilities[at, token]) for at, token in enumerate(segment.tokens_T)]
    length = len(new)
    whole_ratio = math.exp(sum(n - o for n, o in zip(new, segment.old_T, strict=True)) / length)
    loss, slopes = 0.0, []
    for at in range(length):
        ratio = math.exp(new[at] - segment.old_T[at]) if options.ratio == "token" else whole_ratio
        clipped = min(max(ratio, 1 - options.low), 1 + options.high)
        taken = min(ratio * worth, clipped * worth)
        # a ratio moves by itself times d log p / length, whichever of the three it is
        slope = -share * worth * ratio / length if taken == ratio * worth else 0.0
        loss -= share * taken / length
        if options.kl and segment.anchor_T is not None:
            apart = segment.anchor_T[at] - new[at]
            loss += options.kl * share * (math.exp(apart) - apart - 1) / length
            slope += options.kl * share * (1 - math.exp(apart)) / length
        slopes.append(slope)
    row = -probabilities * np.array(slopes)[:, None]  # d log p(token) / d logits = onehot - p
    for at, token in enumerate(segment.tokens_T):
        row[at, token] += slopes[at]
    return loss, row
