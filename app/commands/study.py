"""``vimrag study``: GGPO against its baselines on invented worlds, and the paper's other experiments on any model."""

from __future__ import annotations

import math
import subprocess
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from app.commands.options import (
    Datasets,
    Endpoint,
    JsonFlag,
    Profile,
    Root,
    Temperature,
    command_group,
    dataset_names,
    known_profile,
    refuse_typo,
)
from app.commands.output import note, progress_bars, results, table_console
from app.commands.study_credit import credit
from app.commands.study_endpoint import endpoint, show_endpoint
from app.errors import UsageError, usage_errors
from infra.errors import unknown_name
from orchestration.study.experiments import EXPERIMENTS
from orchestration.study.options import ARMS, Study
from orchestration.study.preregistered import WRITTEN_DOWN

if TYPE_CHECKING:
    from app.answers.measuring.experiments import ExperimentResult
    from model.evaluation.statistics import Interval
    from orchestration.study.document import StudyDocument

app = command_group("The training study, and the paper's experiments.")
SHOWN = ("tokens", "visual_tokens", "calls", "searches")
PAPER_EPILOG = """[bold]Examples[/bold]

  vimrag study paper budget --root runs/study

  vimrag study paper all --root runs/real --endpoint http://127.0.0.1:8080/v1 --questions 50

A root without a corpus gets invented worlds, and the checkpoint that ships answers. Each experiment is a folder below
ROOT/studies with its rollouts, answers.jsonl, study.json, report.md and index.html; the same command goes on where it was."""
DEFAULTS: dict[str, Any] = {field.name: field.default for field in fields(Study)}
GROUP_SIZE = "Rollouts of one question in training."
MINI_BATCHES = "Optimiser steps of an update; with 1 no ratio is clipped."
LEARNING_RATE = "At its highest; it falls to zero over a run."
TEMPERATURE = "Of rollouts in training and of sampled answers."
PARALLEL = "Runs trained side by side; they share the threads."
ARM = f"An objective; give it again for more. Default: {', '.join(ARMS)}."
CHECKPOINT = "The cold start: a folder below checkpoints/."
SAMPLES = "Sampled answers to each unseen question beside the greedy one."


app.command("credit")(credit)
app.command("endpoint")(endpoint)


ONLY = "Runs to make in this sitting, as gspo-0; each leaves a record in ROOT/reports/study-ggpo/runs (`vimrag study endpoint`)."
PREREGISTERED = "The study that was written down before its first run (docs/decisions/0027); only --root and --parallel count."
ONSET = "The one after it: ten updates, other seeds, accuracy while training (docs/decisions/0037)."
CONFIRMATION = "The one after that: GSPO and GGPO again, eight other seeds (docs/decisions/0039)."
CHAINS = "That on questions of three and four hops, four seeds (docs/decisions/0040)."


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
    preregistered: Annotated[bool, typer.Option("--preregistered", help=PREREGISTERED)] = False,
    onset: Annotated[bool, typer.Option("--onset", help=ONSET)] = False,
    confirmation: Annotated[bool, typer.Option("--confirmation", help=CONFIRMATION)] = False,
    chains: Annotated[bool, typer.Option("--chains", help=CHAINS)] = False,
    only: Annotated[list[str] | None, typer.Option("--only", help=ONLY)] = None,
    json: JsonFlag = False,
) -> None:
    """Train GGPO, GSPO, a random mask and GRPO with equal rollouts; compare them on unseen worlds.

    [bold]Example[/bold]

      vimrag study ggpo --root runs/study

    Stopped at any moment, the same command goes on: finished runs and answers are kept, a run goes on after its last checkpoint.
    """
    if "://" in root and not root.startswith("file://"):
        raise UsageError("a study works in a folder of this machine: give --root a path")
    folder = Path(root.removeprefix("file://")).resolve()
    flags = {"preregistered": preregistered, "onset": onset, "confirmation": confirmation, "chains": chains}
    chosen = [name for name, said in flags.items() if said]
    if len(chosen) > 1:
        raise UsageError(
            f"--{chosen[0]} and --{chosen[1]} are two studies: choose one, each with a root of its own"
        )
    with usage_errors():
        study = (
            WRITTEN_DOWN[chosen[0]](folder, only=tuple(only or ()), parallel=parallel)
            if chosen
            else Study(
                root=folder,
                only=tuple(only or ()),
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
        )
        study.require_checkpoint()
    ended = subprocess.run(study.command(), stdout=subprocess.PIPE, check=False)
    if ended.returncode:
        raise typer.Exit(2 if ended.returncode == 2 else 1)
    if study.only:
        from orchestration.study.record import ENDPOINT

        told = ENDPOINT.validate_json(ended.stdout)
        with results() as write:
            write(told.to_json().decode()) if json else show_endpoint(told)
        return
    from orchestration.study.document import StudyDocument

    document = StudyDocument.from_json(ended.stdout)
    with results() as write:
        if json:
            write(document.to_json(indent=None).decode())
            return
    _show(document)


@app.command("paper", epilog=PAPER_EPILOG)
def paper(  # noqa: PLR0913 - one parameter an option
    experiments: Annotated[
        list[str], typer.Argument(help=f"Some of {', '.join(EXPERIMENTS)}; `all` is every one.")
    ],
    root: Root,
    endpoint: Endpoint = "",
    model: Annotated[
        str,
        typer.Option(
            "--model", help="A checkpoint folder, or a name at the endpoint. Default: the one that ships."
        ),
    ] = "",
    questions: Annotated[
        int | None, typer.Option("--questions", min=1, help="Of each dataset, at most, drawn by --seed.")
    ] = None,
    datasets: Datasets = None,
    attempts: Annotated[
        int, typer.Option("--attempts", min=1, max=64, help="Rollouts of each question.")
    ] = 1,
    temperature: Temperature = 0.0,
    concurrency: Annotated[int, typer.Option("--concurrency", min=1, max=512, help="Rollouts at once.")] = 32,
    worlds: Annotated[
        int, typer.Option("--worlds", min=1, help="Unseen worlds, where the root is a new one.")
    ] = 8,
    seed: Annotated[int, typer.Option("--seed", help="Of the questions drawn and of the replies.")] = 0,
    profile: Profile = "",
    json: JsonFlag = False,
) -> None:
    """Run experiments of the paper: the arms of each answer the same questions, and a page with its figure is drawn."""
    from app.answers.measuring.study import StudyChoice, run_study
    from app.answers.models import ModelChoice, key_of_environment
    from app.commands.interruption import run_coroutine
    from orchestration.recipes.cold_start import SHIPPED

    names = list(EXPERIMENTS) if "all" in experiments else list(dict.fromkeys(experiments))
    for name in names:
        if name not in EXPERIMENTS:
            raise UsageError(unknown_name("experiment", name, EXPERIMENTS))
    refuse_typo(root)
    choice = ModelChoice(
        model=model or ("" if endpoint else str(SHIPPED / "miniature")),
        endpoint=endpoint,
        api_key=key_of_environment(),
        temperature=temperature,
        concurrency=concurrency,
        asks_sight=True,
        profile=known_profile(profile),
    )
    study = StudyChoice(
        root=root,
        names=tuple(names),
        datasets=tuple(dataset_names(datasets) or ()),
        questions=questions,
        attempts=attempts,
        concurrency=concurrency,
        seed=seed,
        worlds=worlds,
    )
    with results() as write, progress_bars() as progress:
        done = run_coroutine(run_study(study, choice, progress))
        if json:
            write({"experiments": [each.to_json() for each in done]})
    if not json:
        for each in done:
            _show_experiment(each)


def _show_experiment(result: ExperimentResult) -> None:
    told = result.to_json()
    table = Table("arm", title=f"{told['title']}, {told['model']}", title_justify="left")
    for column in ("right, %", "95 %", "unscored", "tokens", "of pictures", "calls", "searches", "paper, %"):
        table.add_column(column, justify="right")
    for name, arm in told["arms"].items():
        right, means = arm["right"], arm["means"]
        cells = [
            _share(right["estimate"]),
            f"{_share(right['low'])} to {_share(right['high'])}",
            str(arm["unscored"]),
        ]
        cells += [
            "-" if means[each] is None else f"{means[each]:,.1f}"
            for each in ("tokens", "visual_tokens", "calls", "searches")
        ]
        table.add_row(name, *cells, "" if arm["paper"] is None else f"{arm['paper']:.1f}")
    table_console().print(table)
    for line in result.findings:
        table_console().print(line, soft_wrap=True, markup=False)
    if result.evidence is not None:
        right = {name: _share(each["estimate"]) for name, each in result.evidence["right"].items()}
        told_of = result.evidence["wrong_rollouts_with_evidence"]
        note(f"{told_of} wrong rollouts that found gold, answered again, % right: {right}")
    note(f"the page: {result.folder / 'index.html'}")


def _share(value: float | None) -> str:
    return "?" if value is None else f"{100 * value:.1f}"


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
