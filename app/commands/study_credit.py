"""``vimrag study credit``: which credit assignment points uphill, from one set of rollouts."""

from __future__ import annotations

import math
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from app.commands.options import Datasets, JsonFlag, Root, dataset_names
from app.commands.output import note, results, table_console
from app.errors import UsageError, usage_errors
from model.config.limits import LIMITS
from orchestration.study.credit.options import WORLDS, CreditStudy

if TYPE_CHECKING:
    from model.audit.gains import Gain
    from orchestration.study.credit.document import CreditDocument

CHECKPOINT = "The policy: a folder below checkpoints/."
WEIGHTS = "A checkpoint folder of a run, instead of one that ships."
TRAJECTORIES = "Rollouts of this very policy, a file or a folder of Parquet parts; give it again for more. Then none are made."
SPLIT = "Whose questions: val to choose among objectives, test to confirm."
LIMITS_HELP = f"What a rollout may use: {', '.join(LIMITS)}. Default: what the quickstart trains with."
HOPS = "Searches of the longest question in the worlds of a new root; with 3 or 4 HotpotQA asks only such, with decoys."
FOLDS = "Parts that the questions are dealt into: steps are made from one, measured on the others."
OBJECTIVE = "An objective by name; give it again for more. Default: all that are known."
OBJECTIVE_FILE = "A Python file with a function weights(rollout, group); give it again for more."
WORKERS = "Processes, each with the policy and its share of the threads; 0: one a thread for a small policy, one for any other."
PARAMETERS = (
    "Regular expression: look at weights with such names only, for policies too large to look at whole."
)


def credit(  # noqa: PLR0913 - one parameter an option
    root: Root,
    checkpoint: Annotated[str, typer.Option(help=CHECKPOINT)] = "miniature",
    weights: Annotated[Path | None, typer.Option(help=WEIGHTS, exists=True, file_okay=False)] = None,
    trajectories: Annotated[list[Path] | None, typer.Option(help=TRAJECTORIES)] = None,
    split: Annotated[str, typer.Option(help=SPLIT)] = "test",
    limits: Annotated[str, typer.Option(help=LIMITS_HELP)] = "",
    datasets: Datasets = None,
    hops: Annotated[int, typer.Option(min=2, max=4, help=HOPS)] = 2,
    questions: Annotated[int, typer.Option(min=1, help="Questions of each dataset, at most.")] = 32,
    group_size: Annotated[int, typer.Option(min=2, help="Rollouts of one question.")] = 8,
    folds: Annotated[int, typer.Option(min=4, help=FOLDS)] = 8,
    temperature: Annotated[float, typer.Option(min=0.01, help="Of the rollouts.")] = 1.0,
    objective: Annotated[list[str] | None, typer.Option(help=OBJECTIVE)] = None,
    objective_file: Annotated[list[Path] | None, typer.Option(help=OBJECTIVE_FILE)] = None,
    parameters: Annotated[str, typer.Option(help=PARAMETERS)] = "",
    seed: Annotated[int, typer.Option(help="Of questions, rollouts and folds.")] = 0,
    threads: Annotated[int, typer.Option(min=1, help="Of torch, over all processes.")] = 2,
    workers: Annotated[int, typer.Option(min=0, help=WORKERS)] = 0,
    json: JsonFlag = False,
) -> None:
    """Judge credit assignments by one set of rollouts, without training: accuracy gained per unit step, against GSPO.

    [bold]Examples[/bold]

      vimrag study credit --root runs/credit
      vimrag study credit --root runs/credit --objective ggpo --objective-file mine.py

    Stopped at any moment, the same command goes on: rollouts are kept part by part.
    """
    if "://" in root and not root.startswith("file://"):
        raise UsageError("a study works in a folder of this machine: give --root a path")
    with usage_errors():
        study = CreditStudy(
            root=Path(root.removeprefix("file://")).resolve(),
            checkpoint=checkpoint,
            weights=weights,
            trajectories=tuple(trajectories or ()),
            split=split,
            limits=limits,
            datasets=tuple(dataset_names(datasets) or ()),
            worlds=replace(WORLDS, hops=hops),
            questions=questions,
            group_size=group_size,
            folds=folds,
            temperature=temperature,
            objectives=tuple(objective or ()),
            files=tuple(path.resolve() for path in objective_file or ()),
            parameters=parameters,
            seed=seed,
            threads=threads,
            workers=workers,
        )
    ended = subprocess.run(study.command(), stdout=subprocess.PIPE, check=False)
    if ended.returncode:
        raise typer.Exit(2 if ended.returncode == 2 else 1)
    from orchestration.study.credit.document import CreditDocument

    document = CreditDocument.from_json(ended.stdout)
    with results() as write:
        if json:
            write(document.to_json(indent=None).decode())
            return
    _show_credit(document, study.name)


def _show_credit(document: CreditDocument, name: str) -> None:
    table = Table(
        *("objective", "gain a unit step", "against GSPO", "95 %", "against GGPO", "95 %"),
        *("Adam's first step, against GSPO", "tokens"),
    )
    ordered = sorted(document.objectives.items(), key=lambda item: -item[1].against.value)
    for objective, verdict in ordered:
        table.add_row(
            f"[bold]{objective}[/bold]" if verdict.against.wins else objective,
            _gain(verdict.gain),
            _gain(verdict.against),
            _interval(verdict.against),
            _gain(verdict.against_ggpo),
            _interval(verdict.against_ggpo),
            _gain(verdict.adam_against),
            f"{verdict.share:.0%}",
        )
    console = table_console()
    console.print(table)
    parts = ", ".join(f"{category} {_gain(part.part)}" for category, part in document.categories.items())
    console.print(f"GSPO's gain by category: {parts}", soft_wrap=True)
    note(
        f"{document.questions} questions, {document.rollouts} rollouts, {document.with_spread} questions with right and wrong "
        f"ones, accuracy {document.figures.accuracy:.1%}; {document.seconds_audit:.0f} s"
    )
    note(f"the page: reports/study-credit/{name}/index.html below the root")


def _interval(gain: Gain) -> str:
    return "-" if math.isnan(gain.value) else f"{gain.low:+.3f} to {gain.high:+.3f}"


def _gain(gain: Gain) -> str:
    return "-" if math.isnan(gain.value) else f"{gain.value:+.3f} ± {gain.error:.3f}"
