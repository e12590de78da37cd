"""A training run that looks at its own numbers: what teaches nothing, or destroys what was learnt, does not go on for hours.

A function of the records of updates alone (``UpdateMetrics.record`` and how many rollouts failed), the same on every rank.
"""

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

from model.config.watch import WatchLimits


class TrainingStoppedError(ValueError):
    """The run broke a limit; the text says which and since when. The checkpoint before is its result."""


class Watch:
    """Counts how long each fault has lasted."""

    def __init__(self, limits: WatchLimits) -> None:
        self._limits = limits
        self._lasting: Counter[str] = Counter()

    def check(self, record: Mapping[str, Any]) -> None:
        """Look at the next update.

        Args:
            record: its numbers, ``rollouts_failed`` among them.

        Raises:
            TrainingStoppedError: if a fault has lasted for the patience, or at once for NaN.
        """
        found = faults(record, self._limits)
        self._lasting = Counter({name: self._lasting[name] + 1 for name in found})
        for name, said in found.items():
            patience = 1 if name == "nan" else self._limits.patience
            if self._lasting[name] >= patience:
                since = record["update"] + 1 - patience
                when = (
                    f"update {since + 1}"
                    if patience == 1
                    else f"updates {since + 1} to {record['update'] + 1}"
                )
                raise TrainingStoppedError(
                    f"{when}: {said}. The run stops here; its last checkpoint is whole"
                )


def faults(record: Mapping[str, Any], limits: WatchLimits) -> dict[str, str]:
    """What is wrong with one update: name -> what to say. Each has one cause, the nearest to the root."""
    rollouts, failed = record["num_rollouts"], record.get("rollouts_failed", 0)
    found: dict[str, str] = {}
    if record["num_trained"] and not (
        math.isfinite(record["loss"]) and math.isfinite(record["gradient_norm"])
    ):
        found["nan"] = f"the loss is {record['loss']} and the gradient {record['gradient_norm']}"
    if failed > limits.max_failed_share * (rollouts + failed):
        found["failed"] = (
            f"{failed} of {rollouts + failed} rollouts failed: look at the server, the retriever and the media"
        )
    elif not record["num_segments"]:
        found["empty"] = (
            "there were 0 segments to train on: the rollouts are empty, as when the retriever or the index is gone"
        )
    elif not record["num_trained"]:
        found["equal"] = (
            "nothing was trained: the rewards within each question are all equal, or the mask took every segment"
        )
    if record["mean_rejected_actions"] > limits.max_rejected_actions:
        found["rejected"] = f"{record['mean_rejected_actions']:.1f} replies a rollout were no legal action"
    if record["entropy"] > limits.max_entropy:
        found["entropy"] = f"the entropy is {record['entropy']:.1f} nats a token"
    return found
