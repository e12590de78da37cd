"""How good an agent is: rollouts of questions, verdicts, and the table of a report.

Runs rollouts through ``rl/rollouts.py``, asks a ``Grader``, and reduces. A question without a verdict (no grader
answer, failed rollout) is unscored: it enters no mean and is counted beside it.
"""

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace

from model.agent.loop import Agent
from model.config.reward import RewardWeights
from model.evaluation.statistics import (
    Interval,
    Number,
    bootstrap_macro_mean,
    bootstrap_mean,
    crossed_mean,
    paired_difference,
    sign_test,
    wilson,
)
from model.protocols import Grader
from model.rl.reward import reward
from model.rl.rollouts import RolloutPlan, RolloutProgress, ordered_by_group, run_rollouts
from model.types import Counters, Outcome, Task, Trajectory

GRADES_AT_ONCE = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetScore:
    """Results of one method on one dataset."""

    dataset: str
    rollouts: int
    scored: int
    failed: int
    correct: int
    accuracy: Interval  # Wilson, over scored rollouts; by questions where one has several
    outcomes: Mapping[str, int]
    means: Mapping[str, Number]  # of every counter, over rollouts that did not fail; nan without any
    gold_recall: Number  # mean share of gold items retrieved, over questions with gold; nan without any
    tokens_per_correct: Number  # all tokens spent on the dataset over correct answers; inf without any


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Results of one method: every graded rollout, a score a dataset, and the mean of the datasets."""

    trajectories: tuple[Trajectory, ...]
    datasets: tuple[DatasetScore, ...]  # in name order
    overall: Interval  # unweighted mean of the datasets' accuracies, stratified bootstrap; of one dataset its accuracy


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedComparison:
    """A second run against a first one over the questions that both have scored."""

    questions: int
    difference: Interval  # second minus first, mean over questions, paired bootstrap
    p_value: float  # exact sign test
    datasets: Mapping[str, Interval]


async def evaluate(
    agent: Agent,
    tasks: Sequence[Task],
    grader: Grader,
    plan: RolloutPlan | None = None,
    *,
    on_progress: Callable[[RolloutProgress], None] | None = None,
) -> Evaluation:
    """Roll out, grade and summarise."""
    groups = await run_rollouts(agent, tasks, plan, on_progress=on_progress)
    return summarise(await grade_all(ordered_by_group(groups), grader))


async def grade_all(
    trajectories: Sequence[Trajectory],
    grader: Grader,
    *,
    metric: Grader | None = None,
    weights: RewardWeights | None = None,
) -> tuple[Trajectory, ...]:
    """The trajectories with verdict and reward, in order; with ``metric``, its verdict stands beside the grader's.

    No answer is a wrong answer and needs no grader; a failed rollout stays without a verdict. An error of the
    grader comes through: it would otherwise look like a weak model.
    """
    gate = asyncio.Semaphore(GRADES_AT_ONCE)

    async def grade(trajectory: Trajectory) -> Trajectory:
        async with gate:
            correct = await _verdict(trajectory, grader)
        by_metric = trajectory.metric if metric is None else await _verdict(trajectory, metric)
        graded = replace(trajectory, correct=correct, metric=by_metric)
        return replace(graded, reward=reward(graded, weights or RewardWeights()))

    return tuple(await asyncio.gather(*(grade(trajectory) for trajectory in trajectories)))


async def with_metric(trajectories: Sequence[Trajectory], metric: Grader) -> tuple[Trajectory, ...]:
    """The trajectories with the verdict of the datasets' own metric beside theirs; no answer is a wrong one here too."""
    return tuple(
        [replace(trajectory, metric=await _verdict(trajectory, metric)) for trajectory in trajectories]
    )


async def _verdict(trajectory: Trajectory, grader: Grader) -> bool | None:
    if trajectory.outcome is Outcome.FAILED:
        return None
    if trajectory.outcome is Outcome.ABSTAINED:
        return False
    return await grader.grade(trajectory.task, trajectory.answer)


def summarise(trajectories: Sequence[Trajectory], *, seed: int = 0) -> Evaluation:
    """The table of graded rollouts."""
    by_dataset: dict[str, list[Trajectory]] = {}
    for trajectory in trajectories:
        by_dataset.setdefault(trajectory.task.dataset, []).append(trajectory)
    names = sorted(by_dataset)
    verdicts = [list(rates(by_dataset[name]).values()) for name in names]
    scores = tuple(score_dataset(name, by_dataset[name]) for name in names)
    scored = [score for score in scores if score.scored]
    return Evaluation(
        trajectories=tuple(trajectories),
        datasets=scores,
        overall=scored[0].accuracy
        if len(scored) == 1
        else bootstrap_macro_mean([group for group in verdicts if group], seed=seed),
    )


def score_dataset(dataset: str, trajectories: Sequence[Trajectory]) -> DatasetScore:
    """Reduce the rollouts of one dataset."""
    scored = [t for t in trajectories if t.correct is not None]
    ran = [t for t in trajectories if t.outcome is not Outcome.FAILED]
    correct = sum(t.correct is True for t in scored)
    tokens = sum(t.counters.prompt_tokens + t.counters.completion_tokens for t in ran)
    recalls = [gold_recall(t) for t in ran if t.task.gold]
    return DatasetScore(
        dataset=dataset,
        rollouts=len(trajectories),
        scored=len(scored),
        failed=len(trajectories) - len(ran),
        correct=correct,
        accuracy=_accuracy(scored, correct),
        outcomes={outcome.value: sum(t.outcome is outcome for t in trajectories) for outcome in Outcome},
        means={f.name: _mean([getattr(t.counters, f.name) for t in ran]) for f in fields(Counters)},
        gold_recall=_mean(recalls),
        tokens_per_correct=tokens / correct if correct else math.inf,
    )


def _accuracy(scored: Sequence[Trajectory], correct: int) -> Interval:
    """Rollouts of one question are no independent trials, so with several the questions are what is redrawn."""
    by_question = list(rates(scored).values())
    return wilson(correct, len(scored)) if len(by_question) == len(scored) else bootstrap_mean(by_question)


def gold_recall(trajectory: Trajectory) -> float:
    """Share of the question's gold items that any search returned. nan for a question without gold."""
    gold = trajectory.task.gold
    retrieved = {item for node in trajectory.graph.nodes for item in node.retrieved}
    return len(gold & retrieved) / len(gold) if gold else math.nan


def compare(first: Sequence[Trajectory], second: Sequence[Trajectory], *, seed: int = 0) -> PairedComparison:
    """``second`` minus ``first`` over shared questions; rollouts of one question count as their mean."""
    before, after = rates(first), rates(second)
    shared = sorted(before.keys() & after.keys())
    by_dataset: dict[str, list[tuple[str, str]]] = {}
    for key in shared:
        by_dataset.setdefault(key[0], []).append(key)

    def difference(keys: Sequence[tuple[str, str]]) -> Interval:
        return paired_difference([before[key] for key in keys], [after[key] for key in keys], seed=seed)

    return PairedComparison(
        questions=len(shared),
        difference=difference(shared),
        p_value=sign_test([before[key] for key in shared], [after[key] for key in shared]),
        datasets={name: difference(keys) for name, keys in sorted(by_dataset.items())},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedComparison:
    """What one objective does that another does not, run by run."""

    by_seed: tuple[Number, ...]
    """Mean difference over the questions, of each pair of runs."""
    difference: Interval
    """Over runs and questions."""


def compare_seeds(
    first: Sequence[Sequence[Trajectory]], second: Sequence[Sequence[Trajectory]], *, seed: int = 0
) -> SeedComparison:
    """``second`` minus ``first``, a run each; a single ``first`` is the start of every ``second``.

    Raises:
        ValueError: if the numbers of runs do not fit.
    """
    starts = list(first) * len(second) if len(first) == 1 else list(first)
    pairs = [(rates(before), rates(after)) for before, after in zip(starts, second, strict=True)]
    shared = sorted(set.intersection(*(before.keys() & after.keys() for before, after in pairs)))
    rows = [[after[key] - before[key] for key in shared] for before, after in pairs]
    return SeedComparison(by_seed=tuple(_mean(row) for row in rows), difference=crossed_mean(rows, seed=seed))


def rates(trajectories: Sequence[Trajectory]) -> dict[tuple[str, str], float]:
    """Accuracy of each scored question, by (dataset, question id)."""
    verdicts: dict[tuple[str, str], list[float]] = {}
    for trajectory in trajectories:
        if trajectory.correct is not None:
            verdicts.setdefault((trajectory.task.dataset, trajectory.task.id), []).append(
                float(trajectory.correct)
            )
    return {key: _mean(values) for key, values in verdicts.items()}


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else math.nan
