"""The steps, most valuable first, each with its share of the time; modules are imported when a step begins."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from benchmarks.gpu.bounded import Emit
from benchmarks.gpu.sizes import Sizes


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One bounded process."""

    name: str
    module: str
    share: float
    """Of the time, against the other steps' shares."""
    arguments: tuple[Any, ...] = ()
    """For the module's ``of``; without any its ``run`` is the step."""
    options: tuple[tuple[str, Any], ...] = ()

    def work(self, sizes: Sizes) -> Callable[[Emit], None]:
        """What the process does; can be sent to a fresh interpreter."""
        return partial(begin, self, sizes)


def begin(step: Step, sizes: Sizes, emit: Emit) -> None:
    """Imports the step's module and runs it."""
    module = importlib.import_module(f"benchmarks.gpu.{step.module}")
    run = module.of(*step.arguments, **dict(step.options)) if step.arguments else module.run
    run(sizes, emit)


STEPS = (
    Step(name="machine", module="machine", share=0.3),
    Step(name="parity", module="parity", share=1.2),
    Step(
        name="update-2b-full",
        module="update",
        share=2.0,
        arguments=("qwen3-vl-2b", "full"),
        options=(("ablate", True),),
    ),
    Step(name="rollouts-2b", module="rollouts", share=1.0, arguments=("qwen3-vl-2b",)),
    Step(name="update-4b-lora", module="update", share=1.0, arguments=("qwen3-vl-4b", "lora")),
    Step(name="update-8b-lora", module="update", share=1.4, arguments=("qwen3-vl-8b", "lora")),
    Step(name="embedding", module="embedding", share=0.7),
    Step(name="update-4b-full", module="update", share=1.2, arguments=("qwen3-vl-4b", "full")),
    Step(name="rollouts-8b", module="rollouts", share=1.0, arguments=("qwen3-vl-8b",)),
    Step(name="rollouts-4b", module="rollouts", share=0.8, arguments=("qwen3-vl-4b",)),
)
