"""``vimrag questions``: which questions are trained on, which choose between checkpoints, and which measure."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from app.commands.options import JsonFlag, Root, command_group, refuse_typo
from app.commands.output import note, printable, progress_bars, results, table_console
from app.errors import UsageError, usage_errors

if TYPE_CHECKING:
    from assets.question_sets.build import QuestionSet

app = command_group("Question sets: what is trained on and what measures, with nothing on both sides.")

EPILOG = """[bold]Examples[/bold]

  vimrag questions build --root runs/real

Benchmarks of which only one split was published (or fetched) measure. To train on a part of them, by whole documents:

  vimrag questions build --root runs/real --cut squad=0.5 --cut hotpotqa=0.5

A question that shares a gold item, its document or film, or its very words with one that measures is left out of training, and
counted."""


@app.command(epilog=EPILOG)
def build(
    root: Root,
    cut: Annotated[
        list[str] | None,
        typer.Option(
            "--cut", metavar="DATASET=SHARE", help="Train on this share of a benchmark, by documents."
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of cuts and of what chooses checkpoints.")] = 0,
    val_share: Annotated[
        float, typer.Option("--val-share", help="Of the documents trained on; chooses checkpoints.")
    ] = 0.1,
    name: Annotated[str, typer.Option("--name", help="What recipes call it.")] = "default",
    json: JsonFlag = False,
) -> None:
    """Divide the questions of every finished corpus below --root."""
    from assets.question_sets.build import build_question_set
    from assets.question_sets.settings import QuestionSetSettings
    from infra.storage.root import Storage

    refuse_typo(root)
    with usage_errors():
        settings = QuestionSetSettings(
            seed=seed, val_share=val_share, cuts=dict(_cut(text) for text in cut or ())
        )
    with results() as write:
        made = build_question_set(Storage(root), settings, name=name)
        if json:
            write(made.to_json())
            return
    _show(made)


ADD_EPILOG = """[bold]Example[/bold]

  vimrag ingest ~/papers --root runs/mine

  vimrag questions add questions.jsonl --root runs/mine

One object a line: question, answer (or answers, equally good ones), and where it stands: file with page (or pages) or seconds.
Optional: id, split (train, val or test, which is the default), choices, kind. Every line is checked; if one is wrong nothing is
added, and all faults are told. --replace takes the place of what was added before."""


@app.command(epilog=ADD_EPILOG)
def add(
    file: Annotated[Path, typer.Argument(help="A JSONL of questions.", exists=True, dir_okay=False)],
    root: Root,
    replace: Annotated[
        bool, typer.Option("--replace", help="In place of the questions that were added before.")
    ] = False,
    json: JsonFlag = False,
) -> None:
    """Add questions of your own to your own files."""
    from assets.question_sets.build import build_question_set, has_question_set
    from assets.user_files.questions.add import BadLinesError, add_questions
    from infra.storage.root import Storage

    refuse_typo(root)
    storage = Storage(root)
    with results() as write, progress_bars() as progress:
        try:
            added = add_questions(storage, file, anew=replace, progress=progress)
        except BadLinesError as error:
            if json:
                write({"added": 0, "faults": [fault._asdict() for fault in error.faults]})
            for fault in error.faults:
                note(f"line {fault.line}: {printable(fault.fault)}")
            faults = len(error.faults)
            note(f"nothing was added: {faults:,} fault{'s' if faults > 1 else ''} in {file}")
            if any("added before" in fault.fault for fault in error.faults):
                note("--replace takes the place of the questions that were added before")
            raise typer.Exit(1) from None
        if not has_question_set(storage):
            build_question_set(storage)
        if json:
            write(asdict(added))
            return
    splits = ", ".join(f"{count:,} {name}" for name, count in added.splits.items())
    note(f"{added.added:,} questions added, {added.total:,} in all: {splits}")
    if added.without_file:
        note(f"{added.without_file:,} name no file: what is found for them cannot be judged")
    note(f"next: vimrag questions build --root {root}")


@app.command()
def show(
    root: Root,
    name: Annotated[str, typer.Option("--name", help="Which set.")] = "default",
    json: JsonFlag = False,
) -> None:
    """The record of a question set."""
    from assets.question_sets.build import question_set
    from infra.storage.root import Storage

    with results() as write:
        made = question_set(Storage(root), name)
        if json:
            write(made.to_json())
            return
    _show(made)


def _cut(text: str) -> tuple[str, float]:
    dataset, equals, share = text.partition("=")
    try:
        if not equals:
            raise ValueError
        return dataset, float(share)
    except ValueError:
        raise UsageError(f"--cut takes DATASET=SHARE, e.g. squad=0.5, not {text!r}") from None


def _show(made: QuestionSet) -> None:
    table = Table("dataset", "published splits")
    for column in ("train", "val", "test", "left out"):
        table.add_column(column, justify="right")
    table.add_column("notes")
    for row in made.rows:
        splits = ", ".join(f"{name} {count:,}" for name, count in row.splits.items())
        counts = [f"{row.roles.get(role, 0):,}" for role in ("train", "val", "test")]
        dropped = "; ".join(f"{count:,} {reason}" for reason, count in row.dropped.items())
        table.add_row(row.dataset, splits, *counts, dropped, "; ".join(row.notes))
    table_console().print(table)
    for leak in made.leaks:
        note(leak)
    if made.near_items:
        note(f"{made.near_items:,} gold items are nearly the same as another: {'; '.join(made.near[:3])}")
    if made.unseen_pictures:
        note(f"{made.unseen_pictures:,} gold pictures were not compared by their looks")
    if not any(row.roles.get("train") for row in made.rows):
        note(
            "nothing to train on: fetch a training split of SQuAD, WebQA or SlideVQA, or `--cut` a benchmark"
        )
