"""Metrics of an update, and the file that keeps them: one JSON object a line, complete lines only.

The file is the ground truth for trackers, plots and Dagster metadata, which read it. The numbers are computed in
``trainer.py``.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from model.rl.rollout_metrics import PrunedShares, RolloutMetrics
from model.training.atomic import replacing


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateMetrics:
    """One policy update: means over its optimiser steps unless said otherwise. NaN where there was nothing to measure."""

    update: int
    """Number of the update, from 0."""
    steps: int
    """Optimiser steps done by the end of this update, over the whole run."""
    loss: float
    clip_fraction: float
    """Ratios that the clip holds, over segments: of segments for GSPO and GGPO, of tokens for token-level ratios."""
    mean_ratio: float
    max_log_ratio: float
    """Largest absolute log ratio of a token (nats), over the whole update."""
    divergence: float
    """From the reference model, nats a token; 0 when it is not computed."""
    entropy: float
    """Of the policy at loss tokens, nats."""
    gradient_norm: float
    """Before clipping."""
    learning_rate: float
    """Of the last step."""
    mean_reward: float
    num_questions: int
    num_rollouts: int
    num_unscored: int
    num_segments: int
    num_pruned: int
    num_zero_advantage: int
    """Kept by the mask, yet from groups whose rewards are all equal."""
    num_trained: int
    loss_tokens: int
    forward_tokens: int
    """Tokens that went through the model, without padding."""
    padded_tokens: int
    """The same with padding."""
    sampler_ratio: float
    """Mean over segments of trainer over sampler, where log-probabilities are recomputed; else NaN, like the next two."""
    sampler_ratio_max: float
    sampler_truncated: float
    """Share of the segments whose weight the cap holds."""
    seconds: float
    """Of the update alone, rollouts apart."""
    rollouts: RolloutMetrics
    pruned: PrunedShares

    def record(self) -> dict[str, Any]:
        """All numbers in one flat dictionary for ``MetricsWriter``."""
        fields = asdict(self)
        rollouts, pruned = fields.pop("rollouts"), fields.pop("pruned")
        return fields | rollouts | pruned


@dataclass(frozen=True, slots=True, kw_only=True)
class LikelihoodMetrics:
    """One supervised optimiser step."""

    steps: int
    """Optimiser steps done, this one included."""
    loss: float
    """Nats per loss token."""
    entropy: float
    gradient_norm: float
    learning_rate: float
    num_samples: int
    loss_tokens: int
    seconds: float


class MetricsWriter:
    """Appends records to a JSONL file on disk; every record is there when ``write`` returns.

    A resumed run passes the update it resumes at: records from there on are dropped first, so that no update is in the
    file twice. Only rank 0 should have a writer.
    """

    def __init__(self, path: Path, *, resume_at: int | None = None) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        if resume_at is not None and path.exists():
            self._replace([record for record in read_metrics(path) if record.get("update", -1) < resume_at])

    def write(self, record: Mapping[str, Any]) -> None:
        """Adds one record; a number that is not finite becomes null, because JSON has no such number."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(_line(record))

    def complete(self, values: Mapping[str, Any]) -> None:
        """Adds ``values``, known only after the last record had been written, to that record."""
        *before, last = read_metrics(self.path)
        self._replace([*before, {**last, **values}])

    def _replace(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Rewrites the file; whenever the process is killed, the old file or the new one is there."""
        with replacing(self.path) as partial:
            partial.write_text("".join(_line(record) for record in records), encoding="utf-8")


def _line(record: Mapping[str, Any]) -> str:
    finite = {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in record.items()
    }
    return json.dumps(finite, ensure_ascii=False, allow_nan=False) + "\n"


def read_metrics(path: Path) -> Iterator[dict[str, Any]]:
    """Records of a file; a last line cut off by a crash is left out."""
    *complete, _ = path.read_text(encoding="utf-8").split("\n")
    for line in complete:
        yield json.loads(line)
