"""``vimrag search``: the best items for one question or one picture."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from app.commands.options import Datasets, JsonFlag, Root, dataset_names
from app.commands.output import note, results, table_console
from app.errors import UsageError
from assets.corpus.item import Modality

if TYPE_CHECKING:
    from PIL import Image

    from assets.index.search import IndexHit

SNIPPET_CHARS = 280


def search(  # noqa: PLR0913 - each option is one of the command line
    root: Root,
    question: Annotated[
        str | None, typer.Argument(help="What to look for, in plain words.", show_default=False)
    ] = None,
    image: Annotated[
        Path | None, typer.Option("--image", help="A picture to look for, instead of a question.")
    ] = None,
    top_k: Annotated[int, typer.Option("--top-k", min=1, max=1000, help="Most items to show.")] = 5,
    datasets: Datasets = None,
    modality: Annotated[
        Modality | None, typer.Option("--modality", help="Only text, image (pages too) or video.")
    ] = None,
    parent: Annotated[
        str | None, typer.Option("--in", help="Only in this file, deck or video, by the name hits show.")
    ] = None,
    first: Annotated[
        float | None, typer.Option("--from", min=0, help="Not before this page, or this second of a video.")
    ] = None,
    last: Annotated[
        float | None, typer.Option("--to", min=0, help="Not after this page, or this second of a video.")
    ] = None,
    json: JsonFlag = False,
) -> None:
    r"""Show the items that fit a question best, by words and by meaning; or those that look most like a picture.

    [bold]Examples[/bold]

      vimrag search --root runs/mine "When was the Harbour Museum founded?"

      vimrag search --root runs/mine --top-k 20 --datasets mmlongbench_doc --json "dial reading"

      vimrag search --root runs/mine --in report.pdf --from 10 --to 20 "total revenue"

      vimrag search --root runs/mine --image page.png --modality image

    Exit code 1 when nothing is found. Scores compare the hits of one search only.
    """
    names = dataset_names(datasets)
    if (question is None) == (image is None):
        raise UsageError(
            "give a question or --image, and not both" if question else "the question is missing"
        )
    words = (question or "").encode("utf-8", "surrogateescape").decode("utf-8", "replace")  # another encoding
    if image is None and not words.strip():
        raise UsageError("the question is empty")
    from assets.index.published import open_index
    from infra.storage.root import Storage
    from infra.vector_stores.types import RowFilter

    where = replace(
        RowFilter.of_scopes(names),
        modalities=None if modality is None else (modality.value,),
        parents=None if parent is None else (parent,),
        between=_places(first, last),
    )
    with results() as write:
        index = open_index(Storage(root))
        hits = (
            index.search(words, top_k, where)
            if image is None
            else index.search_image(_picture(image), top_k, where)
        )
        if json:
            write({"hits": [hit.to_json() for hit in hits]})
    if not json:
        _show(hits)
    if not hits:
        raise typer.Exit(1)


def _places(first: float | None, last: float | None) -> tuple[float, float] | None:
    if first is None and last is None:
        return None
    span = (-math.inf if first is None else first, math.inf if last is None else last)
    if not span[0] <= span[1]:
        raise UsageError(f"--from {first:g} lies behind --to {last:g}")
    return span


def _picture(path: Path) -> Image.Image:
    """Decoded in the limited process. Raises ``MediaError`` for what is no picture."""
    from infra.media import media_decoder

    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read the picture {path}: {error.strerror}") from error
    return media_decoder().image(data)


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
