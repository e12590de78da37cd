"""``vimrag sources``: the files that were ingested: what is known of them, and taking them out again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from app.commands.options import JsonFlag, Root, command_group, refuse_typo
from app.commands.output import note, printable, progress_bars, results, table_console
from app.errors import usage_errors

if TYPE_CHECKING:
    from app.answers.library.listing import SourceRecord

app = command_group("Your own files: what was read of each, and removing them.")
SHOWN = 50  # rows of the table

Files = Annotated[
    list[str],
    typer.Argument(metavar="FILE", help="Name, path, folder or key of files that were ingested."),
]


@app.command("list")
def list_(
    root: Root,
    words: Annotated[str, typer.Option("--like", help="Only files whose path holds these words.")] = "",
    unreadable: Annotated[
        bool, typer.Option("--unreadable", help="Only files that could not be read or were left out.")
    ] = False,
    offset: Annotated[int, typer.Option("--offset", min=0, help="Leave out so many.")] = 0,
    limit: Annotated[int, typer.Option("--limit", min=1, max=100_000, help="List so many.")] = SHOWN,
    json: JsonFlag = False,
) -> None:
    """The files that are searchable, and those that could not be read or were left out."""
    from app.answers.library.listing import MOST_ROWS, UNREADABLE, Library
    from infra.storage.root import Storage

    refuse_typo(root)
    with results() as write:
        library = Library(Storage(root))
        state = UNREADABLE if unreadable else ""
        rows: list[SourceRecord] = []
        while True:
            page = library.page(words=words, state=state, offset=offset + len(rows), limit=limit - len(rows))
            rows += page.rows
            if len(rows) >= limit or len(page.rows) < MOST_ROWS:
                break
        if json:
            whole = page.model_dump() | {"offset": offset, "rows": [row.model_dump() for row in rows]}
            write(whole)
    if json:
        return
    _show(rows)
    if left := page.total - offset - len(rows):
        note(f"{left:,} more: --offset {offset + len(rows)}, or --like WORDS")
    if page.pending:
        note(f"not all of them are searchable yet: vimrag ingest FILES --root {root} goes on")
    if not page.files:
        note(f"nothing was ingested: vimrag ingest FILES --root {root}")


@app.command()
def show(files: Files, root: Root, json: JsonFlag = False) -> None:
    """All that is known of some files."""
    from app.answers.library.changing import locations
    from app.answers.library.listing import Library
    from assets.user_files.paths import file_key
    from infra.storage.root import Storage

    refuse_typo(root)
    with results() as write:
        storage = Storage(root)
        with usage_errors():
            places = locations(storage, files)
        rows = Library(storage).records([file_key(place) for place in places])
        if json:
            write({"files": [row.model_dump() for row in rows]})
            return
    for row in rows:
        _describe(row)


@app.command()
def remove(
    files: Files,
    root: Root,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: JsonFlag = False,
) -> None:
    """Take files out of corpus and index. Your own files stay where they are; copies that were uploaded are deleted.

    Questions under way end with the files that they began with.
    """
    from app.answers.library import changing
    from infra.storage.root import Storage

    refuse_typo(root)
    storage = Storage(root)
    with usage_errors():
        places = changing.locations(storage, files)
    if not yes and not json:
        for place in places[:SHOWN]:
            note(place)
        typer.confirm(f"remove {len(places):,} file{'s' * (len(places) != 1)}?", abort=True, err=True)
    with results() as write, progress_bars() as progress:
        report = changing.remove(storage, places, progress)
        if json:
            write({"removed": places, "items": report.items})
    if not json:
        note(f"{len(places):,} removed; {report.items:,} items searchable in {report.root}")


def _show(rows: list[SourceRecord]) -> None:
    if not rows:
        return
    table = Table()
    table.add_column("file", overflow="fold")
    for heading in ("kind", "items", "kB", "state"):
        table.add_column(heading, justify="right" if heading in ("items", "kB") else "left", overflow="fold")
    for row in rows:
        name = f"{row.folder}/{row.name}" if row.folder else row.name
        size = "" if row.bytes is None else f"{(row.bytes + 999) // 1000:,}"
        state = _state(row)
        if row.remarks:
            state += f" ({len(row.remarks)} remark{'s' * (len(row.remarks) != 1)})"
        table.add_row(escape(printable(name)), row.kind, f"{row.items:,}", size, escape(printable(state)))
    table_console().print(table)


def _state(row: SourceRecord) -> str:
    state = row.state.replace("_", " ")
    return f"{state}: {row.reason}" if row.reason else state


def _describe(row: SourceRecord) -> None:
    console = table_console()
    facts = [
        ("path", row.path),
        ("key", row.key),
        ("kind", row.kind),
        ("items", f"{row.items:,}"),
        ("bytes", "" if row.bytes is None else f"{row.bytes:,}"),
        ("state", _state(row)),
        ("same content as", row.same_as or ""),
        *(("remark", remark) for remark in row.remarks),
    ]
    console.print(f"[bold]{escape(printable(row.name))}[/bold]")
    for name, value in facts:
        if value:
            console.print(f"  {name}: {printable(value)}", markup=False, soft_wrap=True)
