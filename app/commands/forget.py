"""``vimrag forget``: a person's document out of everything."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from app.commands.options import JsonFlag, Root, refuse_typo
from app.commands.output import note, progress_bars, results
from app.errors import usage_errors


def forget(
    what: Annotated[
        list[str],
        typer.Argument(metavar="FILE|ID", help="Path, name or key of a file, or the id of an item of it."),
    ],
    root: Root,
    json: JsonFlag = False,
) -> None:
    r"""Take a document out of everything that was made of it, and look whether anything is left.

    [bold]Examples[/bold]

      vimrag forget ~/papers/letter.pdf --root runs/mine

    It leaves corpus, shards and index, every older version of them,
    conversations, trajectories, kept replies and reports; an uploaded copy
    is deleted, the file itself is not touched. Whoever reads an older
    release keeps it until he is done: run the command again then. One line
    in audit/forgotten.jsonl says that it was done, without a name or any
    content.

    Exit code 1 when a trace is left; each file that holds one is named.
    """
    from app.answers.forgetting.forget import forget as forget_files
    from infra.storage.root import Storage

    refuse_typo(root)
    with results() as write, progress_bars() as progress:
        with usage_errors():
            done = forget_files(Storage(root), what, progress)
        if json:
            write({**asdict(done), "whole": done.is_whole})
    for copy in done.copies:
        note(f"the same content was ingested from {copy} too and stays: name it as well")
    for holder in done.held_by:
        note(f"an older release is still read by {holder}: run this again when it has ended")
    for path in done.left:
        note(f"left: {path}")
    if not json:
        note(f"{done.items} items, {done.versions} versions and traces in {done.traces} other files are gone")
    if not done.is_whole:
        raise typer.Exit(1)
