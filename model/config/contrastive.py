"""How an embedder is trained by contrast. Choices and their validation only."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ContrastiveSchedule:
    """Steps, learning rate and temperature."""

    steps: int = 220
    learning_rate: float = 2e-3
    """The highest one; it rises over ``warmup`` and falls to zero along half a cosine."""
    warmup: int = 10
    """Steps."""
    weight_decay: float = 0.01
    max_gradient_norm: float = 1.0
    temperature: float = 0.05

    def __post_init__(self) -> None:
        if self.steps < 1 or not 0 <= self.warmup <= self.steps:
            raise ValueError(f"a training has at least one step, and its warm-up is part of it: {self}")
        if (
            min(self.learning_rate, self.temperature) <= 0
            or min(self.weight_decay, self.max_gradient_norm) < 0
        ):
            raise ValueError(f"rates of a training out of range: {self}")

    def rate_at(self, step: int) -> float:
        """``learning_rate * min(1, (step + 1) / warmup) * (1 + cos(pi * step / steps)) / 2``, step from 0."""
        rise = min(1.0, (step + 1) / self.warmup) if self.warmup else 1.0
        return self.learning_rate * rise * (1 + math.cos(math.pi * step / self.steps)) / 2
