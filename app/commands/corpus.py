"""``vimrag corpus``: raw datasets to items, questions and shards."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from app.commands.options import (
    Datasets,
    EngineName,
    JsonFlag,
    OcrModel,
    Root,
    Workers,
    command_group,
    dataset_names,
    engine_or_none,
    refuse_typo,
)
from app.commands.output import note, progress_bars, results, table_console
from app.errors import usage_errors
from infra.limits import PAGE_DPI

if TYPE_CHECKING:
    from assets.corpus.build import CorpusReport

app = command_group("Turn raw datasets into items, questions and shards.")

EPILOG = """[bold]Examples[/bold]

All datasets that lie in a folder, one folder each:

  vimrag corpus build --raw data --root runs/mine

Two of them, onto S3, for a script:

  vimrag corpus build --raw data --root s3://bucket/mine --datasets hotpotqa,squad --json

OCR of slides and scans on two processes of this machine, or on Ray (see vimrag index build --help):

  vimrag corpus build --raw data --root runs/mine --workers 2

A folder may be a clone, a download or an unpacked archive: files are found in folders of any depth and known by what they
hold. A dataset is replaced as a whole once its new build is finished. What cannot be read is skipped and counted by its
reason; the details lie in corpus/<dataset>/skipped.parquet. A copy with fewer than nine tenths of the published questions
counts as a part; one with any other number than the published is warned of."""


@app.command(epilog=EPILOG)
def build(  # noqa: PLR0913 - one parameter an option
    raw: Annotated[
        Path,
        typer.Option(
            "--raw", envvar="VIMRAG_RAW", help="Folder with one folder a dataset.", show_default=False
        ),
    ],
    root: Root,
    datasets: Datasets = None,
    dpi: Annotated[int, typer.Option(min=18, max=600, help="Resolution of PDF pages.")] = PAGE_DPI,
    max_pages: Annotated[
        int | None,
        typer.Option(
            "--max-pages", min=1, help="Pages rendered of each PDF, from the first.", show_default="all"
        ),
    ] = None,
    no_ocr: Annotated[
        bool, typer.Option("--no-ocr", help="Do not read slides, and pages without text of their own.")
    ] = False,
    ocr_model: OcrModel = None,
    strict: Annotated[
        bool,
        typer.Option("--strict", help="End at the first thing that cannot be used, or count that differs."),
    ] = False,
    engine: EngineName = "local",
    workers: Workers = None,
    json: JsonFlag = False,
) -> None:
    """Build the corpus of every dataset found below --raw."""
    names = dataset_names(datasets)
    used = engine_or_none(engine, workers)
    from assets.corpus.build import build_corpus
    from assets.parsers.images import read_by
    from assets.parsers.types import ParseContext
    from infra.media import ocr_reader
    from infra.storage.root import Storage

    threads = 1 if used is not None and used.workers > 1 else 0
    with usage_errors():
        reader = None if no_ocr else ocr_reader(ocr_model, num_threads=threads)
    settings = read_by(reader, ParseContext(dpi=dpi, max_pages=max_pages, strict=strict))
    with results() as write, progress_bars() as progress:
        report = build_corpus(
            raw, Storage(root), datasets=names, settings=settings, engine=used, progress=progress
        )
        if json:
            write(report.to_json())
    _warn(report)
    if json:
        return
    console = table_console()
    console.print(f"corpus in {report.root}", soft_wrap=True, markup=False)
    console.print(_table(report))
    note(f"next: vimrag index build --root {root}")


@app.command()
def describe(
    dataset: Annotated[str, typer.Argument(help="Name of a built dataset.")],
    root: Root,
    out: Annotated[
        Path, typer.Option("--out", help="Folder that croissant.json and datapackage.json are written to.")
    ],
    json: JsonFlag = False,
) -> None:
    """Describe a dataset for other programs: Croissant 1.0 and a Frictionless data package, with sizes, hashes and columns."""
    from assets.corpus.describe import describe as described
    from assets.corpus.describe import to_bytes
    from infra.storage.root import Storage

    refuse_typo(root)
    with results() as write:
        found = described(Storage(root), dataset)
        out.mkdir(parents=True, exist_ok=True)
        (out / "croissant.json").write_bytes(to_bytes(found.croissant))
        (out / "datapackage.json").write_bytes(to_bytes(found.datapackage))
        files = len(found.croissant["distribution"])
        write({"files": files, "out": str(out)} if json else f"{files} files described in {out}")


def _warn(report: CorpusReport) -> None:
    """Warn of a copy that is neither a part of what is published nor all of it, and of a dataset without items or questions."""
    for name, built in report.datasets.items():
        for copy in report.copies(name):
            if copy.warning:
                note(f"WARNING: {name} {copy.warning}")
        if not built.items:
            note(f"WARNING: {name}: {built.questions:,} questions and nothing to find answers in")
        elif not built.questions:
            note(f"WARNING: {name}: {built.items:,} items and no questions")
    for folder, nearest in report.ignored.items():
        note(
            f"WARNING: no dataset is called {folder!r}: ignored" + (f"; is it {nearest}?" if nearest else "")
        )


def _table(report: CorpusReport) -> Table:
    table = Table("dataset")
    for column in ("items", "questions", "folded", "skipped"):
        table.add_column(column, justify="right")
    table.add_column("of the published questions")
    table.add_column("reasons of skips")
    for name, built in report.datasets.items():
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in built.skipped.items())
        counts = (built.items, built.questions, built.folded, sum(built.skipped.values()))
        table.add_row(name, *(f"{count:,}" for count in counts), _copies(report, name), reasons)
    return table


def _copies(report: CorpusReport, name: str) -> str:
    """The editions found, as "train 23 of 90,447, dev all 7,405"."""
    copies = []
    for edition, count, published, extent in report.copies(name):
        if published is None:
            copies.append(f"{edition} {count:,}")
        else:
            copies.append(f"{edition} {'all' if extent == 'complete' else f'{count:,} of'} {published:,}")
    return ", ".join(copies)
