"""``vimrag retrieval``: how well the index finds the gold evidence of the benchmark questions."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from app.commands.options import Datasets, JsonFlag, Root, dataset_names
from app.commands.output import note, results, table_console

if TYPE_CHECKING:
    from assets.index.retrieval import RetrievalReport


class SearchScope(StrEnum):
    """Where each dataset's questions are searched."""

    OWN = "own"
    ALL = "all"


def retrieval(
    root: Root,
    scope: Annotated[
        SearchScope,
        typer.Option("--scope", help="own: among the dataset's own items; all: in the whole corpus."),
    ] = SearchScope.OWN,
    datasets: Datasets = None,
    json: JsonFlag = False,
) -> None:
    """Measure recall of gold evidence and mean reciprocal rank.

    [bold]Examples[/bold]

      vimrag retrieval --root runs/mine

      vimrag retrieval --root runs/mine --scope all --json

    Recall at k is the mean over questions of the found share of their gold items; questions without gold are left out.
    """
    names = dataset_names(datasets)
    from assets.index.retrieval import evaluate
    from infra.storage.root import Storage

    with results() as write:
        report = evaluate(Storage(root), scope=scope.value, datasets=names)
        if json:
            write(report.to_json())
    if not json:
        console = table_console()
        console.print(f"retrieval, scope {report.scope}", markup=False)
        console.print(_table(report))
    if report.stale:
        note(
            f"WARNING: built again since they were indexed: {', '.join(report.stale)}; next: vimrag index build --root {root}"
        )
    if not any(measured.questions for measured in report.datasets.values()):
        note("no question has gold evidence in the index")
        raise typer.Exit(1)


def _table(report: RetrievalReport) -> Table:
    table = Table("dataset")
    ks = list(next(iter(report.datasets.values())).recall) if report.datasets else []
    for column in ("items", "questions", *(f"recall@{k}" for k in ks), "MRR"):
        table.add_column(column, justify="right")
    for name, measured in report.datasets.items():
        shares = (*(measured.recall[k] for k in ks), measured.mrr)
        values = ("–" if share is None else f"{share:.3f}" for share in shares)
        table.add_row(name, f"{measured.items:,}", f"{measured.questions:,}", *values)
    return table
