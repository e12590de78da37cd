"""``vimrag fetch``: the benchmarks from where their authors publish them, into a raw folder."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from app.commands.options import JsonFlag, dataset_names
from app.commands.output import note, printable, progress_bars, results, table_console
from app.errors import UsageError, usage_errors
from infra.errors import ExternalError

if TYPE_CHECKING:
    from assets.acquisition.catalogue import PublishedDataset
    from assets.acquisition.session import FetchReport, FetchSettings

SHOWN_FAILURES = 20
LONG_PAUSE_S = 5.0
_REVISION = re.compile(r"([\w.-]+/[\w.-]+)=([\w./-]{1,100})")


def fetch(  # noqa: PLR0913 - one parameter an option
    datasets: Annotated[
        list[str] | None,
        typer.Argument(metavar="DATASET", help="One dataset or several.", show_default=False),
    ] = None,
    *,
    root: Annotated[
        str | None,
        typer.Option(
            "--root", envvar="VIMRAG_ROOT", help="A folder; files go to its raw/DATASET.", show_default=False
        ),
    ] = None,
    show: Annotated[
        bool, typer.Option("--list", help="Show what can be fetched, and under which licence.")
    ] = False,
    include: Annotated[
        list[str] | None,
        typer.Option(
            "--include",
            metavar="PART",
            help="A part that does not come by default, or 'all'; may be repeated.",
        ),
    ] = None,
    videos: Annotated[bool, typer.Option("--videos", help="The videos too; needs --accept-terms.")] = False,
    accept_terms: Annotated[
        bool, typer.Option("--accept-terms", help="You have read the terms, and they are met.")
    ] = False,
    mirror: Annotated[
        list[str] | None,
        typer.Option("--mirror", metavar="NAME=URL", help="Another base address; may be repeated."),
    ] = None,
    revision: Annotated[
        list[str] | None,
        typer.Option("--revision", metavar="OWNER/REPO=REV", help="A commit, tag or branch of a repository."),
    ] = None,
    max_videos: Annotated[
        int | None,
        typer.Option("--max-videos", min=1, help="Videos asked for in this run.", show_default="all"),
    ] = None,
    max_video_mb: Annotated[
        int, typer.Option("--max-video-mb", min=1, help="Size above which a video is not taken.")
    ] = 2048,
    rate_kb: Annotated[
        int | None,
        typer.Option("--rate-kb", min=1, help="Kilobytes a second of a video.", show_default="no limit"),
    ] = None,
    sleep: Annotated[
        float, typer.Option("--sleep", min=0, max=3600, help="Least pause before a video, seconds.")
    ] = 5.0,
    cookies: Annotated[
        Path | None,
        typer.Option(
            "--cookies", exists=True, dir_okay=False, help="Cookie file for the videos' site; read only."
        ),
    ] = None,
    retry_quarantined: Annotated[
        bool, typer.Option("--retry-quarantined", help="Try again what was gone, private, elsewhere.")
    ] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Hash what is there already.")] = False,
    relock: Annotated[
        bool, typer.Option("--relock", help="Forget the recorded hashes, and record anew.")
    ] = False,
    json: JsonFlag = False,
) -> None:
    """Download benchmarks from where their authors publish them.

    [bold]Examples[/bold]

      vimrag fetch --list

      vimrag fetch hotpotqa squad --root runs/real

      vimrag fetch lvbench --root runs/real --videos --accept-terms

    Run it again at any time: only what is missing is fetched, and what was under way is continued. Videos that cannot be
    had are quarantined with their reason in raw/DATASET.quarantine.jsonl, and the run succeeds.

    Exit code 1 when a file that is needed did not come, or is not what is published.
    """
    if show:
        _list(json=json)
        return
    names = _checked(datasets, root)
    from assets.acquisition.fetch import fetch as fetch_dataset
    from assets.acquisition.mirrors import mirrors_of
    from assets.acquisition.publications import PUBLICATIONS
    from assets.acquisition.session import FetchSettings
    from infra.downloads.retry import RetrySchedule
    from infra.downloads.ytdlp_fetcher import VideoSettings

    with usage_errors():
        mirrors = mirrors_of(mirror or ())
    settings = FetchSettings(
        parts=tuple(include or ()),
        videos=videos,
        max_videos=max_videos,
        accept_terms=accept_terms,
        revisions=_revisions(revision or ()),
        retry_quarantined=retry_quarantined,
        verify=verify,
        relock=relock,
        mirrors=mirrors,
        retry=RetrySchedule(sleep=_sleep),
        video=VideoSettings(
            max_bytes=max_video_mb << 20,
            bytes_per_s=rate_kb << 10 if rate_kb else None,
            sleep_s=sleep,
            max_sleep_s=max(sleep, min(6 * sleep, 3600.0)),
            cookies=cookies,
        ),
    )
    _require_possible(names, settings)
    assert root is not None
    reports: dict[str, FetchReport] = {}
    errors: dict[str, str] = {}
    with results() as write, progress_bars() as progress:
        for name in names:
            try:
                reports[name] = fetch_dataset(
                    PUBLICATIONS[name], Path(root).expanduser(), settings, progress=progress
                )
            except (
                ValueError,
                OSError,
                ExternalError,
            ) as error:  # what ends one dataset does not end the others
                errors[name] = " ".join(str(error).split())
        if json:
            shown = {name: report.to_json() for name, report in reports.items()}
            write({"datasets": shown, "errors": errors})
    _show(reports, errors, json=json)
    if errors or any(report.failures for report in reports.values()):
        raise typer.Exit(1)
    if not json:
        note(f"next: vimrag corpus build --raw {Path(root) / 'raw'} --root {root}")


def _checked(datasets: Sequence[str] | None, root: str | None) -> list[str]:
    names = dataset_names(",".join(datasets)) if datasets else None
    if not names:
        raise UsageError("name a dataset: vimrag fetch DATASET --root ROOT; vimrag fetch --list shows them")
    from assets.acquisition.publications import PUBLICATIONS

    if others := [name for name in names if name not in PUBLICATIONS]:
        raise UsageError(f"{others[0]!r} is nothing to fetch: known are {', '.join(PUBLICATIONS)}")
    if not root:
        raise UsageError("where to? give --root ROOT, a folder")
    if "://" in root:
        raise UsageError(f"raw files are fetched into a folder of this machine, not to {root}")
    return names


def _revisions(options: Sequence[str]) -> dict[str, str]:
    matches = {option: _REVISION.fullmatch(option) for option in options}
    if wrong := next((option for option, match in matches.items() if match is None), None):
        raise UsageError(f"a revision is given as OWNER/REPO=REV, not {wrong!r}")
    return {match.group(1): match.group(2) for match in matches.values() if match}


def _sleep(seconds: float) -> None:
    """A pause between two tries, announced if it is long."""
    if seconds >= LONG_PAUSE_S:
        note(f"waiting {seconds:.0f} s before the next try")
    time.sleep(seconds)


def _require_possible(names: Sequence[str], settings: FetchSettings) -> None:
    """Refuse before anything is fetched what cannot be, and print the terms that were not accepted."""
    from assets.acquisition.fetch import TermsNotAcceptedError, selected_parts
    from assets.acquisition.publications import PUBLICATIONS

    for name in names:
        with usage_errors():
            try:
                selected_parts(PUBLICATIONS[name], settings)
            except TermsNotAcceptedError as error:
                note(f"Terms of {name}:\n\n{error.terms}\n")
                raise


def _show(reports: Mapping[str, FetchReport], errors: Mapping[str, str], *, json: bool) -> None:
    """Failures always, the table for a person."""
    for name, report in reports.items():
        for failure in report.failures[:SHOWN_FAILURES]:
            note(f"FAILED: {name}: {failure.reason}: {printable(failure.detail)}")
        if len(report.failures) > SHOWN_FAILURES:
            note(f"FAILED: {name}: {len(report.failures) - SHOWN_FAILURES:,} more files")
        for text in report.notes:
            note(f"note: {name}: {text}")
    for name, text in errors.items():
        note(f"FAILED: {name}: {printable(text)}")
    if reports and not json:
        table_console().print(_table(reports))


def _table(reports: Mapping[str, FetchReport]) -> Table:
    table = Table("dataset")
    for column in ("fetched", "MB", "there", "failed", "questions"):
        table.add_column(column, justify="right")
    table.add_column("quarantined")
    table.add_column("folder", overflow="fold")
    for name, report in reports.items():
        counts = report.to_json()
        there = counts["present"] + counts["adopted"]
        shown = (counts["fetched"], report.fetched_bytes >> 20, there, counts["failed"])
        questions = f"{sum(report.questions.values()):,}" if report.questions else ""
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in report.quarantine.items())
        table.add_row(name, *(f"{count:,}" for count in shown), questions, reasons, escape(report.folder))
    return table


def _list(*, json: bool) -> None:
    from assets.acquisition.publications import PUBLICATIONS

    if json:
        with results() as write:
            write({"datasets": {name: _listed(publication) for name, publication in PUBLICATIONS.items()}})
        return
    table = Table("dataset", "part", "what", "licence")
    for name, publication in PUBLICATIONS.items():
        for number, part in enumerate(publication.parts):
            part_name = part.name if part.is_default else f"--include {part.name}"
            terms = " [terms]" if part.needs_terms else ""
            first = (name, publication.licence) if number == 0 else ("", "")
            table.add_row(first[0], escape(part_name + terms), escape(part.about), escape(first[1]))
        if publication.video_ids is not None:
            table.add_row("", escape("--videos [terms]"), "the videos from their site, through yt-dlp", "")
    console = table_console()
    console.print(table)
    console.print(escape("[terms]: printed and refused without --accept-terms. Sizes are downloads."))


def _listed(publication: PublishedDataset) -> dict[str, object]:
    return {
        "licence": publication.licence,
        "terms": publication.terms,
        "by_hand": publication.by_hand,
        "videos": publication.video_ids is not None,
        "parts": {
            part.name: {
                "about": part.about,
                "default": part.is_default,
                "needs_terms": part.needs_terms,
                "revision": part.repository.revision if part.repository else None,
            }
            for part in publication.parts
        },
    }
