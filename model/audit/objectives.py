"""Objectives as what they are to first order: a weight for each token of a rollout.

On policy every importance ratio is 1, so the gradient of an objective is the sum over tokens of weight x gradient of the
log-probability. An objective of the trainer is taken from the trainer's own samples, so that what is judged is what trains;
another one is a function of a rollout and its group. A researcher's own is a file with a function ``weights(rollout, group)``.
"""

import importlib.util
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, cast

from model.audit.rollouts import Rollout, Weights
from model.config.algorithm import ALGORITHMS, Algorithm, Baseline
from model.rl.segments import TrainingSample, segment_weights, training_samples

GroupWeights: TypeAlias = Callable[[Sequence[Rollout]], Sequence[Weights]]
"""All scored rollouts of a question to the weights of each; pure."""
RolloutWeights: TypeAlias = Callable[[Rollout, Sequence[Rollout]], Sequence[Sequence[float]]]
"""A rollout and its group to one row a step, one number a token; what a researcher's file defines as ``weights``."""
FUNCTION = "weights"


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """One credit assignment."""

    name: str
    source: str
    """Where its equation stands."""
    weigh: GroupWeights


def per_rollout(function: RolloutWeights) -> GroupWeights:
    """A function of one rollout and its group as one of the group."""

    def weigh(group: Sequence[Rollout]) -> list[Weights]:
        return [tuple(tuple(row) for row in function(rollout, group)) for rollout in group]

    return weigh


def of_algorithm(name: str, algorithm: Algorithm, *, source: str = "") -> Objective:
    """The trainer's objective ``algorithm``: its credit, its advantage, its denominator, its units."""

    def weigh(group: Sequence[Rollout]) -> list[Weights]:
        samples = training_samples([rollout.trajectory for rollout in group], algorithm=algorithm).samples
        counted = segment_weights(
            samples, denominator=algorithm.denominator, answer_weight=algorithm.answer_weight
        )
        rows = [[[0.0] * step.tokens for step in rollout.steps] for rollout in group]
        for sample in samples:
            if not sample.pruned and sample.advantage:
                value = counted[sample.key] * sample.advantage / len(sample.loss_positions)
                _put(rows[sample.key.rollout], group[sample.key.rollout], sample, value)
        return [tuple(map(tuple, of_rollout)) for of_rollout in rows]

    return Objective(name=name, source=source, weigh=weigh)


def _put(rows: Sequence[list[float]], rollout: Rollout, sample: TrainingSample, value: float) -> None:
    """Write ``value`` at the tokens of ``sample``: a position behind the prompt of a step is a token of that step."""
    positions = set(sample.loss_positions)
    for row, step in zip(rows, rollout.steps, strict=True):
        if step.segment == sample.key.segment:
            start = len(step.state)
            for place in range(step.tokens):
                if start + place in positions:
                    row[place] = value


def load(path: Path) -> Objective:
    """The objective of a researcher's file, named after it.

    Raises:
        ValueError: if there is no such file, it fails, or it defines no function ``weights``.
    """
    if not path.is_file():
        raise ValueError(
            f"no file {path}: an objective is a Python file with a function {FUNCTION}(rollout, group)"
        )
    spec = importlib.util.spec_from_file_location(f"objective_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ValueError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever a stranger's file raises
        raise ValueError(f"{path} cannot be run: {type(error).__name__}: {error}") from error
    function: Any = getattr(module, FUNCTION, None)
    if not callable(function):
        raise ValueError(f"{path} defines no function {FUNCTION}(rollout, group)")
    return Objective(name=path.stem, source=path.name, weigh=per_rollout(cast("RolloutWeights", function)))


def checked(objective: Objective, group: Sequence[Rollout]) -> list[Weights]:
    """The weights of a group, one row a step and one finite number a token.

    Raises:
        ValueError: naming objective, question and rollout.
    """
    where = f"objective {objective.name!r}, question {group[0].trajectory.task.id!r}"
    try:
        found = list(objective.weigh(group))
    except Exception as error:
        raise ValueError(f"{where}: {type(error).__name__}: {error}") from error
    if len(found) != len(group):
        raise ValueError(f"{where}: weights for {len(found)} rollouts of {len(group)}")
    for rollout, rows in zip(group, found, strict=True):
        if [len(row) for row in rows] != [step.tokens for step in rollout.steps]:
            raise ValueError(f"{where}, rollout {rollout.number}: one row a step, one weight a token")
        if not all(math.isfinite(value) for row in rows for value in row):
            raise ValueError(f"{where}, rollout {rollout.number}: a weight is not finite")
    return found


JUDGED = tuple(
    name
    for name, each in ALGORITHMS.items()
    if each.baseline is Baseline.GROUP and each.answer_weight == 1  # a candidate judges other weights
)
"""Of the trainer's objectives those whose advantage is one of the group; a baseline over an update is no function of a group."""


def trained(names: Sequence[str] = JUDGED) -> Mapping[str, Objective]:
    """The trainer's own objectives by their names."""
    return {name: of_algorithm(name, ALGORITHMS[name], source="model/config/algorithm.py") for name in names}
