"""``vimrag evaluate``: a model measured on the questions of a root, whoever serves it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from app.commands.options import (
    Datasets,
    Endpoint,
    JsonFlag,
    MaxTokens,
    Model,
    PriceOption,
    Profile,
    Root,
    Temperature,
    comma_separated,
    dataset_names,
    known_profile,
    refuse_typo,
)
from app.commands.output import note, progress_bars, results, table_console
from app.errors import UsageError, usage_errors

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from app.answers.measuring.evaluating import EvaluationPlan, EvaluationResult
    from app.answers.models import ModelChoice
    from infra.progress import ProgressListener
    from infra.storage.root import Storage
    from model.evaluation.statistics import Interval
    from model.types import Task

EPILOG = """[bold]Examples[/bold]

  vimrag evaluate --root runs/real --endpoint http://127.0.0.1:8080/v1

Several ways to remember, each question four times, and a limit on what it may cost:

  vimrag evaluate --root runs/real --endpoint URL --memory vimrag,react,vanilla --attempts 4 --prices 0.15,0.60 --max-cost 5

A checkpoint of your own, and a gate for continuous integration (exit code 1 below 40 %):

  vimrag evaluate --root runs/real --model runs/real/checkpoints/ggpo --fail-below 40

Questions are those that measure (`vimrag questions show`). Each rollout is kept as it ends: started again after any end, the
same command goes on where it was. A rollout that fails for reasons of machines is unscored, never wrong, and is tried again.
Answers are graded by each benchmark's own metric, or by the judge that VIMRAG_JUDGE_ENDPOINT names."""


def evaluate(  # noqa: PLR0913 - one parameter an option
    root: Root,
    model: Model = "",
    endpoint: Endpoint = "",
    memory: Annotated[
        str,
        typer.Option(
            "--memory",
            metavar="A,B",
            help="Memory policies, by comma; the first is compared with the others.",
        ),
    ] = "vimrag",
    datasets: Datasets = None,
    questions: Annotated[
        int | None, typer.Option("--questions", min=1, help="Of each dataset, at most, drawn by --seed.")
    ] = None,
    attempts: Annotated[
        int, typer.Option("--attempts", min=1, max=64, help="Rollouts of each question.")
    ] = 1,
    question_set: Annotated[str, typer.Option("--question-set", help="Which set measures.")] = "default",
    concurrency: Annotated[int, typer.Option("--concurrency", min=1, max=512, help="Rollouts at once.")] = 8,
    timeout: Annotated[float, typer.Option("--timeout", min=1.0, help="Seconds of one rollout.")] = 900.0,
    seed: Annotated[int, typer.Option("--seed", help="Of the questions drawn and of the replies.")] = 0,
    max_tokens: MaxTokens = None,
    temperature: Temperature = 0.0,
    prices: PriceOption = None,
    token_cap: Annotated[
        int | None, typer.Option("--token-cap", min=1, help="Begin no rollout beyond so many tokens.")
    ] = None,
    max_cost: Annotated[
        float | None,
        typer.Option("--max-cost", min=0.0, help="Begin no rollout beyond this cost; needs --prices."),
    ] = None,
    fail_below: Annotated[
        float | None,
        typer.Option("--fail-below", metavar="PERCENT", help="Exit code 1 if the first policy is below."),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            "--labels",
            exists=True,
            dir_okay=False,
            help='A JSONL of {"id": QUESTION, "correct": true}: what people say of the first policy.',
        ),
    ] = None,
    profile: Profile = "",
    name: Annotated[str, typer.Option("--name", help="Of this evaluation, below ROOT/evaluations.")] = "",
    json: JsonFlag = False,
) -> None:
    """Measure a model on the questions of a root."""
    if max_cost is not None and prices is None:
        raise UsageError("--max-cost needs --prices IN,OUT")
    from app.answers.measuring.evaluating import EvaluationPlan
    from app.answers.models import ModelChoice, key_of_environment, prices_of
    from app.answers.wording import counted
    from app.commands.interruption import run_coroutine
    from infra.storage.root import Storage
    from orchestration.joins.adapters import tasks_of_split
    from orchestration.study.arms import Arm

    with usage_errors():
        names = tuple(comma_separated(memory) or ("vimrag",))
        arms = tuple(Arm(name=each, memory=each) for each in names)
    plan = EvaluationPlan(
        arms=arms,
        attempts=attempts,
        seed=seed,
        concurrency=concurrency,
        timeout_s=timeout,
        max_tokens=token_cap,
        max_cost=max_cost,
    )
    choice = ModelChoice(
        model=model,
        endpoint=endpoint,
        api_key=key_of_environment(),
        max_tokens=max_tokens,
        temperature=temperature,
        prices=prices_of(prices),
        concurrency=concurrency,
        asks_sight=True,
        profile=known_profile(profile),
    )
    choice.require()
    with usage_errors():
        told = {} if labels is None else _labels(labels)
    refuse_typo(root)
    _warn_of_own_judge(endpoint)
    storage = Storage(root)
    with usage_errors():
        tasks = tasks_of_split(
            storage,
            "test",
            per_dataset=questions,
            seed=seed,
            datasets=dataset_names(datasets),
            question_set=question_set,
        )
    policies = counted(len(plan.arms), "memory policy", "memory policies")
    note(f"{counted(len(tasks), 'question')}, {policies}, {counted(attempts, 'attempt')} each")
    with results() as write, progress_bars() as progress:
        result = run_coroutine(_evaluated(storage, choice, tasks, plan, (name, question_set), told, progress))
        if json:
            write(result.to_json())
    if not json:
        _show(result)
    _gate(result, fail_below)


async def _evaluated(  # noqa: PLR0913 - what was chosen
    storage: Storage,
    choice: ModelChoice,
    tasks: Sequence[Task],
    plan: EvaluationPlan,
    names: tuple[str, str],
    labels: Mapping[str, bool],
    progress: ProgressListener,
) -> EvaluationResult:
    from app.answers.corpus_handle import CorpusHandle
    from app.answers.measuring.arms import ArmOpener
    from app.answers.measuring.evaluating import evaluate_model
    from app.answers.models import open_model
    from orchestration.joins.clusters import clusters_of

    name, question_set = names
    opened = await open_model(choice)
    try:
        folder = _folder(storage, name or re.sub(r"[^\w.-]+", "-", opened.name))
        snapshot = CorpusHandle(storage).snapshot()
        notes = _notes(storage, question_set)
        return await evaluate_model(
            ArmOpener(storage, snapshot, opened),
            opened,
            tasks,
            plan,
            folder,
            index=snapshot.version,
            clusters=clusters_of(storage, tasks),
            notes=notes,
            progress=progress,
            labels=labels,
        )
    finally:
        await opened.close()


def _labels(path: Path) -> dict[str, bool]:
    """What people say, by question. Raises ``ValueError`` that names the line which says nothing."""
    import json

    labels: dict[str, bool] = {}
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            try:
                told = json.loads(line)
                id_, correct = told["id"], told["correct"]
            except (ValueError, TypeError, KeyError):
                id_ = correct = None
            if not isinstance(id_, str) or not isinstance(correct, bool):
                raise ValueError(
                    f'{path}, line {number}: a label is {{"id": QUESTION, "correct": true or false}}'
                )
            labels[id_] = correct
    return labels


def _folder(storage: Storage, name: str) -> Path:
    with usage_errors():
        folder = storage.local_path("evaluations", name)
    if folder is None:
        raise UsageError(
            "evaluations are kept on a local disk: give a local root, to which index and corpus were copied"
        )
    return folder


def _notes(storage: Storage, name: str) -> Mapping[str, tuple[str, ...]]:
    """What the question set says of each benchmark; nothing for invented worlds."""
    from assets.question_sets.build import question_set

    try:
        return {row.dataset: row.notes for row in question_set(storage, name).rows if row.notes}
    except ValueError:
        return {}


def _warn_of_own_judge(endpoint: str) -> None:
    import os

    if endpoint and os.environ.get("VIMRAG_JUDGE_ENDPOINT", "").rstrip("/") == endpoint.rstrip("/"):
        note("WARNING: the judge is the server that is measured; its verdicts may favour its own answers")


def _show(result: EvaluationResult) -> None:
    table = Table("memory", "dataset")
    for column in ("right, %", "95 %", "questions", "unscored", "gold found, %", "tokens a right answer"):
        table.add_column(column, justify="right")
    for memory, evaluation in result.evaluations.items():
        for score in evaluation.datasets:
            counts = (str(score.scored), str(score.rollouts - score.scored))
            tokens = "" if not score.correct else f"{score.tokens_per_correct:,.0f}"
            table.add_row(
                memory,
                score.dataset,
                *_interval(score.accuracy),
                *counts,
                _percent(score.gold_recall),
                tokens,
            )
        table.add_row(memory, "mean", *_interval(evaluation.overall), *("",) * 4, end_section=True)
    console = table_console()
    console.print(f"{result.model}, graded by {result.judge}")
    console.print(table)
    for dataset, notes in result.notes.items():
        note(f"{dataset}: {'; '.join(notes)}")
    _tell(result)


def _tell(result: EvaluationResult) -> None:
    """Comparisons, failures and what was spent, as lines."""
    for pair in result.comparisons():
        note(pair["line"])
    for memory in result.evaluations:
        for error, count in result.failures(memory).items():
            note(f"{memory}: {count:,} unscored: {error or 'no verdict'}")
        if blind := result.blind(memory):
            total = len(result.records[memory])
            note(
                f"{memory}: {blind:,} of {total:,} rollouts were shown words for pictures: {result.model} reads none"
            )
    cost = "" if result.spent_now.cost is None else f", cost {result.spent_now.cost:.2f}"
    note(f"this run: {result.spent_now.rollouts:,} rollouts, {result.spent_now.tokens:,} tokens{cost}")
    if result.left:
        note(
            f"{result.left:,} rollouts were not begun: the cap was reached. The same command with a higher cap goes on"
        )


def _gate(result: EvaluationResult, fail_below: float | None) -> None:
    first = next(iter(result.evaluations.values()))
    if not any(score.scored for score in first.datasets):
        errors = {each.error for each in first.trajectories if each.error}
        note(f"nothing could be scored: {'; '.join(sorted(errors)[:3]) or 'no rollout was begun'}")
        raise typer.Exit(1)
    if fail_below is not None and not 100 * first.overall.estimate >= fail_below:
        note(f"{100 * first.overall.estimate:.1f} % right is below the {fail_below:g} % asked for")
        raise typer.Exit(1)


def _interval(interval: Interval) -> tuple[str, str]:
    return _percent(interval.estimate), f"{_percent(interval.low)} to {_percent(interval.high)}"


def _percent(value: float) -> str:
    return "?" if value != value else f"{100 * value:.1f}"
