"""``vimrag history``: conversations of the page: listed, read, saved, deleted."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from app.commands.options import JsonFlag, Root, command_group, refuse_typo
from app.commands.output import note, printable, results, table_console
from app.errors import UsageError

if TYPE_CHECKING:
    from app.answers.history.export import PictureOf
    from app.answers.history.store import History
    from infra.storage.root import Storage

app = command_group("Conversations that were kept: what was asked on the page, and what came of it.")
Conversation = Annotated[str, typer.Argument(metavar="ID", help="One of `vimrag history list`.")]
SIDE = 900  # pixels, of a picture in an exported page


@app.command("list")
def list_(
    root: Root,
    words: Annotated[str, typer.Option("--like", help="Only those that hold these words.")] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, max=200, help="List so many.")] = 50,
    json: JsonFlag = False,
) -> None:
    """Conversations, the latest first."""
    refuse_typo(root)
    with results() as write:
        page = _history(root).page(words=words, limit=limit)
        if json:
            write(page.model_dump())
            return
    if not page.rows:
        note("no conversation was kept" if not words else "no conversation holds these words")
        return
    table = Table("id", "latest", "questions", "first question", "state")
    for row in page.rows:
        latest = datetime.fromtimestamp(row.updated_s).strftime("%Y-%m-%d %H:%M")
        table.add_row(row.id, latest, str(row.turns), escape(printable(row.title)), row.state)
    table_console().print(table)


@app.command()
def show(conversation: Conversation, root: Root, json: JsonFlag = False) -> None:
    """One conversation as text."""
    export(conversation, root, form="json" if json else "md")


@app.command()
def export(
    conversation: Conversation,
    root: Root,
    form: Annotated[
        str, typer.Option("--form", help="md, html (with its pictures inside) or json.")
    ] = "html",
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Where to; standard output if not given.")
    ] = None,
) -> None:
    """Save a conversation as Markdown, as a page that needs nothing beside it, or as JSON."""
    from app.answers.history.export import FORMATS, exported
    from infra.storage.root import Storage

    refuse_typo(root)
    if form not in FORMATS:
        raise UsageError(f"unknown form {form!r}; there are {', '.join(FORMATS)}")
    if out is not None and out.exists():
        raise UsageError(f"{out} is there already; nothing is overwritten")
    try:
        found = _history(root).conversation(conversation)
    except KeyError:
        raise UsageError(f"no conversation {conversation[:80]!r}; see `vimrag history list`") from None
    data = exported(found, form, _pictures(Storage(root)))
    if out is None:
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
    else:
        out.write_bytes(data)
        note(f"{len(data):,} bytes in {out}")


@app.command()
def delete(
    conversation: Conversation,
    root: Root,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete a conversation; its words are overwritten."""
    refuse_typo(root)
    if not yes:
        typer.confirm(f"delete {conversation}?", abort=True, err=True)
    if not _history(root).delete(conversation):
        raise UsageError(f"no conversation {conversation[:80]!r}; see `vimrag history list`")
    note("deleted")


def _history(root: str) -> History:
    from app.answers.history.store import History
    from infra.storage.root import Storage

    return History.of(Storage(root))


def _pictures(storage: Storage) -> PictureOf:
    from app.answers.corpus_handle import CorpusHandle
    from app.answers.history.export import Picture
    from app.server.rendering import ImageRenderer, RenderRequest
    from infra.errors import ExternalError

    renderer, media = ImageRenderer(), CorpusHandle(storage).media()

    def picture(item_id: str, time_s: float | None) -> Picture | None:
        try:
            made = renderer.of(RenderRequest(item_id, time_s, SIDE, SIDE), media)
        except (KeyError, ExternalError):
            return None  # removed since
        return Picture(made.data, made.media_type)

    return picture
