"""``vimrag corpus``: raw datasets to items, questions and shards."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from app.options import Datasets, Json, Root, dataset_names
from app.output import as_json, note, results, shown_progress, table_console

if TYPE_CHECKING:
    from assets.corpus import CorpusReport

app = typer.Typer(help="Turn raw datasets into items, questions and shards.", no_args_is_help=True)

EPILOG = """[bold]Examples[/bold]

All datasets that lie in a folder, one folder each:

  vimrag corpus build --raw data --root runs/mine

Two of them, onto S3, for a script:

  vimrag corpus build --raw data --root s3://bucket/mine --datasets hotpotqa,squad --json

A dataset is replaced as a whole once its new build is finished. What cannot be read is skipped and counted by its reason; the
details lie in corpus/<dataset>/skipped.parquet."""


@app.callback()
def group() -> None:
    """Turn raw datasets into items, questions and shards."""


@app.command(epilog=EPILOG)
def build(
    raw: Annotated[
        Path,
        typer.Option(
            "--raw", envvar="VIMRAG_RAW", help="Folder with one folder a dataset.", show_default=False
        ),
    ],
    root: Root,
    datasets: Datasets = None,
    json: Json = False,
) -> None:
    """Build the corpus of every dataset found below --raw."""
    names = dataset_names(datasets)
    from assets.corpus import build_corpus
    from infra.storage import Storage

    with results() as write, shown_progress() as progress:
        report = build_corpus(raw, Storage(root), datasets=names, progress=progress)
        if json:
            write(as_json(report.to_json()))
            return
    console = table_console()
    console.print(f"corpus in {report.root}", soft_wrap=True)
    console.print(_table(report))
    note(f"next: vimrag index build --root {root}")


def _table(report: CorpusReport) -> Table:
    table = Table("dataset")
    for column in ("items", "questions", "folded", "skipped"):
        table.add_column(column, justify="right")
    table.add_column("reasons")
    for name, built in report.datasets.items():
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in built.skipped.items())
        counts = (built.items, built.questions, built.folded, sum(built.skipped.values()))
        table.add_row(name, *(f"{count:,}" for count in counts), reasons)
    return table
