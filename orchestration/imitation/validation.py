"""How a policy does on the validation questions, greedily: what chooses between checkpoints of a cold start."""

import asyncio

from infra.storage.root import Storage
from model.evaluation.evaluation import evaluate
from model.policies.chat_template import PromptEncoder
from model.policies.transformers_policy import TransformersPolicy
from model.rl.rollouts import RolloutPlan
from orchestration.joins.adapters import MetricGrader, tasks_of_split
from orchestration.joins.agents import GREEDY, RunContext
from orchestration.recipes.options import Recipe


def validated(
    world: RunContext, storage: Storage, policy: TransformersPolicy, encoder: PromptEncoder, recipe: Recipe
) -> float:
    """Mean over the benchmarks of the share of validation questions answered rightly."""
    agent = world.agent(policy, world.memory("vimrag", encoder), temperature=GREEDY)
    plan = RolloutPlan(concurrency=recipe.evaluation.concurrency, seed=recipe.cold_start.seed)
    found = asyncio.run(evaluate(agent, tasks_of_split(storage, "val"), MetricGrader(), plan))
    return found.overall.estimate
