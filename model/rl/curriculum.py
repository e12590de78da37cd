"""Which questions come next: more often those that the policy answers rightly now and then.

A group of rollouts that are all right or all wrong has no advantage and teaches nothing (Eq. 12 of arXiv 2602.12735), so a
question is drawn with a weight of p (1 - p) + floor, p being its smoothed share of right rollouts so far. Holds counts and draws
only; what a group is and when it is drawn again is the training loop's.
"""

import math
import random
from collections.abc import Collection, Mapping, Sequence
from itertools import islice
from typing import Any

FLOOR = 0.05  # weight of a question that is always or never answered, beside at most 0.25


class Curriculum:
    """Draws questions without repetition within a draw; the same seed, counts and number of draws give the same questions.

    Args:
        questions: their ids, at least one.
        seed: of the draws.
        by_success: False draws those that were rolled out least, by chance among equals: epochs in random order.
    """

    def __init__(self, questions: Collection[str], *, seed: int, by_success: bool = True) -> None:
        if not questions:
            raise ValueError("no questions to draw from")
        self._questions = sorted(set(questions))
        self._seed, self._by_success = seed, by_success
        self._counts: dict[str, tuple[int, int]] = {}
        self._draws = 0

    def draw(self, count: int, *, without: Collection[str] = ()) -> tuple[str, ...]:
        """At most ``count`` questions, fewer if there are no more; none of ``without``."""
        rng = random.Random(f"{self._seed}/{self._draws}")
        self._draws += 1
        excluded = set(without)
        keyed = [(self._key(name, rng.random()), name) for name in self._questions]
        left = (name for _, name in sorted(keyed, reverse=True) if name not in excluded)
        return tuple(islice(left, count))

    def _key(self, question: str, uniform: float) -> tuple[float, float]:
        """What a draw takes the largest of."""
        if not self._by_success:
            return -self._counts.get(question, (0, 0))[1], uniform
        # the largest of u^(1/w) make a weighted draw without replacement (Efraimidis and Spirakis, 2006)
        return math.log(uniform or 5e-324) / self.weight(question), uniform

    def record(self, question: str, *, right: int, rollouts: int) -> None:
        """Count one group's rollouts. Raises ``ValueError`` unless 0 <= right <= rollouts."""
        if not 0 <= right <= rollouts:
            raise ValueError(f"{right} right rollouts of {rollouts}")
        before = self._counts.get(question, (0, 0))
        self._counts[question] = (before[0] + right, before[1] + rollouts)

    def weight(self, question: str) -> float:
        """``p (1 - p) + floor`` with p = (right + 1) / (rollouts + 2); a question not seen yet weighs most."""
        right, rollouts = self._counts.get(question, (0, 0))
        share = (right + 1) / (rollouts + 2)
        return share * (1 - share) + FLOOR

    def state(self) -> dict[str, Any]:
        """What a resumed run needs, as JSON values."""
        return {"draws": self._draws, "counts": {name: list(pair) for name, pair in self._counts.items()}}

    def load(self, state: Mapping[str, Any]) -> None:
        """Put back what ``state`` gave; an empty mapping changes nothing."""
        self._draws = int(state.get("draws", self._draws))
        counts: Mapping[str, Sequence[int]] = state.get("counts", {})
        self._counts = {name: (int(pair[0]), int(pair[1])) for name, pair in counts.items()}
