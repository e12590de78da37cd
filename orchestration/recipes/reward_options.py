"""Options of a recipe about what a rollout is worth. Holds frozen data only; the terms are computed in ``model.rl.reward``."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardTerms:
    """Shares of the reward, each term in [0, 1]; the default is the binary verdict of the paper."""

    judge: float = 1.0
    """The verdict: the judge's where the environment names one (``launch/judging.py``), else that of the dataset's own metric.
    With 0 no judge is asked, and the metric's verdict stands in for it wherever right or wrong matters."""
    exact: float = 0.0
    """The verdict of the dataset's own metric, beside a judge's."""
    format: float = 0.0
    """1 for an answered rollout none of whose replies was rejected."""
    retrieval: float = 0.0
    """NDCG of what the searches returned against the gold evidence."""

    def __post_init__(self) -> None:
        weights = (self.judge, self.exact, self.format, self.retrieval)
        if min(weights) < 0 or not math.isclose(sum(weights), 1.0):
            raise ValueError(f"weights of the reward must not be negative and must sum to 1: {self}")
