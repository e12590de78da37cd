"""``vimrag compare``: two finished evaluations over the questions that both have, and a gate for continuous integration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.options import JsonFlag
from app.commands.output import note, results, table_console
from app.errors import UsageError, usage_errors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.answers.measuring.comparing import Comparison
    from app.answers.measuring.records import AnswerRecord

EPILOG = """[bold]Examples[/bold]

  vimrag compare before after --root runs/real

Each benchmark by itself, and exit code 1 if the second is more than two points worse:

  vimrag compare runs/real/evaluations/a runs/real/evaluations/b --by-dataset --fail-below -2

Differences are of the second minus the first. Questions of one document or film are redrawn together (bootstrap) and change sign
together (permutation); p-values are Holm's over everything that is shown. The last figure says how many questions of such
documents would show a difference of five points with a power of 80 %."""


def compare(  # noqa: PLR0913 - one parameter an option
    first: Annotated[
        str, typer.Argument(help="An evaluation: its name below ROOT/evaluations, or its folder.")
    ],
    second: Annotated[str, typer.Argument(help="The one that is compared with it.")],
    root: Annotated[
        str, typer.Option("--root", envvar="VIMRAG_ROOT", help="Where they lie, if they are called by name.")
    ] = "",
    memory: Annotated[
        str, typer.Option("--memory", metavar="A,B", help="Some of the memory policies, by comma.")
    ] = "",
    by_dataset: Annotated[bool, typer.Option("--by-dataset", help="Each benchmark by itself, too.")] = False,
    fail_below: Annotated[
        float | None,
        typer.Option("--fail-below", metavar="POINTS", help="Exit code 1 if a difference is below, e.g. -2."),
    ] = None,
    certain: Annotated[
        bool, typer.Option("--certain", help="The gate closes only if the whole interval is below.")
    ] = False,
    json: JsonFlag = False,
) -> None:
    """Compare two evaluations on the same questions."""
    from app.answers.measuring.comparing import compare_pairs
    from app.answers.measuring.records import read_answers

    with usage_errors():
        before, after = (
            _arms(read_answers(evaluation_folder(name, root)), memory) for name in (first, second)
        )
        shared = [name for name in before if name in after]
        if not shared and len(before) == len(after) == 1:  # two policies, one in each
            pairs = [(*next(iter(after.items())), *next(iter(before.items())))]
        else:
            pairs = [(name, after[name], name, before[name]) for name in shared]
    found = compare_pairs(pairs, by_dataset=by_dataset)
    if not found:
        raise UsageError("the two have no scored question in common")
    with results() as write:
        if json:
            write({"first": first, "second": second, "comparisons": [each.to_json() for each in found]})
    if not json:
        for each in found:
            table_console().print(
                each.line.replace(f"{each.of} - {each.against}", _named(each)), soft_wrap=True, markup=False
            )
    _gate(found, fail_below, certain=certain)


def evaluation_folder(name: str, root: str) -> Path:
    """The folder of an evaluation. Raises ``ValueError`` if there is none of that name or place."""
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    below = Path(root.removeprefix("file://")).expanduser() / "evaluations"
    if root and (below / name).is_dir():
        return below / name
    known = ", ".join(sorted(path.name for path in below.iterdir())) if root and below.is_dir() else "none"
    raise ValueError(f"no evaluation {name!r}; there are: {known}")


def _arms(records: Sequence[AnswerRecord], memory: str) -> dict[str, list[AnswerRecord]]:
    from app.answers.measuring.comparing import by_arm

    arms = by_arm(records)
    if not memory:
        return arms
    wanted = [name.strip() for name in memory.split(",")]
    if missing := [name for name in wanted if name not in arms]:
        raise ValueError(f"no answers of {', '.join(missing)}; there are: {', '.join(arms)}")
    return {name: arms[name] for name in wanted}


def _named(each: Comparison) -> str:
    return each.of if each.of == each.against else f"{each.of} - {each.against}"


def _gate(found: Sequence[Comparison], fail_below: float | None, *, certain: bool) -> None:
    if fail_below is None:
        return
    for each in found:
        bounds = each.test.difference
        measured = 100 * (bounds.high if certain else bounds.estimate)
        if not measured >= fail_below:
            note(f"{each.line}: below the {fail_below:+g} points asked for")
            raise typer.Exit(1)
