"""``vimrag miniature``: the invented benchmark in the nine datasets' own formats."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from app.commands.options import JsonFlag, command_group
from app.commands.output import note, results, table_console

app = command_group("Write the invented benchmark that fits on a laptop.")

HOPS = "Searches of the longest question about passages; with 3 or 4 every fact that it rests on has a decoy."
EPILOG = """[bold]Example[/bold]

  vimrag miniature write --out miniature-raw --train 8 --test 4

  vimrag corpus build --raw miniature-raw --root runs/miniature

The same options give the same bytes. Names of test worlds never occur in training worlds."""


@app.command(epilog=EPILOG)
def write(  # noqa: PLR0913 - one parameter an option
    out: Annotated[
        Path,
        typer.Option(
            "--out", help="Folder for one folder a dataset; must not hold them yet.", show_default=False
        ),
    ],
    train: Annotated[int, typer.Option(min=0, help="Training worlds.")] = 8,
    val: Annotated[int, typer.Option(min=0, help="Validation worlds.")] = 2,
    test: Annotated[int, typer.Option(min=0, help="Test worlds, unseen in training.")] = 4,
    seed: Annotated[int, typer.Option(help="Other worlds for another number.")] = 0,
    hops: Annotated[int, typer.Option(min=2, max=4, help=HOPS)] = 2,
    json: JsonFlag = False,
) -> None:
    """Write raw folders of nine datasets about invented worlds."""
    from assets.corpus.dataset import DATASETS
    from assets.miniature.build import write_miniature

    if taken := [name for name in ("miniature", *DATASETS) if (out / name).exists()]:
        raise ValueError(f"{out} already holds {', '.join(taken)}: choose an --out without them")
    with results() as write_line:
        summary = write_miniature(
            out, seed=seed, worlds_by_split={"train": train, "val": val, "test": test}, hops=hops
        )
        if json:
            write_line({**asdict(summary), "raw": str(out)})
            return
    table = Table("dataset")
    table.add_column("items", justify="right")
    table.add_column("questions", justify="right")
    for name, count in summary.questions.items():
        table.add_row(name, f"{summary.items.get(name, 0):,}", f"{count:,}")
    console = table_console()
    console.print(f"miniature in {out}", soft_wrap=True, markup=False)
    console.print(table)
    note(f"next: vimrag corpus build --raw {out} --root runs/miniature")
