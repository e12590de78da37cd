"""The weights of a reward's terms. Holds numbers and their check only; the terms are computed in ``model/rl/reward.py``."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardWeights:
    """Shares of the reward, each term in [0, 1]; the default is the binary verdict of the paper.

    Right or wrong in pruning and in drawing questions is the verdict, whatever the weights.
    """

    judge: float = 1.0
    """Of the verdict, ``Trajectory.correct``: the judge's where the environment names one, else that of the dataset's own metric.
    With 0 no judge is asked, and the metric's verdict stands in for it wherever right or wrong matters."""
    exact: float = 0.0
    """Of the verdict of the dataset's own metric, ``Trajectory.metric``, beside a judge's."""
    format: float = 0.0
    """Of form: 1 for an answered rollout none of whose replies was rejected."""
    retrieval: float = 0.0
    """Of the NDCG of what the searches returned against the gold evidence."""

    def __post_init__(self) -> None:
        weights = (self.judge, self.exact, self.format, self.retrieval)
        if min(weights) < 0 or not math.isclose(sum(weights), 1.0):
            raise ValueError(f"weights of the reward must not be negative and must sum to 1: {self}")
