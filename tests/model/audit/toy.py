"""A policy whose true gradient is known in closed form: two decisions, the second in a state that the first one leads to.

Parameters are the logits: three of the first decision, then two for each state of the second. An action is a token; the prompt
says which decision it is. A rollout is right by ``RIGHT``.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence

import numpy as np
import torch

from memory_graph.graph import AnswerNode, MemoryGraph, SearchNode
from model.audit.gradients import SegmentGradients
from model.audit.units import Matrix
from model.rl.segments import TrainingSample
from model.types import Call, Outcome, Segment, Task, Trajectory

FIRST = (0.5, 0.25, 0.25)
SECOND = ((0.5, 0.5), (0.75, 0.25), (0.25, 0.75))
RIGHT = {(0, 0): True, (0, 1): False, (1, 0): True, (1, 1): True, (2, 0): False, (2, 1): False}
NUM_WEIGHTS = 3 + 3 * 2


def rollout(question: str, first: int, second: int, *, dataset: str = "d") -> Trajectory:
    """One rollout: a search, which finds gold with action 1, and an answer that rests on it unless the action was 0."""
    node = SearchNode(id="n1", parents=("root",), query=str(first), retrieved=("gold",) if first == 1 else ())
    graph = MemoryGraph(
        question=question,
        nodes=(node,),
        answer=AnswerNode(parents=("n1",) if first else ("root",), text=str(second)),
    )
    calls = [
        Call(prompt_ids=(10,), token_ids=(first,), logprobs=(float(np.log(FIRST[first])),), images=()),
        Call(
            prompt_ids=(11, first),
            token_ids=(second,),
            logprobs=(float(np.log(SECOND[first][second])),),
            images=(),
        ),
    ]
    correct = RIGHT[first, second]
    return Trajectory(
        task=Task(id=question, dataset=dataset, question=question, answers=("a",), gold=frozenset({"gold"})),
        graph=graph,
        segments=(Segment(node_id="n1", calls=(calls[0],)), Segment(node_id=None, calls=(calls[1],))),
        outcome=Outcome.ANSWERED,
        answer=str(second),
        policy="toy",
        reward=float(correct),
        correct=correct,
    )


def drawn(rng: random.Random, question: str) -> Trajectory:
    """A rollout drawn from the policy."""
    first = rng.choices(range(3), FIRST)[0]
    return rollout(question, first, rng.choices(range(2), SECOND[first])[0])


def every_pair(*, copies: int) -> list[Trajectory]:
    """Every group of two as often as its probability says, ``copies`` times: means over them are expectations.

    Probabilities are multiples of 1/16. Each pair is a dataset of its own, so that each of ``copies`` folds gets all of them.
    """
    outcomes = [
        (a, b)
        for a, b in itertools.product(range(3), range(2))
        for _ in range(round(16 * FIRST[a] * SECOND[a][b]))
    ]
    return [
        rollout(f"{place}-{copy}", *outcome, dataset=f"{place}")
        for place, pair in enumerate(itertools.product(outcomes, outcomes))
        for copy in range(copies)
        for outcome in pair
    ]


def score(first: int, second: int | None) -> np.ndarray:
    """Gradient of the log-probability of one action: one-hot minus probabilities, at the logits of its decision."""
    result = np.zeros(NUM_WEIGHTS)
    if second is None:
        result[:3] = -np.asarray(FIRST)
        result[first] += 1
    else:
        at = 3 + 2 * first
        result[at : at + 2] = -np.asarray(SECOND[first])
        result[at + second] += 1
    return result


def true_gradient() -> np.ndarray:
    """Of expected accuracy, by hand: ``p_a (Q_a - V)`` at the first decision, ``p_s p_b (r_sb - Q_s)`` at the second."""
    values = [sum(SECOND[a][b] * RIGHT[a, b] for b in range(2)) for a in range(3)]
    total = sum(p * q for p, q in zip(FIRST, values, strict=True))
    first = [p * (q - total) for p, q in zip(FIRST, values, strict=True)]
    second = [
        FIRST[a] * SECOND[a][b] * (RIGHT[a, b] - values[a]) for a, b in itertools.product(range(3), range(2))
    ]
    return np.array([*first, *second])


class ToyGradients:
    """``GradientSource`` of the toy."""

    num_weights = NUM_WEIGHTS

    def rows(self, sample: TrainingSample, directions_UT: Matrix) -> SegmentGradients:
        tokens = sample.token_ids
        first, second = (tokens[1], None) if tokens[0] == 10 else (tokens[1], tokens[2])
        gradient = score(first, second)
        probability = FIRST[first] if second is None else SECOND[first][second]
        rows = torch.as_tensor(directions_UT[:, :1] * gradient[None]).float()
        return SegmentGradients(rows, torch.tensor([float(np.log(probability))]))


def questions(rng: random.Random, number: int, group_size: int) -> Sequence[Trajectory]:
    """Groups drawn from the policy."""
    return [drawn(rng, f"q{question}") for question in range(number) for _ in range(group_size)]
