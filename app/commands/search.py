"""``vimrag search``: the best items for one question or one picture."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from app.commands.options import Datasets, JsonFlag, Root, dataset_names, refuse_typo
from app.commands.output import note, results, table_console
from app.errors import UsageError
from assets.corpus.item import Modality

if TYPE_CHECKING:
    from PIL import Image

    from infra.vector_stores.types import RowFilter

SNIPPET_CHARS = 280
SERVED_HITS = 100  # most that a server gives


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

    A `vimrag serve` that runs over the same root answers where it can, so that nothing is loaded here.

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
    refuse_typo(root)
    with results() as write:
        hits = None
        if image is None and parent is None and first is None and last is None:
            hits = _served_hits(root, words, top_k, names, modality)
        if hits is None:
            where = _filter(names, modality, parent, _places(first, last))
            hits = _own_hits(root, words if image is None else image, top_k, where)
        if json:
            write({"hits": hits})
    if not json:
        _show(hits)
    if not hits:
        raise typer.Exit(1)


def _served_hits(
    root: str, words: str, top_k: int, names: list[str] | None, modality: Modality | None
) -> list[dict[str, Any]] | None:
    """The hits of a ``vimrag serve`` that runs over this root; None where there is none, or it refuses."""
    from app.answers.running.client import NoServerError, running_server

    server = running_server(root)
    if server is None or top_k > SERVED_HITS:
        return None
    wanted: dict[str, Any] = {"query": words, "top_k": top_k}
    wanted |= {"datasets": names} if names else {}
    wanted |= {"modality": modality.value} if modality else {}
    try:
        return server.search(wanted)
    except NoServerError:
        return None  # what is wrong with the question is said in the words of this command


def _own_hits(root: str, wanted: str | Path, top_k: int, where: RowFilter) -> list[dict[str, Any]]:
    from assets.index.published import open_index
    from infra.storage.root import Storage

    index = open_index(Storage(root))
    found = (
        index.search(wanted, top_k, where)
        if isinstance(wanted, str)
        else index.search_image(_picture(wanted), top_k, where)
    )
    return [hit.to_json() for hit in found]


def _filter(
    names: list[str] | None,
    modality: Modality | None,
    parent: str | None,
    between: tuple[float, float] | None,
) -> RowFilter:
    from infra.vector_stores.types import RowFilter

    return replace(
        RowFilter.of_scopes(names),
        modalities=None if modality is None else (modality.value,),
        parents=None if parent is None else (parent,),
        between=between,
    )


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


def _show(hits: list[dict[str, Any]]) -> None:
    if not hits:
        note("nothing found")
    console = table_console()
    for rank, hit in enumerate(hits, start=1):
        text = " ".join(hit["text"].split())
        cut = text if len(text) <= SNIPPET_CHARS else f"{text[:SNIPPET_CHARS]}…"
        console.print(f"[bold]{rank:>2}  {escape(hit['title'] or hit['id'])}[/bold]")
        console.print(
            f"    [dim]{hit['score']:.3f}  {hit['modality']}  {escape(hit['id'])}[/dim]", soft_wrap=True
        )
        if cut:
            console.print(f"    {escape(cut)}")
