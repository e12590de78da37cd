"""``vimrag index``: everything the corpus holds, made searchable."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

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
from app.errors import usage_errors

if TYPE_CHECKING:
    from assets.index.build import IndexReport
    from assets.index.settings import IndexSettings

app = command_group("Make the corpus searchable.")

EPILOG = """[bold]Examples[/bold]

  vimrag index build --root runs/mine

  WEAVIATE_URL=http://localhost:8080 vimrag index build --root runs/mine --store weaviate

With an embedder that sees pages, pictures and clips (docs/retrieval.md says which):

  vimrag index build --root runs/mine --vision models/Qwen3-VL-Embedding-2B

On Ray, four workers of this machine (pip install "vimrag\\[ray]"):

  vimrag index build --root runs/mine --engine ray --workers 4

What is not named stays as in the index in use, or is the default. Only new and changed items are embedded; readers keep the
old index until the new one is complete, and `vimrag releases rollback` takes them back to it. A build that was ended goes on
where it was. The engine changes no byte of the vectors. With VIMRAG_RAY_ADDRESS Ray is not started here but reached there,
where the workers must see the same root; VIMRAG_RAY_GPUS_PER_WORKER is the share of a GPU that each asks for."""


@app.command(epilog=EPILOG)
def build(  # noqa: PLR0913 - each option is one of the command line
    root: Root,
    datasets: Datasets = None,
    store: Annotated[
        str | None, typer.Option("--store", help="lance (a folder of the root) or weaviate (a server).")
    ] = None,
    embedder: Annotated[
        str | None, typer.Option("--embedder", help="Of words: minilm, a model's folder, or an address.")
    ] = None,
    vision: Annotated[
        str | None,
        typer.Option(
            "--vision", help="Of pages, pictures and clips: a folder, an address, miniature, or none."
        ),
    ] = None,
    quantizer: Annotated[
        str | None, typer.Option("--quantizer", help="Of a new collection on a server: none, rq, sq or bq.")
    ] = None,
    engine: EngineName = "local",
    workers: Workers = None,
    json: JsonFlag = False,
) -> None:
    """Index every finished corpus below --root."""
    names = dataset_names(datasets)
    used = engine_or_none(engine, workers)
    from assets.index.build import build_index
    from infra.storage.root import Storage

    storage = Storage(root)
    named = {"store": store, "embedder": embedder, "vision": vision, "quantizer": quantizer}
    settings = replace(_settings(storage, named), datasets=tuple(names) if names else None)
    with results() as write, progress_bars() as progress:
        report = build_index(storage, settings, engine=used, progress=progress)
        if json:
            write(report.to_json())
            return
    _show(report)
    note(f'next: vimrag search --root {root} "your question"')


def _settings(storage: Any, named: dict[str, str | None]) -> IndexSettings:
    """The choices of the index in use, with those that were named instead."""
    from assets.index.published import remembered_settings
    from assets.index.settings import vision_config
    from infra.embedders.config import embedder_config

    changes: dict[str, Any] = {name: value for name, value in named.items() if value is not None}
    with usage_errors():
        if "embedder" in changes:
            changes["embedder"] = embedder_config(changes["embedder"])
        if "vision" in changes:
            changes["vision"] = vision_config(storage, changes["vision"])
        return replace(remembered_settings(storage), **changes)


def _show(report: IndexReport) -> None:
    table = Table("dataset")
    table.add_column("items", justify="right")
    for name, count in report.datasets.items():
        table.add_row(name, f"{count:,}")
    console = table_console()
    console.print(f"index {report.version} in {report.store}", markup=False)
    console.print(table)
    note(f"{report.embedded:,} items embedded, {report.reused:,} taken over, {report.vanished:,} gone")
    for space, count in report.unseen.items():
        if count:
            note(
                f"{count:,} items are not in the space of {space}s: their pixels could not be read or embedded"
            )
