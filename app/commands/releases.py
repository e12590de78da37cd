"""``vimrag releases``: what was published and belongs together, whether it is whole, going back, and making room."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from app.commands.options import JsonFlag, Root, command_group, refuse_typo
from app.commands.output import note, progress_bars, results, table_console

if TYPE_CHECKING:
    from assets.index.releases import Release

app = command_group("Releases: an index, the corpora it was built from and their media, used as one.")

Version = Annotated[
    str | None, typer.Argument(help="One of `vimrag releases list`; by default the current one.")
]
Other = Annotated[
    str | None,
    typer.Argument(help="One of `vimrag releases list`; by default the newest that is not the current one."),
]
KIB, MIB = 1 << 10, 1 << 20


@app.command("list")
def list_(root: Root, json: JsonFlag = False) -> None:
    """The releases that are there, the newest first; the current one is marked."""
    from assets.index.published import nothing_published
    from assets.index.releases import releases
    from infra.storage.root import Storage

    refuse_typo(root)
    with results() as write:
        storage = Storage(root)
        known = releases(storage)
        if json:
            write({"releases": [each.to_json() for each in known]})
            return
    if not known:
        note(nothing_published(storage))
        return
    table = Table("release", "store", "items", "size", "", "read by")
    for each in known:
        items = f"{sum(each.datasets.values()):,}"
        mark = "current" if each.is_current else ""
        table.add_row(each.version, each.store, items, _size(each.bytes), mark, "; ".join(each.readers))
    table_console().print(table)


@app.command()
def show(root: Root, version: Version = None, json: JsonFlag = False) -> None:
    """What belongs to a release: datasets, folders, readers."""
    from assets.index.releases import release
    from infra.storage.root import Storage

    refuse_typo(root)
    with results() as write:
        shown = release(Storage(root), version)
        if json:
            write(shown.to_json())
            return
    _show(shown)


@app.command()
def verify(root: Root, version: Version = None, json: JsonFlag = False) -> None:
    """Read every byte of a release and compare it with what was published; exit code 1 if anything is wrong."""
    from assets.index.releases import release
    from assets.index.releases import verify as faults_of
    from infra.storage.root import Storage

    refuse_typo(root)
    with results() as write, progress_bars() as progress:
        storage = Storage(root)
        checked = release(storage, version)
        faults = faults_of(storage, checked.version, progress)
        if json:
            write({"version": checked.version, "faults": faults})
    for fault in () if json else faults:
        note(fault)
    if faults:
        raise typer.Exit(1)
    if not json:
        note(f"release {checked.version} is whole: {_size(checked.bytes)} read")


@app.command()
def rollback(root: Root, version: Other = None, json: JsonFlag = False) -> None:
    """Make another release the current one, by default the newest that is not; nothing is built and nothing is lost."""
    _use(root, version, json=json)


@app.command()
def promote(
    root: Root,
    version: Annotated[str, typer.Argument(help="One of `vimrag releases list`.")],
    json: JsonFlag = False,
) -> None:
    """Make the release named the current one."""
    _use(root, version, json=json)


@app.command()
def gc(
    root: Root,
    keep_hours: Annotated[
        float, typer.Option("--keep-hours", min=0.0, help="How long a release stays that was replaced.")
    ] = 1.0,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would go, and remove nothing.")
    ] = False,
    json: JsonFlag = False,
) -> None:
    """Remove what nobody uses: never the current release, the one before, what is read, or what is young."""
    from assets.index.releases import release
    from assets.index.retention import collect
    from infra.storage.lock import only_writer
    from infra.storage.root import Storage

    refuse_typo(root)
    with results() as write:
        storage = Storage(root)
        release(storage)  # where nothing was published there is nothing to remove, and no folder is made
        with only_writer(storage, "index"):
            removed = collect(storage, keep_s=keep_hours * 3600, dry_run=dry_run)
        if json:
            write(
                {"removed": [{"path": each.path, "bytes": each.size} for each in removed], "dry_run": dry_run}
            )
            return
    for each in removed:
        note(f"{each.path}: {_size(each.size)}")
    if not removed:
        note("nothing goes: all that is there is used or young")
        return
    total = _size(sum(each.size for each in removed))
    note(f"{len(removed)} folders with {total} {'would go' if dry_run else 'removed'}")


def _use(root: str, version: str | None, *, json: bool) -> None:
    from assets.index.published import roll_back
    from assets.index.releases import release
    from infra.storage.root import Storage

    refuse_typo(root)
    with results() as write:
        storage = Storage(root)
        used = release(storage, roll_back(storage, version).version)
        if json:
            write(used.to_json())
            return
    note(f"release {used.version} is current, with {sum(used.datasets.values()):,} items")


def _size(size: int) -> str:
    """Bytes for people; a small release is not nothing."""
    return f"{size / MIB:,.1f} MiB" if size >= MIB else f"{size / KIB:,.1f} KiB"


def _show(shown: Release) -> None:
    table = Table("dataset")
    table.add_column("items", justify="right")
    for name, count in shown.datasets.items():
        table.add_row(name, f"{count:,}")
    console = table_console()
    current = ", current" if shown.is_current else ""
    console.print(f"release {shown.version} in {shown.store}{current}, {_size(shown.bytes)}", markup=False)
    console.print(table)
    for folder in shown.artifacts:
        console.print(folder, markup=False)
    for reader in shown.readers:
        console.print(f"read by {reader}", markup=False)
