"""``vimrag report``: the result table of a finished run, and where its page lies."""

from __future__ import annotations

import json as json_library
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from app.commands.options import JsonFlag, Root
from app.commands.output import note, results, table_console

if TYPE_CHECKING:
    from infra.reporting.report import Estimate, Report
    from infra.storage.root import Storage

CLAIMS = ("what was trained", "it moved by", "what that means")
"""Facts of a report that a reader of the table needs too."""
NEXT_STEPS = """
try next:
  .venv/bin/vimrag search --root {root} "Who is the leader of the team?"
  .venv/bin/vimrag retrieval --root {root}
  DAGSTER_HOME=$PWD/.dagster .venv/bin/dagster dev -w workspace.yaml"""


def report(
    root: Root,
    run: Annotated[str, typer.Option("--run", help="Name of the run: that of its recipe.")] = "quickstart",
    json: JsonFlag = False,
) -> None:
    """Show method by benchmark with 95 % intervals, and before against after GGPO.

    [bold]Example[/bold]

      vimrag report --root runs/quickstart
    """
    from infra.storage.root import Storage

    storage = Storage(root)
    data = _read(storage.path("reports", run, "report.json"), storage, run)
    page = storage.path("reports", run, "index.html")
    with results() as write:
        if json:
            write({**json_library.loads(data.to_json()), "page": page})
            return
    console = table_console()
    console.print(_table(data))
    for pair in data.comparisons:
        console.print(pair.line, markup=False)
    for name, value in data.facts:
        if name in CLAIMS:
            console.print(f"{name}: {value}", soft_wrap=True, markup=False)
    console.print(f"\nreport with plots: {page}", soft_wrap=True, markup=False)
    note(NEXT_STEPS.format(root=root))


def _read(path: str, storage: Storage, run: str) -> Report:
    from infra.reporting.report import Report

    if not storage.exists(path):
        raise ValueError(
            f"no report of run {run!r} at {path}; make it with: dagster job execute -m orchestration.definitions -j evaluate"
        )
    try:
        return Report.from_json(storage.read_bytes(path))
    except ValueError as error:
        raise ValueError(f"damaged report {path}: {error}; make it again") from error


def _table(data: Report) -> Table:
    table = Table(
        "correct answers, %",
        title=data.title,
        caption=data.summary,
        title_justify="left",
        caption_justify="left",
    )
    for name in (*data.benchmarks, "overall"):
        table.add_column(name, justify="right")
    for row in data.methods:
        cells = [row.cells.get(name) for name in data.benchmarks]
        table.add_row(row.name, *map(_cell, (*cells, row.overall)))
    return table


def _cell(estimate: Estimate | None) -> str:
    if estimate is None or estimate.value is None:
        return "–"
    low, high = estimate.low, estimate.high
    interval = "" if low is None or high is None else f"\n[dim]{100 * low:.0f}–{100 * high:.0f}[/dim]"
    return f"{100 * estimate.value:.1f}{interval}"
