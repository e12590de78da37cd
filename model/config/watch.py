"""What a training run bears before it stops itself.

Holds the limits and their check only; ``model/training/watch.py`` applies them.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchLimits:
    """Limits of a run's own numbers; a run that breaks one of them ``patience`` updates in a row stops red."""

    patience: int = 6
    """Updates in a row; NaN stops at once."""
    max_failed_share: float = 0.5
    """Of the rollouts of an update that failed for reasons of machines, not of answers."""
    max_rejected_actions: float = 8.0
    """Replies a rollout that were no legal action, on average: the policy has forgotten the form."""
    max_entropy: float = 5.0
    """Of the policy at loss tokens, nats: it writes noise."""

    def __post_init__(self) -> None:
        if self.patience < 1 or not 0 < self.max_failed_share <= 1:
            raise ValueError(f"patience is at least 1, a share in (0, 1]: {self}")
        if min(self.max_rejected_actions, self.max_entropy) <= 0:
            raise ValueError(f"limits are positive: {self}")
