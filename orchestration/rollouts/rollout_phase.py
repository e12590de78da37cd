"""The rollouts of a training run: which questions are drawn, who rolls them out, which groups are replaced.

Holds the first half of an update only, up to graded trajectories; learning from them is ``model.training.trainer``, the loop
``training/ggpo_run.py``. Every rank rolls out its share of the questions; all ranks get all rollouts in one order.
"""

import asyncio
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

from torch import distributed as dist

from infra.errors import EndpointError
from model.agent.loop import Agent, derived_seed
from model.evaluation.evaluation import grade_all
from model.rl.curriculum import Curriculum
from model.rl.rollouts import RolloutPlan, RolloutProgress, ordered_by_group, run_rollouts
from model.types import Outcome, Task, Trajectory
from orchestration.joins.adapters import MetricGrader
from orchestration.joins.grading import grading
from orchestration.launch.reporter import Reporter, progress
from orchestration.recipes.options import Recipe
from orchestration.rollouts.local_source import RolloutSource


class RolloutBatch(NamedTuple):
    """Graded rollouts to train on, question after question, and what it took to get them."""

    trajectories: list[Trajectory]
    spent: int  # rollouts that were made
    version: int  # updates that the weights they were made with have had
    failed: int = 0  # rollouts that ended in an error
    dropped: int = 0  # groups left out because a rollout of theirs failed
    grading_s: float = 0.0  # seconds that this rank waited for verdicts, within those of the rollouts


class RankGroup(NamedTuple):
    """This process's place among the ranks that roll out together."""

    rank: int
    world_size: int
    group: Any = None  # process group of their exchanges; one of its own where rollouts overlap with training


class RolloutPhase:
    """Draws questions and rolls them out.

    Args:
        recipe: group sizes, re-sampling, seeds, what a rollout is worth.
        tasks: the training questions.
        crew: whose share of the questions is rolled out here.
        reporter: hears of progress.
        verdicts: folder in which a judge's verdicts are kept.
    """

    def __init__(
        self, recipe: Recipe, tasks: Sequence[Task], crew: RankGroup, reporter: Reporter, *, verdicts: Path
    ) -> None:
        self._recipe, self._crew, self._reporter = recipe, crew, reporter
        self._weights, self._verdicts = recipe.ggpo.reward, verdicts
        self._served = recipe.ggpo.served
        self._tasks = {task.id: task for task in tasks}
        ggpo = recipe.ggpo
        self.curriculum = Curriculum(self._tasks, seed=ggpo.schedule.seed, by_success=ggpo.by_success)
        self._grading_s = 0.0  # so far

    def gather(self, agent: Agent, source: RolloutSource, number: int) -> RolloutBatch:
        """The rollouts of update ``number``, from 0.

        Where the recipe re-samples, questions whose rollouts are worth the same are replaced; if all are so to the end, the last
        ones stay. A group with a failed rollout of a server is dropped whole.

        Raises:
            EndpointError: if no group came back whole from the servers.
        """
        ggpo, version, graded_s = self._recipe.ggpo, source.version, self._grading_s
        kept: dict[str, list[Trajectory]] = {}
        latest: dict[str, list[Trajectory]] = {}
        made: list[Trajectory] = []
        num_groups = num_dropped = 0
        drawn: set[str] = set()
        for turn in range(ggpo.resamples + 1):
            names = self.curriculum.draw(ggpo.questions - len(kept), without=drawn)
            if not names:
                break
            drawn.update(names)
            groups = self._groups(agent, source, names, number, turn)
            made += [each for group in groups.values() for each in group]
            latest = {name: group for name, group in groups.items() if self._is_usable(group)}
            num_groups, num_dropped = num_groups + len(groups), num_dropped + len(groups) - len(latest)
            self._count(latest)
            kept |= {name: group for name, group in latest.items() if not ggpo.resamples or teaches(group)}
        failed = [each for each in made if each.outcome is Outcome.FAILED]
        if num_dropped == num_groups:
            raise EndpointError(f"none of {num_groups} groups of rollouts came back whole; {failed[0].error}")
        found = [each for group in (kept or latest).values() for each in group]
        grading_s = self._grading_s - graded_s
        return RolloutBatch(found, len(made), version, len(failed), num_dropped, grading_s)

    def _groups(
        self, agent: Agent, source: RolloutSource, names: Sequence[str], number: int, turn: int
    ) -> dict[str, list[Trajectory]]:
        ggpo = self._recipe.ggpo
        plan = RolloutPlan(
            group_size=ggpo.algorithm.group_size,
            concurrency=self._recipe.evaluation.concurrency,
            seed=derived_seed(ggpo.schedule.seed, number, turn),
            timeout_s=None if self._served is None else self._served.rollout_timeout_s,
        )
        again = f", again {turn}" if turn else ""
        stage = f"update {number + 1}: rollouts{again}"
        return by_question(self._rollouts(agent, source, [self._tasks[name] for name in names], plan, stage))

    def _is_usable(self, group: Sequence[Trajectory]) -> bool:
        """Servers fail by chance, so that what is left of a group would be no sample of it; a local policy fails for a reason."""
        return self._served is None or all(each.outcome is not Outcome.FAILED for each in group)

    def validate(self, agent: Agent, source: RolloutSource, tasks: Sequence[Task]) -> float:
        """Share of ``tasks`` that ``agent`` answers rightly; NaN if none has a verdict."""
        plan = RolloutPlan(
            concurrency=self._recipe.evaluation.concurrency, seed=self._recipe.ggpo.schedule.seed
        )
        answered = self._rollouts(agent, source, tasks, plan, "validation")
        verdicts = [each.correct for each in answered if each.correct is not None]
        score = sum(verdicts) / len(verdicts) if verdicts else math.nan
        self._reporter.log(f"validation: {score:.1%} of {len(verdicts)} questions right")
        return score

    def _count(self, groups: Mapping[str, Sequence[Trajectory]]) -> None:
        for name, group in groups.items():
            verdicts = [each.correct for each in group if each.correct is not None]
            self.curriculum.record(name, right=sum(verdicts), rollouts=len(verdicts))

    def _rollouts(
        self, agent: Agent, source: RolloutSource, tasks: Sequence[Task], plan: RolloutPlan, stage: str
    ) -> list[Trajectory]:
        """Graded rollouts of all ranks in one order."""
        mine = tasks[self._crew.rank :: self._crew.world_size]
        shown = progress(self._reporter)
        shown(stage, 0, len(mine) * plan.group_size)

        def on_progress(now: RolloutProgress) -> None:
            shown(stage, now.done, now.total)

        async def roll() -> tuple[Trajectory, ...]:
            try:
                groups = await run_rollouts(agent, mine, plan, on_progress=on_progress)
            finally:
                await source.close()
            began = monotonic()
            async with grading(self._verdicts, ask_judge=self._weights.judge > 0) as bench:
                found = await grade_all(
                    ordered_by_group(groups), bench.grader, metric=MetricGrader(), weights=self._weights
                )
            self._grading_s += monotonic() - began
            return found

        graded = asyncio.run(roll()) if mine else ()
        if self._crew.world_size == 1:
            return list(graded)
        parts: list[Any] = [None] * self._crew.world_size
        dist.all_gather_object(parts, graded, group=self._crew.group)
        return [trajectory for part in parts for trajectory in part]


def teaches(group: Sequence[Trajectory]) -> bool:
    """Whether rewards differ within a group, so that there is an advantage."""
    return len({each.reward for each in group if each.reward is not None}) > 1


def by_question(trajectories: Sequence[Trajectory]) -> dict[str, list[Trajectory]]:
    """The groups, in the order of their first rollouts."""
    groups: dict[str, list[Trajectory]] = {}
    for each in trajectories:
        groups.setdefault(each.task.id, []).append(each)
    return groups
