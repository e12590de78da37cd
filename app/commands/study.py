"""``vimrag study ggpo``: GGPO against its baselines from one cold start, on invented worlds."""

from __future__ import annotations

import math
import subprocess
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from app.commands.options import JsonFlag, Root, command_group
from app.commands.output import note, results, table_console
from app.errors import UsageError, usage_errors
from orchestration.study.options import ARMS, Study

if TYPE_CHECKING:
    from model.evaluation.statistics import Interval
    from orchestration.study.document import StudyDocument

app = command_group("Studies of the algorithm on the miniature.")
DEFAULTS: dict[str, Any] = {field.name: field.default for field in fields(Study)}
GROUP_SIZE = "Rollouts of one question in training."
MINI_BATCHES = "Optimiser steps of an update; with 1 no ratio is clipped."
LEARNING_RATE = "At its highest; it falls to zero over a run."
TEMPERATURE = "Of rollouts in training and of sampled answers."
PARALLEL = "Runs trained side by side; they share the threads."
ARM = f"An objective; give it again for more. Default: {', '.join(ARMS)}."
CHECKPOINT = "The cold start: a folder below checkpoints/."
SAMPLES = "Sampled answers to each unseen question beside the greedy one."


@app.command("ggpo")
def ggpo(  # noqa: PLR0913 - one parameter an option
    root: Root,
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each objective.")] = DEFAULTS["seeds"],
    updates: Annotated[int, typer.Option(min=1, help="Policy updates of a run.")] = DEFAULTS["updates"],
    questions: Annotated[int, typer.Option(min=1, help="Questions of an update.")] = DEFAULTS["questions"],
    group_size: Annotated[int, typer.Option(min=2, help=GROUP_SIZE)] = DEFAULTS["group_size"],
    mini_batches: Annotated[int, typer.Option(min=1, help=MINI_BATCHES)] = DEFAULTS["mini_batches"],
    learning_rate: Annotated[float, typer.Option(min=0, help=LEARNING_RATE)] = DEFAULTS["learning_rate"],
    temperature: Annotated[float, typer.Option(min=0, help=TEMPERATURE)] = DEFAULTS["temperature"],
    parallel: Annotated[int, typer.Option(min=1, help=PARALLEL)] = DEFAULTS["parallel"],
    arm: Annotated[list[str] | None, typer.Option(help=ARM)] = None,
    samples: Annotated[int, typer.Option(min=0, help=SAMPLES)] = DEFAULTS["samples"],
    checkpoint: Annotated[str, typer.Option(help=CHECKPOINT)] = DEFAULTS["checkpoint"],
    json: JsonFlag = False,
) -> None:
    """Train GGPO, GSPO, a random mask and GRPO with equal rollouts; compare them on unseen worlds.

    [bold]Example[/bold]

      vimrag study ggpo --root runs/study

    Stopped at any moment, the same command goes on: finished runs and answers are kept, a run goes on after its last checkpoint.
    """
    if "://" in root and not root.startswith("file://"):
        raise UsageError("a study works in a folder of this machine: give --root a path")
    with usage_errors():
        study = Study(
            root=Path(root.removeprefix("file://")).resolve(),
            arms=tuple(arm or ARMS),
            seeds=seeds,
            updates=updates,
            questions=questions,
            group_size=group_size,
            mini_batches=mini_batches,
            learning_rate=learning_rate,
            temperature=temperature,
            parallel=parallel,
            samples=samples,
            checkpoint=checkpoint,
        )
        study.require_checkpoint()
    ended = subprocess.run(study.command(), stdout=subprocess.PIPE, check=False)
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
