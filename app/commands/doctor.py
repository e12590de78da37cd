"""``vimrag doctor``: one table of what works here, with one line of help for what does not."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from app.commands.options import Endpoint, JsonFlag, Model, refuse_typo
from app.commands.output import printable, results, table_console
from app.errors import UsageError

if TYPE_CHECKING:
    from app.commands.health.types import Check

COLOURS = {"ok": "green", "failed": "red", "missing": "yellow", "not asked": "dim"}


def doctor(
    *,
    root: Annotated[
        str, typer.Option("--root", envvar="VIMRAG_ROOT", help="The root to look at.", show_default=False)
    ] = "",
    endpoint: Endpoint = "",
    model: Model = "",
    json: JsonFlag = False,
) -> None:
    r"""Say what works on this machine: the model, what it sees and how much it reads, the index, OCR, films, disk.

    [bold]Examples[/bold]

      vimrag doctor

      vimrag doctor --root runs/mine --endpoint http://127.0.0.1:8080/v1

    Every line that is not ok says what to do. Exit code 1 if something failed; what is optional and missing is no failure.
    """
    from app.commands.interruption import run_coroutine

    checks = run_coroutine(_checks(root, endpoint, model))
    failed = any(check.state == "failed" for check in checks)
    with results() as write:
        if json:
            write({"ok": not failed, "checks": [asdict(check) for check in checks]})
    if not json:
        _show(checks)
    if failed:
        raise typer.Exit(1)


async def _checks(root: str, endpoint: str, model: str) -> list[Check]:
    from app.answers.models import key_of_environment
    from app.commands.health.endpoint import endpoint_checks
    from app.commands.health.machine import machine_checks
    from app.commands.health.types import Check, State
    from infra.llm.types import ChatSettings

    try:
        settings = (
            ChatSettings(base_url=endpoint, model=model, api_key=key_of_environment()) if endpoint else None
        )
        served = await endpoint_checks(settings)
    except ValueError as error:
        served = [Check(name="model", state=State.FAILED, detail=str(error), remedy="correct --endpoint")]
    is_local = not root.startswith("s3://")
    folder = Path(root).expanduser().absolute() if root and is_local else Path.cwd()
    return [*served, index(root), *machine_checks(folder)]


def index(root: str) -> Check:
    """Whether the root can be searched; for one that is not there, the one of almost the same name."""
    from app.commands.health.types import Check, State
    from assets.index.published import current_index
    from infra.errors import ExternalError
    from infra.storage.root import Storage

    if not root:
        remedy = "vimrag doctor --root ROOT looks at one"
        return Check(name="index", state=State.SKIPPED, detail="no root named", remedy=remedy)
    try:
        refuse_typo(root)
    except UsageError as error:
        return Check(name="index", state=State.FAILED, detail=str(error), remedy="correct --root")
    try:
        pointer = current_index(Storage(root))
    except (ValueError, OSError, ExternalError) as error:
        remedy = "build it anew: vimrag index build --root ROOT"
        return Check(name="index", state=State.FAILED, detail=" ".join(str(error).split()), remedy=remedy)
    if pointer is None:
        remedy = f"vimrag ingest FILES --root {root}"
        return Check(name="index", state=State.FAILED, detail=f"none at {root}", remedy=remedy)
    datasets = ", ".join(f"{name}: {items:,}" for name, items in dict(pointer.datasets).items())
    return Check(name="index", state=State.OK, detail=f"{datasets} items at {root}")


def _show(checks: list[Check]) -> None:
    table = Table("what", "state", "found", "what helps")
    for check in checks:
        state = f"[{COLOURS[check.state]}]{check.state}[/]"
        table.add_row(check.name, state, escape(printable(check.detail)), escape(printable(check.remedy)))
    table_console().print(table)
