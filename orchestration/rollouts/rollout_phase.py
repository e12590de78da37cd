"""The rollouts of a training run: which questions are drawn, on which rank they run, which groups are replaced.

Holds the first half of an update only, up to graded trajectories; learning from them is ``model.training.trainer``. Every rank
rolls out its share of the questions; all ranks get all rollouts in one order.
"""

import asyncio
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

from torch import distributed as dist

from infra.errors import EndpointError
from infra.progress import ProgressLogger
from model.agent.loop import Agent, derived_seed
from model.evaluation.evaluation import grade_all
from model.rl.curriculum import Curriculum
from model.rl.rollouts import RolloutPlan, RolloutProgress, ordered_by_group, run_rollouts
from model.types import Outcome, Task, Trajectory
from orchestration.joins.adapters import MetricGrader
from orchestration.joins.grading import grading
from orchestration.launch.reporter import Reporter
from orchestration.recipes.options import Recipe
from orchestration.rollouts.local_source import RolloutSource


class RolloutBatch(NamedTuple):
    """Graded rollouts to train on, question after question, and their cost."""

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
        recipe: group sizes, re-sampling, seeds, reward.
        tasks: the training questions.
        ranks: this process's share of the questions.
        reporter: for progress.
        verdicts: folder of a judge's verdicts.
    """

    def __init__(
        self, recipe: Recipe, tasks: Sequence[Task], ranks: RankGroup, reporter: Reporter, *, verdicts: Path
    ) -> None:
        self._recipe, self._ranks, self._reporter = recipe, ranks, reporter
        self._weights, self._verdicts = recipe.ggpo.reward, verdicts
        self._served = recipe.ggpo.served
        self._tasks = {task.id: task for task in tasks}
        ggpo = recipe.ggpo
        self.curriculum = Curriculum(self._tasks, seed=ggpo.schedule.seed, by_success=ggpo.by_success)
        self._grading_s = 0.0  # so far

    def gather(self, agent: Agent, source: RolloutSource, number: int) -> RolloutBatch:
        """The rollouts of update ``number``, from 0.

        Where the recipe re-samples, questions whose rollouts have equal rewards are replaced; if none differs to the end, the
        last ones stay. A group with a failed rollout of a server is dropped whole.

        Raises:
            EndpointError: if the servers returned no complete group.
        """
        ggpo, version, graded_s = self._recipe.ggpo, source.version, self._grading_s
        kept: dict[str, list[Trajectory]] = {}
        latest: dict[str, list[Trajectory]] = {}
        all_rollouts: list[Trajectory] = []
        num_groups = num_dropped = 0
        drawn: set[str] = set()
        for turn in range(ggpo.resamples + 1):
            names = self.curriculum.draw(ggpo.questions - len(kept), without=drawn)
            if not names:
                break
            drawn.update(names)
            groups = self._groups(agent, source, names, number, turn)
            all_rollouts += [trajectory for group in groups.values() for trajectory in group]
            latest = {name: group for name, group in groups.items() if self._is_usable(group)}
            num_groups, num_dropped = num_groups + len(groups), num_dropped + len(groups) - len(latest)
            self._record_success(latest)
            kept |= {
                name: group for name, group in latest.items() if not ggpo.resamples or rewards_differ(group)
            }
        failed = [trajectory for trajectory in all_rollouts if trajectory.outcome is Outcome.FAILED]
        if num_dropped == num_groups:
            raise EndpointError(f"none of {num_groups} groups of rollouts is complete; {failed[0].error}")
        trajectories = [trajectory for group in (kept or latest).values() for trajectory in group]
        grading_s = self._grading_s - graded_s
        return RolloutBatch(trajectories, len(all_rollouts), version, len(failed), num_dropped, grading_s)

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
        """Servers fail at random, so the rest of a group would be a biased sample; a local policy's failure is its own."""
        return self._served is None or all(member.outcome is not Outcome.FAILED for member in group)

    def validate(self, agent: Agent, source: RolloutSource, tasks: Sequence[Task]) -> float:
        """Share of ``tasks`` that ``agent`` answers rightly; NaN if none has a verdict."""
        plan = RolloutPlan(
            concurrency=self._recipe.evaluation.concurrency, seed=self._recipe.ggpo.schedule.seed
        )
        trajectories = self._rollouts(agent, source, tasks, plan, "validation")
        verdicts = [t.correct for t in trajectories if t.correct is not None]
        score = sum(verdicts) / len(verdicts) if verdicts else math.nan
        self._reporter.log(f"validation: {score:.1%} of {len(verdicts)} questions right")
        return score

    def _record_success(self, groups: Mapping[str, Sequence[Trajectory]]) -> None:
        for name, group in groups.items():
            verdicts = [member.correct for member in group if member.correct is not None]
            self.curriculum.record(name, right=sum(verdicts), rollouts=len(verdicts))

    def _rollouts(
        self, agent: Agent, source: RolloutSource, tasks: Sequence[Task], plan: RolloutPlan, stage: str
    ) -> list[Trajectory]:
        """Graded rollouts of all ranks in one order."""
        own = tasks[self._ranks.rank :: self._ranks.world_size]
        show_progress = ProgressLogger(self._reporter.log)
        show_progress(stage, 0, len(own) * plan.group_size)

        def on_progress(now: RolloutProgress) -> None:
            show_progress(stage, now.done, now.total)

        async def run_and_grade() -> tuple[Trajectory, ...]:
            try:
                groups = await run_rollouts(agent, own, plan, on_progress=on_progress)
            finally:
                await source.close()
            began = monotonic()
            async with grading(self._verdicts, ask_judge=self._weights.judge > 0) as session:
                graded = await grade_all(
                    ordered_by_group(groups), session.grader, metric=MetricGrader(), weights=self._weights
                )
            self._grading_s += monotonic() - began
            return graded

        graded = asyncio.run(run_and_grade()) if own else ()
        if self._ranks.world_size == 1:
            return list(graded)
        parts: list[Any] = [None] * self._ranks.world_size
        dist.all_gather_object(parts, graded, group=self._ranks.group)
        return [trajectory for part in parts for trajectory in part]


def rewards_differ(group: Sequence[Trajectory]) -> bool:
    """Whether rewards differ within a group, so that there is an advantage."""
    return len({member.reward for member in group if member.reward is not None}) > 1


def by_question(trajectories: Sequence[Trajectory]) -> dict[str, list[Trajectory]]:
    """The groups, in the order of their first rollouts."""
    groups: dict[str, list[Trajectory]] = {}
    for trajectory in trajectories:
        groups.setdefault(trajectory.task.id, []).append(trajectory)
    return groups
