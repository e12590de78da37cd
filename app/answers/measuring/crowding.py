"""Crowded memories: rollouts that keep every picture they find, and agents that answer from what such a rollout left.

The same graph for every arm, so that arms differ in nothing but the pixels of its pictures. On invented worlds the oracle
fills the memories, which searches in vain four times of five and knows what matters; elsewhere the model that is measured does.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from app.answers.catalogue import Catalogue
from app.answers.measuring.arms import Opener
from app.answers.measuring.evaluating import EvaluationPlan, EvaluationResult
from app.errors import UsageError
from infra.storage.root import Storage
from model.agent.loop import Agent
from model.agent.memory.session import Recollection
from model.evaluation.given_memory import AnsweringAgent, is_crowded, unanswered
from model.imitation.gold_plan import GoldPlan
from model.policies.keeps_everything import KeepsEverything
from model.types import Outcome, Task, Trajectory
from orchestration.joins.adapters import read_plans
from orchestration.study.arms import Arm
from orchestration.study.oracles import PlannedOracles

GATHERING = Arm(name="keeps-everything", memory="vimrag")
ORACLE_CALLS = 12
"""Of a rollout that fills a memory; a search takes two."""
BY_ORACLE, BY_MODEL = "the oracle", "the model itself"


@dataclass(frozen=True, slots=True)
class KeepingOpener:
    """Opens agents that keep all they find: the oracle where there are plans, else the model."""

    opener: Opener
    plans: Mapping[str, GoldPlan]

    def open(self, arm: Arm) -> Agent:
        """The agent of the arm."""
        agent = self.opener.open(arm)
        if not self.plans:
            return replace(agent, policy=KeepsEverything(agent.policy))
        limits = replace(agent.limits, calls=ORACLE_CALLS)
        return replace(agent, policy=KeepsEverything(PlannedOracles(self.plans)), limits=limits, sight=None)


@dataclass(frozen=True, slots=True)
class AnsweringOpener:
    """Opens agents that answer at once from a memory that is given."""

    opener: Opener
    given: Mapping[str, Recollection]

    def open(self, arm: Arm) -> AnsweringAgent:
        """The agent of the arm."""
        agent = self.opener.open(arm)
        return AnsweringAgent(
            policy=agent.policy,
            retriever=agent.retriever,
            memory=agent.memory,
            limits=agent.limits,
            sampling=agent.sampling,
            sight=agent.sight,
            given=self.given,
        )


class NothingCrowdedError(UsageError):
    """No memory keeps two pictures of which one is gold."""


Evaluate: TypeAlias = Callable[..., Awaitable[EvaluationResult]]
"""``evaluate_model`` with all that every evaluation of an experiment has in common."""


async def crowd(
    storage: Storage,
    opener: Opener,
    tasks: Sequence[Task],
    plan: EvaluationPlan,
    folder: Path,
    evaluate: Evaluate,
) -> tuple[AnsweringOpener, list[Task]]:
    """An opener over the memories that keep a gold picture and another one, and their questions.

    Raises:
        UsageError: if a rollout failed, since the questions would be others once it is tried again.
        NothingCrowdedError: if no memory is crowded.
    """
    plans = read_plans(storage)
    gathered = await evaluate(
        KeepingOpener(opener, plans),
        tasks=tasks,
        plan=replace(plan, arms=(GATHERING,), attempts=1),
        folder=folder,
        extra={"filled_by": BY_ORACLE if plans else BY_MODEL},
    )
    rollouts = gathered.evaluations[GATHERING.name].trajectories
    if failed := [each for each in rollouts if each.outcome is Outcome.FAILED]:
        raise UsageError(
            f"{len(failed):,} of {len(rollouts):,} rollouts that fill the memories failed ({failed[0].error}); "
            "the same command tries them again"
        )
    crowded = [each for each in rollouts if is_crowded(each)]
    if not crowded:
        raise NothingCrowdedError(
            f"none of {len(rollouts):,} rollouts kept a gold picture and another one: nothing to share pixels among"
        )
    return AnsweringOpener(opener, _given(storage, crowded)), [each.task for each in crowded]


def _given(storage: Storage, rollouts: Sequence[Trajectory]) -> dict[str, Recollection]:
    ids = {item.item_id for each in rollouts for node in each.graph.nodes for item in node.items}
    items = Catalogue(storage).find(ids)
    titles = {item_id: item.title for item_id, item in items.items()}
    texts = {item_id: item.text for item_id, item in items.items()}
    return {
        each.task.id: Recollection(graph=unanswered(each.graph), titles=titles, texts=texts)
        for each in rollouts
    }
