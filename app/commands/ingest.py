"""``vimrag ingest``: a person's own files made searchable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from app.commands.options import Dpi, JsonFlag, NoOcr, NoSlides, OcrModel, Root, SpeechFolder, reading_of
from app.commands.output import note, printable, progress_bars, results, table_console
from app.errors import UsageError
from infra.limits import PAGE_DPI

if TYPE_CHECKING:
    from assets.user_files.ingest import FileReport, IngestReport

SHOWN_FILES = 40  # rows of the table; of more files only those are listed that did not just stay as they were


def ingest(  # noqa: PLR0913 - one parameter an option
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="PATH", help="Files and folders to make searchable.", show_default=False),
    ] = None,
    *,
    root: Root,
    dpi: Dpi = PAGE_DPI,
    no_ocr: NoOcr = False,
    ocr_model: OcrModel = None,
    no_slides: NoSlides = False,
    speech: SpeechFolder = None,
    forget: Annotated[
        list[Path] | None,
        typer.Option("--forget", metavar="PATH", help="Remove a file or folder; may be repeated."),
    ] = None,
    json: JsonFlag = False,
) -> None:
    r"""Make your PDFs, images, texts, Markdown and videos searchable.

    [bold]Examples[/bold]

      vimrag ingest ~/papers talk.mp4 --root runs/mine

      vimrag ingest ~/papers --root runs/mine --forget talk.mp4

    Run it again at any time: only new and changed files are read. A file that is gone from a folder named again is removed;
    files that are not named stay. Subtitles beside a video (talk.srt, talk.en.vtt, in Subs/) or inside of it become its text;
    without any, --speech hears what is said.

    Exit code 1 when none of the files could be read.
    """
    added, forgotten = paths or [], forget or []
    _check(added, forgotten)
    from assets.user_files.ingest import ingest as ingest_files
    from infra.storage.root import Storage

    settings = reading_of(dpi=dpi, no_ocr=no_ocr, ocr_model=ocr_model, no_slides=no_slides, speech=speech)
    with results() as write, progress_bars() as progress:
        report = ingest_files(added, Storage(root), settings=settings, forget=forgotten, progress=progress)
        if json:
            write(report.to_json())
    if not json:
        _show(report)
    if added and not report.readable:
        note(f"nothing could be read: {_counted(report.skipped) or 'there is no file'}")
        raise typer.Exit(1)
    if not json:
        note(f'next: vimrag ask "your question" --root {root} --endpoint URL, the address of a model')


def _check(paths: Sequence[Path], forgotten: Sequence[Path]) -> None:
    if not paths and not forgotten:
        raise UsageError("name at least one file or folder: vimrag ingest PATH... --root ROOT")
    if missing := [str(path) for path in paths if not path.exists()]:
        raise UsageError(f"no such file or folder: {', '.join(missing)}")


def _show(report: IngestReport) -> None:
    from assets.user_files.ingest import IngestStatus

    shown = list(report.files)
    if len(shown) > SHOWN_FILES:
        usual = (IngestStatus.READ, IngestStatus.UNCHANGED)
        telling = [file for file in shown if file.status not in usual or file.reason]
        shown = sorted(telling, key=lambda file: file.status in usual)[:SHOWN_FILES]
    table = Table()
    table.add_column("file", overflow="fold")
    table.add_column("items", justify="right")
    table.add_column("what happened", overflow="fold")
    for file in shown:
        table.add_row(escape(printable(file.path)), f"{file.items:,}", escape(printable(_happened(file))))
    console = table_console()
    if shown:
        console.print(table)
    if rest := len(report.files) - len(shown):
        console.print(f"{rest:,} more files: --json lists them all")
    counts = ", ".join(f"{report.count(status):,} {status}" for status in IngestStatus)
    console.print(
        f"{counts}; {report.items:,} items searchable in {report.root}", soft_wrap=True, markup=False
    )
    if report.skipped:
        console.print(f"skipped: {_counted(report.skipped)}", soft_wrap=True, markup=False)


def _happened(file: FileReport) -> str:
    return f"{file.status}: {file.reason}" if file.reason else file.status.value


def _counted(skipped: Mapping[str, int]) -> str:
    return ", ".join(f"{reason} {count:,}" for reason, count in skipped.items())
