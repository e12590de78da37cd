"""``vimrag home``: a folder for Dagster's own files, set up as this project means it, wherever the platform is installed."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer

from app.commands.options import JsonFlag
from app.commands.output import note, results

FILES = ("dagster.yaml", "workspace.yaml")


def home(
    folder: Annotated[Path, typer.Argument(help="The folder; made if it is not there.", show_default=False)],
    postgres: Annotated[
        bool,
        typer.Option(
            "--postgres",
            help="Runs and events in the Postgres of DAGSTER_POSTGRES_URL, and code as a server.",
        ),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there already.")] = False,
    json: JsonFlag = False,
) -> None:
    """Set up a folder for Dagster (DAGSTER_HOME): its settings, and where the code is.

    [bold]Example[/bold]

      vimrag home ~/dagster && export DAGSTER_HOME=~/dagster VIMRAG_ROOT=~/root

      dagster dev -w ~/dagster/workspace.yaml
    """
    from orchestration.shipped import deployment, shipped

    source = deployment if postgres else shipped
    written: list[str] = []
    with results() as write:
        folder.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            target = folder / name
            if force or not target.exists():
                shutil.copyfile(source(name), target)
                written.append(name)
        if json:
            write({"home": str(folder.resolve()), "written": written})
            return
    kept = [name for name in FILES if name not in written]
    note(f"{folder}: wrote {', '.join(written) or 'nothing'}" + (f", kept {', '.join(kept)}" if kept else ""))
    note(f"next: export DAGSTER_HOME={folder.resolve()}; dagster dev -w {folder / 'workspace.yaml'}")
