"""The oracle of every question of invented worlds behind one policy: it finds the gold, with many useless searches on the way."""

import random
from collections.abc import Mapping

from model.imitation.gold_plan import DemonstrationNoise, GoldPlan
from model.imitation.oracle import Oracle
from model.types import Completion, PolicyRequest

DISTRACTIONS = 500  # queries that dead ends are drawn from
USELESS = DemonstrationNoise(dead_end=0.4, broad=0.24, repeat=0.16)
"""As many useless searches as the paper saw, 80 %."""


class PlannedOracles:
    """``Policy`` of one rollout of each question; without weights."""

    fingerprint = "oracle"

    def __init__(self, plans: Mapping[str, GoldPlan], *, seed: int = 0) -> None:
        self._plans, self._seed = plans, seed
        queries = sorted({query for plan in plans.values() for hop in plan.hops for query in hop.queries})
        drawn = random.Random(seed).sample(queries, k=min(DISTRACTIONS, len(queries)))
        self._noise = DemonstrationNoise(
            dead_end=USELESS.dead_end,
            broad=USELESS.broad,
            repeat=USELESS.repeat,
            distractions=tuple(drawn),
        )
        self._oracles: dict[str, Oracle] = {}

    async def complete(self, request: PolicyRequest) -> Completion:
        """What the oracle of the question says next. Raises ``KeyError`` for a question without a plan."""
        id_ = request.task.id
        if id_ not in self._oracles:
            rng = random.Random(f"{self._seed}/{id_}")
            self._oracles[id_] = Oracle(self._plans[id_], noise=self._noise, rng=rng)
        return await self._oracles[id_].complete(request)
