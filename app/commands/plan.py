"""``vimrag plan``: what a recipe needs, before anything is started."""

from typing import Annotated, NamedTuple

import typer
from rich.table import Table

from app.commands.options import JsonFlag
from app.commands.output import note, results, table_console
from app.commands.plan_table import RECIPE_HEADS, recipe_rows, tables
from app.errors import UsageError
from infra.errors import unknown_name
from model.training.model_shape import SHAPES
from model.training.planning import ResourcePlan, UpdateLoad, resource_plan
from orchestration.recipes.options import Recipe
from orchestration.recipes.registry import RECIPES

SEGMENTS, PROMPT, GENERATED, LONGEST = 6.0, 4000, 400, 12_288
NOT_ON_GPU = "is made for any two CPU cores: docs/log.md has its measured times"


class SegmentShape(NamedTuple):
    """How many segments a rollout has, their tokens, and the share that is pruned."""

    segments: float
    prompt: int
    generated: int
    longest: int
    pruned: float


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
    (docs/hardware.md says how far). Exit code 1 when the recipe does not fit its devices.
    """
    if table and json:
        raise UsageError("--table prints Markdown and --json prints JSON: choose one")
    if recipe is not None and recipe not in RECIPES:
        raise UsageError(unknown_name("recipe", recipe, RECIPES, cutoff=0.4))
    shape = SegmentShape(segments, prompt, generated, longest, pruned)
    chosen = [RECIPES[name]() for name in ([recipe] if recipe else RECIPES)]
    recipes = [planned for planned in chosen if planned.machine is not None]
    if recipe and not recipes:
        raise UsageError(f"{recipe} {NOT_ON_GPU}")
    plans = [(planned, plan_of(planned, shape)) for planned in recipes]
    with results() as write:
        if table:
            write(tables(plans, lambda planned: plan_of(planned, shape)))
        elif json:
            write({"plans": [_record(planned, needed) for planned, needed in plans], **shape._asdict()})
    if not table and not json:
        _show(plans)
    if not all(needed.fits for _, needed in plans):
        raise typer.Exit(1)


def plan_of(recipe: Recipe, shape: SegmentShape) -> ResourcePlan:
    """The plan of a recipe for devices, with segments of that shape."""
    assert recipe.machine is not None, "only recipes with devices are planned"
    ggpo = recipe.ggpo
    load = UpdateLoad(
        rollouts=ggpo.questions * ggpo.algorithm.group_size,
        redrawn=ggpo.resamples,
        token_budget=ggpo.schedule.token_budget,
        logit_tokens=ggpo.schedule.logit_tokens,
        concurrent=recipe.evaluation.concurrency,
        **shape._asdict(),
    )
    return resource_plan(SHAPES[recipe.model], ggpo.engine, load, recipe.machine)


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
            }
            for phase in needed.phases
        ],
    }


def _show(plans: list[tuple[Recipe, ResourcePlan]]) -> None:
    table = Table(*RECIPE_HEADS)
    for recipe, needed in plans:
        for number, row in enumerate(recipe_rows(recipe, needed)):
            table.add_row(*(row if number == 0 else ["", "", "", *row[3:]]))
        if not needed.fits:
            note(
                f"{recipe.name} does not fit: it needs {needed.peak_bytes / 2**30:.1f} GiB and a tenth to spare"
            )
    table_console().print(table)
    note("estimates; none of these recipes was run here")
