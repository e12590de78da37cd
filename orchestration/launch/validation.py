"""How a policy does on the validation questions, greedily: what chooses between checkpoints of a cold start."""

import asyncio

from infra.storage import Storage
from model.encoding import Encoder
from model.evaluation import evaluate
from model.rollouts import Collection
from model.transformers_policy import TransformersPolicy
from orchestration.launch.agents import GREEDY, World
from orchestration.launch.join import MetricGrader, tasks_of_split
from orchestration.recipes import Recipe


def validated(
    world: World, storage: Storage, policy: TransformersPolicy, encoder: Encoder, recipe: Recipe
) -> float:
    """Mean over the benchmarks of the share of validation questions answered rightly."""
    agent = world.agent(policy, world.memory("vimrag", encoder), temperature=GREEDY)
    plan = Collection(concurrency=recipe.evaluation.concurrency, seed=recipe.cold_start.seed)
    found = asyncio.run(evaluate(agent, tasks_of_split(storage, "val"), MetricGrader(), plan))
    return found.overall.estimate
