"""``vimrag xvbench``: a benchmark of questions over several clips, from a folder of videos."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.options import Endpoint, JsonFlag, PriceOption, command_group
from app.commands.output import note, progress_bars, results, table_console
from app.errors import UsageError, usage_errors

if TYPE_CHECKING:
    from rich.console import Console

    from assets.xvbench_builder.publishing import BuildReport, RunCosts, TotalCosts
    from infra.llm.types import ChatSettings

app = command_group("Build a benchmark like XVBench from a folder of videos.")

ATTEMPT_S, CALL_S = 180.0, 600.0  # of a request with dozens of images; of a call with all its retries

EPILOG = """[bold]Examples[/bold]

  vimrag xvbench build ~/videos --out data/mine --endpoint http://127.0.0.1:8080/v1 --questions 50

  vimrag corpus build --raw data/mine --root runs/mine

Videos are cut into clips of one minute; clips at variable intervals are captioned; a question is drafted from two to five
captions; it is kept if the model answers it from its clips, and neither from nothing, nor from other clips, nor from one of
them alone. provenance.jsonl tells of every candidate why it was kept or not.

Every reply is kept in --out: run the same command again after any interruption, and nothing is asked twice. --max-requests
ends a run cleanly; the next one goes on. The key of the endpoint comes from VIMRAG_API_KEY (or OPENAI_API_KEY).

Exit code 1 when no question was kept, or the endpoint failed."""


@app.command(epilog=EPILOG)
def build(  # noqa: PLR0913 - one parameter an option
    videos: Annotated[
        Path,
        typer.Argument(metavar="VIDEOS", help="Folder of videos (mp4, webm, mkv, ...).", show_default=False),
    ],
    *,
    out: Annotated[
        Path,
        typer.Option("--out", help="Where the benchmark goes: an empty folder, or one of an earlier build."),
    ],
    endpoint: Endpoint = "",
    model: Annotated[
        str,
        typer.Option(
            "--model", envvar="VIMRAG_MODEL", help="Name of a model at the endpoint that sees images."
        ),
    ] = "",
    questions: Annotated[int, typer.Option("--questions", min=1, help="Questions to build.")] = 20,
    tries: Annotated[int, typer.Option("--tries", min=1, help="Candidates for each question, at most.")] = 4,
    seed: Annotated[int, typer.Option("--seed", help="Other clips and groups for another number.")] = 0,
    interval: Annotated[
        int,
        typer.Option(
            "--interval", min=1, help="Minutes from one clip taken to the next, at most; 1 takes all."
        ),
    ] = 4,
    frames: Annotated[int, typer.Option("--frames", min=1, max=64, help="Images shown of a clip.")] = 8,
    side: Annotated[
        int, typer.Option("--side", min=16, max=2048, help="Their longest side in pixels.")
    ] = 448,
    captions: Annotated[
        bool,
        typer.Option("--captions", help="Put a caption beside every clip, so that text search finds it."),
    ] = False,
    concurrency: Annotated[
        int, typer.Option("--concurrency", min=1, max=256, help="Candidates at once.")
    ] = 4,
    max_requests: Annotated[
        int | None,
        typer.Option(
            "--max-requests", min=1, help="Requests of this run, retries included.", show_default="no limit"
        ),
    ] = None,
    prices: PriceOption = None,
    json: JsonFlag = False,
) -> None:
    """Build questions that need several clips, with the clips, from a folder of videos."""
    settings = _settings(endpoint, model, concurrency=concurrency, max_requests=max_requests, prices=prices)
    _check(videos, out)
    from app.commands.interruption import run_coroutine
    from app.commands.xvbench_build import BuildRequest, build_xvbench
    from assets.xvbench_builder.build import BuildTarget
    from assets.xvbench_builder.publishing import OutFolder
    from infra.llm.image_parts import ClipSampling

    target = BuildTarget(questions=questions, at_once=concurrency)
    clip_sampling = ClipSampling(frames=frames, side=side)
    request = BuildRequest(
        videos=videos,
        out=OutFolder(out),
        target=target,
        tries=tries,
        seed=seed,
        interval=interval,
        clip_sampling=clip_sampling,
        captions=captions,
    )
    try:
        with results() as write, progress_bars() as progress:
            report = run_coroutine(build_xvbench(request, settings, progress))
            if json:
                write(report.to_json())
    except KeyboardInterrupt:
        note("what was built stays: the same command goes on")
        raise
    if not json:
        _show(report)
    _conclude(report, questions)


def _settings(
    endpoint: str, model: str, *, concurrency: int, max_requests: int | None, prices: str | None
) -> ChatSettings:
    if not endpoint:
        raise UsageError("no model: give --endpoint URL of a server whose model sees images")
    from app.answers.models import key_of_environment, prices_of
    from infra.llm.types import ChatSettings

    with usage_errors():
        return ChatSettings(
            base_url=endpoint,
            model=model,
            api_key=key_of_environment(),
            concurrency=concurrency,
            max_requests=max_requests,
            prices=prices_of(prices),
            timeout_s=ATTEMPT_S,
            total_timeout_s=CALL_S,
        )


def _check(videos: Path, out: Path) -> None:
    if not videos.is_dir():
        raise UsageError(f"no folder of videos at {videos}")
    if out.resolve() == videos.resolve():
        raise UsageError("--out has to be another folder than that of the videos")


def _show(report: BuildReport) -> None:
    console = table_console()
    clips = f"{report.clips:,} clips of {report.videos:,} videos, {report.clips_sampled:,} sampled"
    console.print(f"{report.questions:,} questions of {report.candidates:,} candidates; {clips}")
    for reason, count in report.rejected.items():
        console.print(f"  rejected {count:,}: {reason}")
    for skip in report.skipped:
        console.print(f"  skipped {skip.where}: {skip.reason}", markup=False)
    if (captions := report.captions) is not None:
        without = ", ".join(f"{count:,} {reason}" for reason, count in captions.without.items())
        console.print(
            f"captions beside {captions.written:,} clips" + (f"; without: {without}" if without else "")
        )
    _show_costs(console, f"this run: {report.this_run.requests:,} requests", report.this_run)
    _show_costs(console, f"all runs into this folder: {report.all_runs.replies:,} replies", report.all_runs)
    console.print(f"in {report.out}", soft_wrap=True, markup=False)


def _show_costs(console: Console, title: str, spent: RunCosts | TotalCosts) -> None:
    tokens = f"{spent.prompt_tokens:,} tokens read, {spent.completion_tokens:,} written"
    cost = "" if spent.cost is None else f", cost {spent.cost:.4f}"
    console.print(f"{title}, {tokens}{cost}")


def _conclude(report: BuildReport, target: int) -> None:
    """Say what is next, and end with 1 where a script should not go on."""
    without = report.captions.without if report.captions else {}
    is_complete = report.captions is None or report.captions.complete
    if report.stopped == "max_requests" or "budget" in without:
        note("stopped at --max-requests; the same command goes on")
        return
    if report.stopped == "endpoint" or not is_complete:
        note(
            f"error: the endpoint failed several times in a row; the same command goes on. {report.last_failure}"
        )
        raise typer.Exit(1)
    if not report.questions:
        note("no question was kept; provenance.jsonl says why")
        raise typer.Exit(1)
    if report.stopped == "candidates":
        note(
            f"only {report.questions:,} of {target:,} questions: every candidate was tried; raise --tries or add videos"
        )
    note(f"next: vimrag corpus build --raw {report.out} --root ROOT")
