"""``vimrag index``: everything the corpus holds, made searchable."""

from typing import Annotated

import typer
from rich.table import Table

from app.commands.options import (
    Datasets,
    EngineName,
    JsonFlag,
    Root,
    Workers,
    command_group,
    dataset_names,
    engine_or_none,
)
from app.commands.output import note, progress_bars, results, table_console
from app.errors import UsageError

app = command_group("Make the corpus searchable.")

STORES = ("lance", "weaviate")
EPILOG = """[bold]Examples[/bold]

  vimrag index build --root runs/mine

  WEAVIATE_URL=http://localhost:8080 vimrag index build --root runs/mine --store weaviate

On Ray, four workers of this machine (pip install "vimrag\\[ray]"):

  vimrag index build --root runs/mine --engine ray --workers 4

Only new and changed items are embedded; readers keep the old index until the new one is complete. A build that was ended
goes on where it was. The engine changes no byte of the vectors. With VIMRAG_RAY_ADDRESS Ray is not started here but reached
there, where the workers must see the same root; VIMRAG_RAY_GPUS_PER_WORKER is the share of a GPU that each asks for."""


@app.command(epilog=EPILOG)
def build(
    root: Root,
    datasets: Datasets = None,
    store: Annotated[
        str, typer.Option("--store", help="lance (a folder of the root) or weaviate (a server).")
    ] = "lance",
    engine: EngineName = "local",
    workers: Workers = None,
    json: JsonFlag = False,
) -> None:
    """Index every finished corpus below --root."""
    names = dataset_names(datasets)
    if store not in STORES:
        raise UsageError(f"unknown store {store!r}: known are {', '.join(STORES)}")
    used = engine_or_none(engine, workers)
    from assets.index.build import build_index
    from assets.index.stores import IndexSettings
    from infra.storage.root import Storage

    with results() as write, progress_bars() as progress:
        report = build_index(
            Storage(root),
            IndexSettings(store=store, datasets=tuple(names) if names else None),
            engine=used,
            progress=progress,
        )
        if json:
            write(report.to_json())
            return
    table = Table("dataset")
    table.add_column("items", justify="right")
    for name, count in report.datasets.items():
        table.add_row(name, f"{count:,}")
    console = table_console()
    console.print(f"index {report.version}")
    console.print(table)
    note(f"{report.embedded:,} items embedded, {report.reused:,} taken over, {report.vanished:,} gone")
    note(f'next: vimrag search --root {root} "your question"')
