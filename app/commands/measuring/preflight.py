"""``vimrag preflight``: whether a recipe can run over a root, before any device hour."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from app.commands.options import JsonFlag, Root, refuse_typo
from app.commands.output import note, printable, results, table_console
from app.errors import UsageError
from infra.errors import unknown_name

if TYPE_CHECKING:
    from orchestration.preflight.types import PreflightReport


def preflight(
    recipe: Annotated[str, typer.Argument(help="Name of a recipe; `vimrag plan` lists them.")],
    root: Root,
    probes: Annotated[
        bool,
        typer.Option("--probes", help="Ask the index its probe questions too, which loads its embedder."),
    ] = False,
    json: JsonFlag = False,
) -> None:
    r"""Look at every piece of a run, in seconds: all that is missing at once, each with what helps.

    [bold]Examples[/bold]

      vimrag preflight published_tiny --root runs/real

      VIMRAG_JUDGE_ENDPOINT=http://127.0.0.1:8001/v1 vimrag preflight qwen3_vl_8b_8x80gb --root /data/run

    Questions that train, choose and measure; the media of their evidence; the index and its embedder, and with --probes its
    answers; the weights to start from; folders, disk, devices and hours; the judge, and servers that roll out, which are shown a
    picture. The jobs cold_start and train_ggpo begin with the same, probes included. Exit code 1 if anything is missing.
    """
    from infra.storage.root import Storage
    from orchestration.preflight.run import preflight as look
    from orchestration.recipes.registry import RECIPES

    if recipe not in RECIPES:
        raise UsageError(unknown_name("recipe", recipe, RECIPES, cutoff=0.4))
    refuse_typo(root)
    with results() as write:
        report = look(Storage(root), RECIPES[recipe](), probes=probes)
        if json:
            write(report.to_json())
    if not json:
        _show(report)
    if not report.passed:
        raise typer.Exit(1)


def _show(report: PreflightReport) -> None:
    table = Table("what", "state", "found", "what helps")
    for check in report.checks:
        state = "[green]ok[/]" if check.passed else "[red]failed[/]"
        table.add_row(check.name, state, escape(printable(check.detail)), escape(printable(check.remedy)))
    table_console().print(table)
    faults = len(report.faults)
    said = "every piece is there" if not faults else f"{faults} fault{'s' if faults > 1 else ''}"
    note(f"{report.recipe} at {report.root}: {said}, looked at in {report.seconds:.1f} s")
