"""``vimrag search``: the best items for one question."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from app.commands.options import Datasets, JsonFlag, Root, dataset_names
from app.commands.output import note, results, table_console
from app.errors import UsageError

if TYPE_CHECKING:
    from assets.index.search import IndexHit

SNIPPET_CHARS = 280


def search(
    question: Annotated[str, typer.Argument(help="What to look for, in plain words.", show_default=False)],
    root: Root,
    top_k: Annotated[int, typer.Option("--top-k", min=1, max=1000, help="Most items to show.")] = 5,
    datasets: Datasets = None,
    json: JsonFlag = False,
) -> None:
    r"""Show the items that fit a question best, by words and by meaning.

    [bold]Examples[/bold]

      vimrag search --root runs/mine "When was the Harbour Museum founded?"

      vimrag search --root runs/mine --top-k 20 --datasets mmlongbench_doc --json "dial reading"

    Exit code 1 when nothing is found. Scores compare the hits of one search only.
    """
    names = dataset_names(datasets)
    question = question.encode("utf-8", "surrogateescape").decode(
        "utf-8", "replace"
    )  # a terminal of another encoding
    if not question.strip():
        raise UsageError("the question is empty")
    from assets.index.published import open_index
    from infra.storage.root import Storage
    from infra.vector_stores.types import RowFilter

    with results() as write:
        hits = open_index(Storage(root)).search(question, top_k, RowFilter.of_scopes(names))
        if json:
            write({"hits": [hit.to_json() for hit in hits]})
    if not json:
        _show(hits)
    if not hits:
        raise typer.Exit(1)


def _show(hits: list[IndexHit]) -> None:
    if not hits:
        note("nothing found")
    console = table_console()
    for rank, hit in enumerate(hits, start=1):
        text = " ".join(hit.text.split())
        cut = text if len(text) <= SNIPPET_CHARS else f"{text[:SNIPPET_CHARS]}…"
        console.print(f"[bold]{rank:>2}  {escape(hit.title or hit.item_id)}[/bold]")
        console.print(
            f"    [dim]{hit.score:.3f}  {hit.modality}  {escape(hit.item_id)}[/dim]", soft_wrap=True
        )
        if cut:
            console.print(f"    {escape(cut)}")
