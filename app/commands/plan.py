"""``vimrag plan``: what a recipe needs, before anything is started."""

from typing import Annotated

import typer
from rich.table import Table

from app.commands.options import JsonFlag
from app.commands.output import as_json, note, table_console
from app.commands.plan_table import tables, trains
from app.errors import UsageError
from infra.errors import unknown_name
from model.training.model_shape import SHAPES
from model.training.planning import ResourcePlan, UpdateLoad, resource_plan
from orchestration.recipes.options import Recipe
from orchestration.recipes.registry import RECIPES

SEGMENTS, PROMPT, GENERATED, LONGEST = 6.0, 4000, 400, 12_288
NOT_ON_GPU = "is made for any two CPU cores: docs/log.md has its measured times"


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
    shape = {
        "segments": segments,
        "prompt": prompt,
        "generated": generated,
        "longest": longest,
        "pruned": pruned,
    }
    names = [_known(recipe, list(RECIPES))] if recipe else list(RECIPES)
    recipes = [each for name in names if (each := RECIPES[name]()).machine is not None]
    if recipe and not recipes:
        raise UsageError(f"{recipe} {NOT_ON_GPU}")
    plans = [(each, plan_of(each, shape)) for each in recipes]
    if table:
        print(tables(recipes, lambda each: plan_of(each, shape)), end="")
    elif json:
        print(as_json({"plans": [_record(*each) for each in plans], **shape}))
    else:
        _show(plans)
    if not all(needed.fits for _, needed in plans):
        raise typer.Exit(1)


def plan_of(recipe: Recipe, shape: dict[str, float]) -> ResourcePlan:
    """The plan of a recipe for devices, with segments of that shape."""
    assert recipe.machine is not None, "only recipes with devices are planned"
    return resource_plan(SHAPES[recipe.model], recipe.ggpo.engine, _load(recipe, shape), recipe.machine)


def _load(recipe: Recipe, shape: dict[str, float]) -> UpdateLoad:
    ggpo = recipe.ggpo
    return UpdateLoad(
        rollouts=ggpo.questions * ggpo.algorithm.group_size,
        redrawn=ggpo.resamples,
        segments=shape["segments"],
        prompt=int(shape["prompt"]),
        generated=int(shape["generated"]),
        longest=int(shape["longest"]),
        token_budget=ggpo.schedule.token_budget,
        logit_tokens=ggpo.schedule.logit_tokens,
        concurrent=recipe.evaluation.concurrency,
        pruned=shape["pruned"],
    )


def _known(name: str, names: list[str]) -> str:
    if name not in names:
        raise UsageError(unknown_name("recipe", name, names, cutoff=0.4))
    return name


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
    table = Table("recipe", "devices", "trains", "phase", "GiB a device", "of which", "s an update")
    for recipe, needed in plans:
        assert recipe.machine is not None
        for number, phase in enumerate(needed.phases):
            head = (recipe.name, recipe.machine.name, trains(recipe)) if not number else ("", "", "")
            parts = ", ".join(f"{name} {size / 2**30:.1f}" for name, size in phase.parts)
            table.add_row(
                *head, phase.name, f"{phase.total_bytes / 2**30:.1f}", parts, f"{phase.seconds:,.0f}"
            )
        if not needed.fits:
            note(
                f"{recipe.name} does not fit: it needs {needed.peak_bytes / 2**30:.1f} GiB and a tenth to spare"
            )
    table_console().print(table)
    note("estimates; none of these recipes was run here")
