"""The hardware tables of docs/hardware.md as Markdown: every recipe by phase, and the fewest devices for each way to train.

``vimrag plan --table`` prints them; a test compares the page with them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from model.training.planning import ResourcePlan
    from orchestration.recipes.registry import Machine, Recipe

Planner = Callable[["Recipe"], "ResourcePlan"]
COUNTS = (1, 2, 4, 8, 16, 32, 64)
KEPT_FREE = 0.9  # share of a device's memory that may be filled, as model.training.planning.plan has it


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingMode:
    """A way to train: what of a recipe's ``ggpo`` it sets, and whether servers roll out."""

    name: str
    options: Mapping[str, Any]
    served: bool = False


WHOLE = {"lora_rank": 0, "train_vision": True}
MODES = (
    TrainingMode(name="LoRA 32, ZeRO-1", options={"lora_rank": 32, "train_vision": False, "zero_stage": 1}),
    TrainingMode(name="all weights, ZeRO-1", options={**WHOLE, "zero_stage": 1}),
    TrainingMode(name="all weights, ZeRO-2", options={**WHOLE, "zero_stage": 2}),
    TrainingMode(
        name="all weights, ZeRO-2, optimiser in main memory",
        options={**WHOLE, "zero_stage": 2, "offload_optimizer": True},
    ),
    TrainingMode(
        name="all weights, ZeRO-3, rollouts by servers", options={**WHOLE, "zero_stage": 3}, served=True
    ),
)


def tables(planned: Sequence[Recipe], plan: Planner) -> str:
    """Both tables; ``plan`` plans one recipe."""
    return f"{recipe_table(planned, plan)}\n\n{mode_table(plan)}\n"


def recipe_table(planned: Sequence[Recipe], plan: Planner) -> str:
    """One row a recipe and phase."""
    rows = [
        [each.name, each.machine.name if each.machine else "", trains(each), phase.name, *_phase(phase)]
        for each in planned
        for phase in plan(each).phases
    ]
    heads = ["recipe", "devices", "trains", "phase", "GiB a device", "of which", "s an update"]
    return _markdown(heads, rows)


def mode_table(plan: Planner) -> str:
    """One row a model and mode: memory on one and on eight devices, and the fewest devices that hold it."""
    from model.training.model_shape import SHAPES
    from orchestration.recipes.registry import H100, RTX_4090, qwen3_vl_4b_24gb

    base, rows = qwen3_vl_4b_24gb(), []
    for model in SHAPES:
        for mode in MODES:
            recipe = replace(base, model=model, ggpo=replace(base.ggpo, **mode.options))
            peaks = [f"{_peak(recipe, mode, _many(H100, count), plan) / 2**30:.1f}" for count in (1, 8)]
            fewest = [_fewest(recipe, mode, machine, plan) for machine in (RTX_4090, H100)]
            rows.append([model, mode.name, *peaks, *fewest])
    return _markdown(
        ["model", "trains", "GiB on one device", "GiB on each of eight", "devices of 24 GB", "of 80 GB"], rows
    )


def trains(recipe: Recipe) -> str:
    """What of the model a recipe trains, in a few words."""
    ggpo = recipe.ggpo
    return f"LoRA {ggpo.lora_rank}" if ggpo.lora_rank else f"all, ZeRO-{ggpo.zero_stage}"


def _peak(recipe: Recipe, mode: TrainingMode, machine: Machine, plan: Planner) -> float:
    """Bytes of one device at the fullest; with servers only training happens on it."""
    found = plan(replace(recipe, machine=machine))
    return found.phases[-1].total_bytes if mode.served else found.peak_bytes


def _fewest(recipe: Recipe, mode: TrainingMode, machine: Machine, plan: Planner) -> str:
    room = KEPT_FREE * machine.memory_gib * 2**30
    enough = (n for n in COUNTS if _peak(recipe, mode, _many(machine, n), plan) <= room)
    return str(next(enough, f"none up to {COUNTS[-1]}"))


def _many(machine: Machine, count: int) -> Machine:
    return replace(machine, devices=count)


def _phase(phase: Any) -> list[str]:
    parts = ", ".join(f"{name} {size / 2**30:.1f}" for name, size in phase.parts)
    return [f"{phase.total_bytes / 2**30:.1f}", parts, f"{phase.seconds:,.0f}"]


def _markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
