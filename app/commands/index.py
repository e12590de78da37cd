"""``vimrag index``: everything the corpus holds, made searchable; which versions there are, and going back to one."""

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
    from assets.index.published import IndexPointer
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
old index until the new one is complete, and `vimrag index rollback` takes them back to it. A build that was ended goes on
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


@app.command()
def versions(root: Root, json: JsonFlag = False) -> None:
    """List the versions that are there, the newest first; the one in use is marked."""
    from assets.index.published import current_index
    from assets.index.published import versions as there
    from infra.storage.root import Storage

    with results() as write:
        storage = Storage(root)
        in_use, pointers = current_index(storage), there(Storage(root))
        if json:
            write({"in_use": in_use and in_use.version, "versions": [_row(pointer) for pointer in pointers]})
            return
    table = Table("version", "store", "items", "spaces", "")
    for pointer in pointers:
        mark = "in use" if in_use and pointer.version == in_use.version else ""
        items = f"{sum(pointer.datasets.values()):,}"
        table.add_row(pointer.version, pointer.store, items, ", ".join(pointer.embedders), mark)
    table_console().print(table)


@app.command()
def rollback(
    root: Root,
    version: Annotated[
        str | None, typer.Argument(help="One of `vimrag index versions`; by default the newest not in use.")
    ] = None,
    json: JsonFlag = False,
) -> None:
    """Make an earlier version the index in use; nothing is built and nothing is lost."""
    from assets.index.published import roll_back
    from infra.storage.root import Storage

    with results() as write:
        pointer = roll_back(Storage(root), version)
        if json:
            write(_row(pointer))
            return
    note(f"index {pointer.version} is in use, with {sum(pointer.datasets.values()):,} items")


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


def _row(pointer: IndexPointer) -> dict[str, Any]:
    return {
        "version": pointer.version,
        "store": pointer.store,
        "items": sum(pointer.datasets.values()),
        "spaces": sorted(pointer.embedders),
        "fingerprint": pointer.fingerprint,
    }


def _show(report: IndexReport) -> None:
    table = Table("dataset")
    table.add_column("items", justify="right")
    for name, count in report.datasets.items():
        table.add_row(name, f"{count:,}")
    console = table_console()
    console.print(f"index {report.version} in {report.store}")
    console.print(table)
    note(f"{report.embedded:,} items embedded, {report.reused:,} taken over, {report.vanished:,} gone")
    for space, count in report.unseen.items():
        if count:
            note(
                f"{count:,} items are not in the space of {space}s: their pixels could not be read or embedded"
            )
