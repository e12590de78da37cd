"""A few updates of the tiny model on fixed rollouts, and what the metrics said: ``golden_trace.json``.

    python tests/model/rl/golden_trace.py

writes the file anew, from the repository's root with that on PYTHONPATH. It changes only with the objective, the order of
updates or the model's own arithmetic; whoever writes it anew says why in the change.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from model.config.algorithm import ALGORITHMS, Algorithm, Ratio
from model.config.engine import EngineConfig
from model.config.schedule import Schedule
from tests.model.scene import Pictures, Setup, group, policy, sampled, trainer

FILE = Path(__file__).with_suffix(".json")
FIGURES = ("loss", "gradient_norm", "mean_ratio", "max_log_ratio", "clip_fraction", "entropy")
UPDATES = 5
# the clip wide enough for several updates on the same rollouts; Adam's epsilon large enough that noise stays noise
CLIP = {"clip_low": 0.2, "clip_high": 0.2}
SCHEDULE = Schedule(learning_rate=2e-4, adam_epsilon=1e-4, token_budget=120, logit_tokens=16)
TRACED: dict[str, Algorithm] = {
    "ggpo": replace(ALGORITHMS["ggpo"], **CLIP),
    "gspo": replace(ALGORITHMS["gspo"], **CLIP),
    "grpo": ALGORITHMS["grpo"],
    "gspo_token": replace(ALGORITHMS["gspo"], ratio=Ratio.GSPO_TOKEN, **CLIP),
}


def trace(name: str) -> list[dict[str, Any]]:
    """Figures of ``UPDATES`` updates, two questions of four rollouts each."""
    rollouts = sampled(group("q1", 0) + group("q2", 1, pictures=False), policy(), Pictures(), jitter=0.4)
    setup = Setup(algorithm=TRACED[name], schedule=SCHEDULE, engine=EngineConfig(zero_stage=0))
    made = trainer(setup)
    records = [made.update(rollouts).record() for _ in range(UPDATES)]
    return [{figure: record[figure] for figure in FIGURES} for record in records]


if __name__ == "__main__":
    torch.set_num_threads(1)
    FILE.write_text(json.dumps({name: trace(name) for name in TRACED}, indent=1) + "\n")
