"""``vimrag study ggpo``: GGPO against its baselines from one cold start, on invented worlds."""

from __future__ import annotations

import math
import subprocess
import sys
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from app.commands.options import Json, Root
from app.commands.output import UsageError, note, results, table_console

if TYPE_CHECKING:
    from model.evaluation.statistics import Interval
    from orchestration.study.document import StudyDocument

app = typer.Typer(help="Studies of the algorithm on the miniature.", no_args_is_help=True)
SCRIPT = "orchestration.study.study"


@app.callback()
def group() -> None:
    """Studies of the algorithm on the miniature."""


@app.command("ggpo")
def ggpo(  # noqa: PLR0913 - one parameter an option
    root: Root,
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="Runs of each objective.")] = 5,
    updates: Annotated[int, typer.Option("--updates", min=1, help="Policy updates of a run.")] = 12,
    questions: Annotated[int, typer.Option("--questions", min=1, help="Questions of an update.")] = 24,
    group_size: Annotated[
        int, typer.Option("--group-size", min=2, help="Rollouts of one question in training.")
    ] = 8,
    mini_batches: Annotated[
        int,
        typer.Option(
            "--mini-batches", min=1, help="Optimiser steps of an update; with 1 no ratio is clipped."
        ),
    ] = 1,
    learning_rate: Annotated[
        float,
        typer.Option("--learning-rate", min=0, help="At its highest; it falls to zero over a run."),
    ] = 3e-4,
    temperature: Annotated[
        float, typer.Option("--temperature", min=0, help="Of rollouts in training and of sampled answers.")
    ] = 1.0,
    parallel: Annotated[
        int, typer.Option("--parallel", min=1, help="Runs trained side by side; they share the threads.")
    ] = 2,
    arm: Annotated[
        list[str] | None,
        typer.Option(
            "--arm", help="An objective; give it again for more. [default: ggpo, gspo, prune_at_random, grpo]"
        ),
    ] = None,
    samples: Annotated[
        int,
        typer.Option(
            "--samples", min=0, help="Sampled answers to each unseen question beside the greedy one."
        ),
    ] = 4,
    checkpoint: Annotated[
        str, typer.Option("--checkpoint", help="The cold start: a folder below checkpoints/.")
    ] = "miniature",
    json: Json = False,
) -> None:
    """Train GGPO, GSPO, a random mask and GRPO with equal rollouts; compare them on unseen worlds.

    [bold]Example[/bold]

      vimrag study ggpo --root runs/study

    Stopped at any moment, the same command goes on: finished runs and answers are kept, a run goes on after its last checkpoint.
    """
    if "://" in root and not root.startswith("file://"):
        raise UsageError("a study works in a folder of this machine: give --root a path")
    numbers = {
        "--seeds": seeds,
        "--updates": updates,
        "--questions": questions,
        "--group-size": group_size,
        "--mini-batches": mini_batches,
        "--learning-rate": learning_rate,
        "--temperature": temperature,
        "--parallel": parallel,
        "--samples": samples,
        "--checkpoint": checkpoint,
    }
    options = [text for name, value in numbers.items() for text in (name, str(value))]
    if arm:
        options += ["--arms", *arm]
    folder = root.removeprefix("file://")
    ended = subprocess.run(
        [sys.executable, "-m", SCRIPT, "--root", folder, *options], stdout=subprocess.PIPE, check=False
    )
    if ended.returncode:
        raise typer.Exit(2 if ended.returncode == 2 else 1)
    from orchestration.study.document import StudyDocument

    document = StudyDocument.from_json(ended.stdout)
    with results() as write:
        if json:
            write(document.to_json(indent=None).decode())
            return
    _show(document)


def _percent(share: Interval | None) -> str:
    """A share with its interval; a dash where nothing was scored."""
    if share is None or math.isnan(share.estimate):
        return "-"
    return f"{100 * share.estimate:.1f} ({100 * share.low:.1f} to {100 * share.high:.1f})"


def _show(document: StudyDocument) -> None:
    sampled = f"avg@{document.study['samples']} at {document.study['temperature']}, %"
    table = Table("objective", "right on unseen worlds, %", sampled, "repeated searches", "dead ends")
    for name, share in document.unseen.items():
        spending = document.spending[name]
        table.add_row(
            name,
            _percent(share),
            _percent(document.sampled.get(name)),
            f"{spending['repeated_searches']:.2f}",
            f"{spending['dead_ends']:.2f}",
        )
    console = table_console()
    console.print(table)
    for pair in document.comparisons:
        for decoding, difference in (("greedy", pair.greedy), ("sampled", pair.sampled)):
            if difference is not None:
                console.print(f"{pair.before} -> {pair.after}, {decoding}: {difference.line}", soft_wrap=True)
    shares = ", ".join(f"{name} {_percent(share)}" for name, share in document.pilot3.right.items())
    console.print(
        f"{document.pilot3.wrong_rollouts_with_evidence} wrong rollouts of the cold start that found gold, answered again "
        f"from the nodes of a cut, % right: {shares}",
        soft_wrap=True,
    )
    note("greedy answers first; training optimises answers drawn at its temperature (avg@k)")
    note("the page with curves: reports/study-ggpo/index.html below the root")
