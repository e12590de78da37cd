"""``vimrag ingest``: a person's own files made searchable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from app.commands.options import JsonFlag, OcrModel, Root
from app.commands.output import note, printable, progress_bars, results, table_console
from app.errors import UsageError, usage_errors
from infra.limits import PAGE_DPI

if TYPE_CHECKING:
    from assets.user_files.ingest import FileReport, IngestReport
    from assets.user_files.media.hearing import Speech

SHOWN_FILES = 40  # rows of the table; of more files only those are listed that did not just stay as they were


def ingest(  # noqa: PLR0913 - one parameter an option
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="PATH", help="Files and folders to make searchable.", show_default=False),
    ] = None,
    *,
    root: Root,
    dpi: Annotated[
        int, typer.Option("--dpi", min=18, max=600, help="Resolution at which PDF pages are rendered.")
    ] = PAGE_DPI,
    no_ocr: Annotated[
        bool, typer.Option("--no-ocr", help="Do not read text in images and scanned pages: much faster.")
    ] = False,
    ocr_model: OcrModel = None,
    no_slides: Annotated[
        bool, typer.Option("--no-slides", help="Do not draw slides, even where LibreOffice is installed.")
    ] = False,
    speech: Annotated[
        Path | None,
        typer.Option(
            "--speech",
            metavar="FOLDER",
            help="Hear what is said in films and sound files without subtitles, with the Whisper model for CTranslate2 in "
            "this folder; needs vimrag[speech].",
            show_default=False,
        ),
    ] = None,
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
    from assets.parsers.images import read_by
    from assets.parsers.types import ParseContext
    from assets.user_files.ingest import IngestSettings
    from assets.user_files.ingest import ingest as ingest_files
    from infra.media import ocr_reader
    from infra.storage.root import Storage

    with usage_errors():
        reader = None if no_ocr else ocr_reader(ocr_model)
    context = read_by(reader, ParseContext(dpi=dpi))
    settings = IngestSettings(reading=context, slides=not no_slides, speech=_speech(speech))
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
        note(f'next: vimrag ask --root {root} "your question"')


def _speech(folder: Path | None) -> Speech | None:
    if folder is None:
        return None
    from assets.user_files.media.hearing import speech_of
    from infra.media import speech_model

    with usage_errors():
        return speech_of(speech_model(folder))


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
