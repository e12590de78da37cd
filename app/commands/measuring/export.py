"""``vimrag export``: a finished evaluation for other programs and for people."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.measuring.compare import evaluation_folder
from app.commands.options import JsonFlag
from app.commands.output import results, table_console
from app.errors import UsageError, usage_errors

if TYPE_CHECKING:
    from infra.reporting.report import Report

FORMATS = ("lmms", "inspect", "csv", "html", "markdown")


def export(
    evaluation: Annotated[str, typer.Argument(help="Its name below ROOT/evaluations, or its folder.")],
    to: Annotated[Path, typer.Option("--to", help="Folder for the files.")],
    root: Annotated[
        str, typer.Option("--root", envvar="VIMRAG_ROOT", help="Where it lies, if it is called by name.")
    ] = "",
    formats: Annotated[
        str, typer.Option("--formats", metavar="A,B", help=f"Some of {', '.join(FORMATS)}.")
    ] = ",".join(FORMATS),
    json: JsonFlag = False,
) -> None:
    r"""Write an evaluation as lmms-eval samples, Inspect logs, CSV, and a page beside the paper's figures.

    [bold]Example[/bold]

      vimrag export qwen3-vl-8b --root runs/real --to report && inspect view --log-dir report/inspect
    """
    chosen = [name.strip() for name in formats.split(",") if name.strip()]
    if unknown := [name for name in chosen if name not in FORMATS]:
        raise UsageError(f"unknown format {', '.join(unknown)}; known: {', '.join(FORMATS)}")
    with usage_errors():
        folder = evaluation_folder(evaluation, root)
    written = _write(folder, to, chosen, items=_items(root))
    with results() as write:
        if json:
            write({"files": [str(path) for path in written]})
    if not json:
        for path in written:
            table_console().print(str(path), soft_wrap=True, markup=False)


def _write(folder: Path, to: Path, formats: list[str], *, items: int | None) -> list[Path]:
    from app.answers.measuring.exports.inspect_log import write_inspect
    from app.answers.measuring.exports.lmms import write_lmms
    from app.answers.measuring.exports.page import report_of, write_csv
    from app.answers.measuring.records import RESULT, read_answers, read_result

    result, records = read_result(folder), read_answers(folder)
    model, judge, ended_s = str(result["model"]), str(result["judge"]), (folder / RESULT).stat().st_mtime
    to.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    if "lmms" in formats:
        written += write_lmms(_below(to, "lmms"), model, records)
    if "inspect" in formats:
        written += write_inspect(_below(to, "inspect"), model, judge, records, ended_s=ended_s)
    if "csv" in formats:
        write_csv(to / "answers.csv", records)
        written.append(to / "answers.csv")
    if pages := [name for name in ("html", "markdown") if name in formats]:
        written += _pages(report_of(result, records, items=items), to, pages)
    return written


def _pages(report: Report, to: Path, formats: list[str]) -> list[Path]:
    from app.answers.measuring.exports.page import html, markdown

    written = []
    for name, render, suffix in (("html", html, "html"), ("markdown", markdown, "md")):
        if name in formats:
            path = to / f"report.{suffix}"
            path.write_text(render(report), encoding="utf-8")
            written.append(path)
    return written


def _below(folder: Path, name: str) -> Path:
    place = folder / name
    place.mkdir(parents=True, exist_ok=True)
    return place


def _items(root: str) -> int | None:
    """Items of the index in use, which the paper's had about 200,000 of."""
    from assets.index.published import current_index
    from infra.errors import ExternalError
    from infra.storage.root import Storage

    try:
        pointer = current_index(Storage(root)) if root else None
    except (ValueError, OSError, ExternalError):
        return None
    return None if pointer is None else sum(pointer.datasets.values())
