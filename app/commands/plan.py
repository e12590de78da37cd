"""``vimrag plan``: what a recipe needs, before anything is started; with ``--table`` as the tables of docs/hardware.md.

A test compares that page with what is printed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from app.commands.options import JsonFlag
from app.commands.output import note, results, table_console
from app.errors import UsageError
from infra.errors import unknown_name
from model.config.engine import EngineConfig, Hardware, Lora
from model.training.calibration import NOTHING_MEASURED, Basis, Calibration, read_calibration
from model.training.model_shape import SHAPES
from model.training.planning import USABLE_SHARE, PhasePlan, ResourcePlan
from orchestration.recipes.gpu import DEVICES, H100, RTX_4090, qwen3_vl_4b_24gb
from orchestration.recipes.options import Recipe
from orchestration.recipes.planned import SegmentShape, plan_of
from orchestration.recipes.registry import RECIPES

SEGMENTS, PROMPT, GENERATED, LONGEST, _ = SegmentShape()
NOT_ON_GPU = "is made for any two CPU cores: docs/log.md has its measured times"
Planner = Callable[[Recipe], ResourcePlan]
COUNTS = (1, 2, 4, 8, 16, 32, 64)
RECIPE_HEADS = ("recipe", "devices", "trains", "phase", "GiB a device", "of which", "s an update")
MARK = {Basis.MEASURED: "*", Basis.PLANNED: "", Basis.UNKNOWN: "?"}
LEGEND = "* measured on this device with this model and mode; unmarked: planned; ? unknown, counted nowhere"

ZERO_1 = EngineConfig(zero_stage=1, bf16=True, gradient_checkpointing=True)
MODES: Mapping[str, EngineConfig] = {
    "LoRA 32, ZeRO-1": replace(ZERO_1, lora=Lora(rank=32, alpha=64), train_vision=False),
    "all weights, ZeRO-1": ZERO_1,
    "all weights, ZeRO-2": replace(ZERO_1, zero_stage=2),
    "all weights, ZeRO-2, optimiser in main memory": replace(ZERO_1, zero_stage=2, offload_optimizer=True),
    "all weights, ZeRO-3, rollouts by servers": replace(ZERO_1, zero_stage=3),
}


def plan(  # noqa: PLR0913 - one parameter an option
    recipe: Annotated[
        str | None, typer.Argument(help="Name of a recipe; without it, all of them.", show_default=False)
    ] = None,
    segments: Annotated[float, typer.Option("--segments", min=1, help="Segments of a rollout.")] = SEGMENTS,
    prompt: Annotated[int, typer.Option("--prompt", min=1, help="Tokens of a prompt, mean.")] = PROMPT,
    generated: Annotated[
        int, typer.Option("--generated", min=1, help="Generated tokens of a segment, mean.")
    ] = GENERATED,
    longest: Annotated[
        int, typer.Option("--longest", min=1, help="Tokens of the longest segment.")
    ] = LONGEST,
    pruned: Annotated[float, typer.Option("--pruned", min=0, max=1, help="Share that GGPO prunes.")] = 0.0,
    calibration: Annotated[
        Path | None,
        typer.Option(
            "--calibration",
            envvar="VIMRAG_CALIBRATION",
            help="Measured figures: the calibration.json of benchmarks/gpu/run.py.",
            show_default=False,
        ),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option("--device", help=f"Plan for others: {', '.join(DEVICES)}.", show_default=False),
    ] = None,
    table: Annotated[
        bool,
        typer.Option("--table", help="Markdown: the tables of docs/hardware.md, and the fewest devices."),
    ] = False,
    json: JsonFlag = False,
) -> None:
    r"""Show memory and time by phase of a recipe for real models, from the model's shape.

    [bold]Examples[/bold]

      vimrag plan

      vimrag plan qwen3_vl_8b_8x80gb --longest 24576 --json

      vimrag plan --table

    Arithmetic: weights, gradients, optimiser and activations agree with tiny models that were measured, times are estimates
    (docs/hardware.md says how far). With --calibration measured figures take the place of assumptions, and each figure is
    marked: measured, planned or unknown. Exit code 1 when the recipe does not fit its devices.
    """
    if table and json:
        raise UsageError("--table prints Markdown and --json prints JSON: choose one")
    if recipe is not None and recipe not in RECIPES:
        raise UsageError(unknown_name("recipe", recipe, RECIPES, cutoff=0.4))
    shape = SegmentShape(segments, prompt, generated, longest, pruned)
    chosen = [RECIPES[name]() for name in ([recipe] if recipe else RECIPES)]
    recipes = [on_device(planned, device) for planned in chosen if planned.machine is not None]
    known = _calibration(calibration)
    if recipe and not recipes:
        raise UsageError(f"{recipe} {NOT_ON_GPU}")
    plans = [(planned, plan_of(planned, shape, known)) for planned in recipes]
    with results() as write:
        if table:
            write(tables(plans, lambda planned: plan_of(planned, shape, known)))
        elif json:
            records = [_record(planned, needed) for planned, needed in plans]
            write(
                {"plans": records, **shape._asdict(), "calibration": asdict(known) if known.device else None}
            )
    if not table and not json:
        _show(plans, known)
    if not all(needed.fits for _, needed in plans):
        raise typer.Exit(1)


def _calibration(path: Path | None) -> Calibration:
    if path is None:
        return NOTHING_MEASURED
    try:
        known = read_calibration(path)
    except ValueError as error:
        raise UsageError(str(error)) from None
    if known.toy:
        raise UsageError(
            f"{path} was made by a dry run: its figures mean nothing; run the benchmark on a GPU"
        )
    return known


def on_device(recipe: Recipe, device: str | None) -> Recipe:
    """The recipe on as many devices of another kind; as it is without one."""
    if device is None:
        return recipe
    if device not in DEVICES:
        raise UsageError(unknown_name("device", device, DEVICES, cutoff=0.3))
    assert recipe.machine is not None, "only recipes with devices are planned"
    kind, count = DEVICES[device], recipe.machine.devices
    return replace(recipe, machine=replace(kind, devices=count, name=kind.name.replace("1x", f"{count}x", 1)))


def _record(recipe: Recipe, needed: ResourcePlan) -> dict[str, object]:
    assert recipe.machine is not None
    return {
        "recipe": recipe.name,
        "model": recipe.model,
        "machine": recipe.machine.name,
        "memory_gib": recipe.machine.memory_gib,
        "fits": needed.fits,
        "peak_bytes": needed.peak_bytes,
        "host_bytes": needed.host_bytes,
        "seconds_per_update": needed.seconds,
        "phases": [
            {
                "phase": phase.name,
                "bytes": phase.total_bytes,
                "parts": dict(phase.parts),
                "seconds": phase.seconds,
                "basis": {name: phase.basis(name) for name in (*dict(phase.parts), "seconds")}
                | dict.fromkeys(phase.unknown, Basis.UNKNOWN),
            }
            for phase in needed.phases
        ],
    }


def _show(plans: list[tuple[Recipe, ResourcePlan]], known: Calibration) -> None:
    table = Table(*RECIPE_HEADS)
    for recipe, needed in plans:
        for number, row in enumerate(recipe_rows(recipe, needed)):
            table.add_row(*(row if number == 0 else ["", "", "", *row[3:]]))
        if not needed.fits:
            note(
                f"{recipe.name} does not fit: it needs {needed.peak_bytes / 2**30:.1f} GiB and a tenth to spare"
            )
    table_console().print(table)
    note(LEGEND)
    note(
        f"figures measured on {known.device} ({known.made_from}); none of these recipes was run as a whole"
        if known.device
        else "nothing is measured: estimates; none of these recipes was run here"
    )


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
            parts_text(phase),
            f"{phase.seconds:,.0f}{MARK[phase.basis('seconds')]}",
        ]
        for phase in needed.phases
    ]


def parts_text(phase: PhasePlan) -> str:
    """GiB by part, each with its mark."""
    known = [f"{name} {size / 2**30:.1f}{MARK[phase.basis(name)]}" for name, size in phase.parts]
    return ", ".join([*known, *(f"{name} {MARK[Basis.UNKNOWN]}" for name in phase.unknown)])


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
