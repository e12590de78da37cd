"""``vimrag study endpoint``: what the records of a study's runs say together, however many sittings they were made in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from app.commands.options import JsonFlag
from app.commands.output import note, results, table_console
from app.errors import usage_errors

if TYPE_CHECKING:
    from orchestration.study.record import Endpoint


def endpoint(
    records: Annotated[
        list[Path],
        typer.Argument(metavar="RECORDS", exists=True, help="Of runs (JSON), or folders that hold them."),
    ],
    out: Annotated[
        Path | None, typer.Option(help="Folder for the page (index.html) and its drawings.", file_okay=False)
    ] = None,
    json: JsonFlag = False,
) -> None:
    """Show what the records of a study's runs say together: objectives minus GSPO, while they train and on unseen questions.

    Seed by seed, with intervals: the share of right rollouts over the updates, and the area under sampled answers.

    [bold]Example[/bold]

      vimrag study endpoint runs/study/reports/study-ggpo/runs
    """
    from orchestration.study.record import endpoint as endpoint_of
    from orchestration.study.record import read_records

    with usage_errors():
        found = endpoint_of(read_records(records))
    if out is not None:
        _write_page(found, out)
    with results() as write:
        if json:
            write(found.to_json().decode())
    if not json:
        show_endpoint(found)


def show_endpoint(found: Endpoint) -> None:
    """A table of each objective's runs, then the differences in words."""
    from orchestration.study.figures import seeds_line

    table = Table(
        "objective", title="sampled answers to unseen questions, seed by seed", title_justify="left"
    )
    for column in ("seeds", "update", "right, %", "searches", "refused a rollout"):
        table.add_column(column, justify="right")
    for arm, by_update in found.spending.items():
        for update, spent in by_update.items():
            table.add_row(
                arm,
                ", ".join(map(str, found.seeds[arm])),
                str(update),
                ", ".join(f"{100 * each.right:.1f}" for each in spent),
                ", ".join(f"{each.searches:.1f}" for each in spent),
                ", ".join(f"{each.refused:.2f}" for each in spent),
            )
    table_console().print(table)
    for arm, difference in found.areas.items():
        note(f"area, {arm} minus GSPO: {seeds_line(difference)}")
    for arm, against in found.online.items():
        for other, difference in against.items():
            note(f"while training, {arm} minus {other}: {seeds_line(difference, over='runs')}")
    if not found.areas:
        note("no objective has a seed in common with GSPO yet")


def _write_page(found: Endpoint, folder: Path) -> None:
    from orchestration.study.endpoint_page import endpoint_page, endpoint_pictures

    folder.mkdir(parents=True, exist_ok=True)
    for name, text in {"index.html": endpoint_page(found), **endpoint_pictures(found)}.items():
        (folder / name).write_text(text, encoding="utf-8")
    note(f"the page: {folder / 'index.html'}")
