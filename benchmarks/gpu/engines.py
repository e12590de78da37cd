"""The engine of an update: DeepSpeed where it is installed, else the same verbs over a plain AdamW.

The plain one keeps what ZeRO-1 on one rank keeps (fp32 master weights and two moments beside bf16 weights), so memory and speed
stay comparable; each result says which of the two it was.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from benchmarks.gpu.capabilities import has
from model.config.engine import EngineConfig
from model.config.schedule import Schedule
from model.training.engine import DeepSpeedEngine, StepInfo
from model.training.logprobs import Targets, TokenLogprobs
from model.training.lora import attach_adapters


def make_engine(model: Any, config: EngineConfig, schedule: Schedule) -> Any:
    """An engine over ``model``."""
    if has("deepspeed"):
        return DeepSpeedEngine(model, config=config, schedule=schedule)
    return PlainEngine(model, config=config, schedule=schedule)


class PlainEngine:
    """What ``Trainer`` asks of an engine, for one process without DeepSpeed."""

    rank, world_size = 0, 1

    def __init__(self, model: Any, *, config: EngineConfig, schedule: Schedule) -> None:
        if config.gradient_checkpointing:
            model.gradient_checkpointing_enable({"use_reentrant": False})
        if config.lora is not None:
            attach_adapters(model, config.lora)
            model.bfloat16()
        elif not config.train_vision:
            model.model.visual.requires_grad_(False)
        self.model, self.config, self.schedule, self.steps = model, config, schedule, 0
        self.device: torch.device = model.device
        self._wrapped = TokenLogprobs(model, temperature=config.temperature)
        self._trained = [each for each in model.parameters() if each.requires_grad]
        self._masters = [each.detach().float().clone() for each in self._trained]
        self._optimizer = torch.optim.AdamW(
            self._masters, lr=schedule.learning_rate, weight_decay=schedule.weight_decay,
            fused=self.device.type == "cuda",
        )  # fmt: skip

    def train(self, mode: bool = True) -> None:
        self._wrapped.train(mode)

    def logprobs(self, inputs: dict[str, Tensor], targets: Targets, num_chunks: int) -> tuple[Tensor, Tensor]:
        return self._wrapped(inputs, targets, num_chunks)

    def features(self, pixel_values: Tensor, grid_thw: Tensor) -> Tensor:
        return self._wrapped.features(pixel_values, grid_thw)

    def backward(self, loss: Tensor, *, last: bool) -> None:
        loss.backward()

    def step(self) -> StepInfo:
        rate = self.schedule.rate(self.steps)
        self._optimizer.param_groups[0]["lr"] = rate
        norm = float(
            torch.nn.utils.clip_grad_norm_(self._trained, self.schedule.max_gradient_norm or math.inf)
        )
        if not math.isfinite(norm):
            raise FloatingPointError(f"the gradient of optimiser step {self.steps} is not finite")
        for master, weight in zip(self._masters, self._trained, strict=True):
            master.grad = None if weight.grad is None else weight.grad.float()
            weight.grad = None
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        with torch.no_grad():
            for master, weight in zip(self._masters, self._trained, strict=True):
                weight.copy_(master)
        self.steps += 1
        return StepInfo(norm, rate)

    def total(self, values: Tensor, *, largest: bool = False) -> Tensor:
        return values.cpu()

    def barrier(self) -> None:
        return
