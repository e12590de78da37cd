"""The hardware tables of docs/hardware.md as Markdown: every recipe by phase, and the fewest devices for each way to train.

``vimrag plan --table`` prints them; a test compares the page with them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from model.config.engine import EngineConfig, Hardware, Lora
from model.training.model_shape import SHAPES
from model.training.planning import USABLE_SHARE, ResourcePlan
from orchestration.recipes.gpu import H100, RTX_4090, qwen3_vl_4b_24gb
from orchestration.recipes.options import Recipe

Planner = Callable[[Recipe], ResourcePlan]
COUNTS = (1, 2, 4, 8, 16, 32, 64)
RECIPE_HEADS = ("recipe", "devices", "trains", "phase", "GiB a device", "of which", "s an update")

ZERO_1 = EngineConfig(zero_stage=1, bf16=True, gradient_checkpointing=True)
MODES: Mapping[str, EngineConfig] = {
    "LoRA 32, ZeRO-1": replace(ZERO_1, lora=Lora(rank=32, alpha=64), train_vision=False),
    "all weights, ZeRO-1": ZERO_1,
    "all weights, ZeRO-2": replace(ZERO_1, zero_stage=2),
    "all weights, ZeRO-2, optimiser in main memory": replace(ZERO_1, zero_stage=2, offload_optimizer=True),
    "all weights, ZeRO-3, rollouts by servers": replace(ZERO_1, zero_stage=3),
}


def tables(plans: Sequence[tuple[Recipe, ResourcePlan]], plan: Planner) -> str:
    """The ``plans`` by phase, and the modes as ``plan`` plans them."""
    rows = [row for recipe, needed in plans for row in recipe_rows(recipe, needed)]
    return f"{_markdown(RECIPE_HEADS, rows)}\n\n{mode_table(plan)}"


def recipe_rows(recipe: Recipe, needed: ResourcePlan) -> list[list[str]]:
    """One row a phase, below ``RECIPE_HEADS``."""
    engine = recipe.ggpo.engine
    trains = f"LoRA {engine.lora.rank}" if engine.lora else f"all, ZeRO-{engine.zero_stage}"
    head = [recipe.name, recipe.machine.name if recipe.machine else "", trains]
    return [
        [
            *head,
            phase.name,
            f"{phase.total_bytes / 2**30:.1f}",
            ", ".join(f"{name} {size / 2**30:.1f}" for name, size in phase.parts),
            f"{phase.seconds:,.0f}",
        ]
        for phase in needed.phases
    ]


def mode_table(plan: Planner) -> str:
    """One row a model and mode: memory on one and on eight devices, and the fewest devices that hold it."""
    base, rows = qwen3_vl_4b_24gb(), []
    for model in SHAPES:
        for mode, engine in MODES.items():
            recipe = replace(base, model=model, ggpo=replace(base.ggpo, engine=engine))
            peaks = [f"{_peak(recipe, H100, count, plan) / 2**30:.1f}" for count in (1, 8)]
            rows.append(
                [model, mode, *peaks, *(_fewest(recipe, device, plan) for device in (RTX_4090, H100))]
            )
    return _markdown(
        ["model", "trains", "GiB on one device", "GiB on each of eight", "devices of 24 GB", "of 80 GB"], rows
    )


def _peak(recipe: Recipe, device: Hardware, count: int, plan: Planner) -> float:
    """Bytes of one of ``count`` devices at the fullest; with ZeRO-3 servers roll out, so that only training happens on them."""
    planned = plan(replace(recipe, machine=replace(device, devices=count)))
    return planned.phases[-1].total_bytes if recipe.ggpo.engine.zero_stage == 3 else planned.peak_bytes


def _fewest(recipe: Recipe, device: Hardware, plan: Planner) -> str:
    room = USABLE_SHARE * device.memory_gib * 2**30
    enough = (count for count in COUNTS if _peak(recipe, device, count, plan) <= room)
    return str(next(enough, f"none up to {COUNTS[-1]}"))


def _markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
