"""Commands as jobs: every field is an option of its command, what it made is metadata, what it said last is the cause."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import dagster as dg
import pytest
import typer

from app.program import app
from infra.storage.root import Storage
from orchestration.dagster_defs.command_jobs import (
    COMMANDS,
    CommandConfig,
    EvaluateConfig,
    IngestConfig,
    StudyCreditConfig,
    StudyPaperConfig,
)
from orchestration.definitions import build_defs


def options(words: tuple[str, ...]) -> set[str]:
    """Names of the parameters of a command, as its function has them."""
    command: Any = typer.main.get_command(app)
    context = click.Context(command)
    for word in words:
        command = command.get_command(context, word)
    return {name.lstrip("-").replace("-", "_") for each in command.params for name in (each.name, *each.opts)}


@pytest.mark.parametrize("config", COMMANDS.values(), ids=COMMANDS)
def test_every_field_is_an_option_of_its_command(config: type[CommandConfig]):
    assert set(config.model_fields) <= options(config.command)


def test_a_command_line_is_made_of_what_is_said():
    config = EvaluateConfig(endpoint="http://h/v1", memory=["vimrag", "react"], prices=[0.1, 0.4])
    words = config.words()
    assert words[0] == "evaluate" and "--model" not in words
    assert words[words.index("--memory") + 1] == "vimrag,react"
    assert words[words.index("--prices") + 1] == "0.1,0.4"
    assert IngestConfig(paths=["a", "b"], no_ocr=True).words() == [
        "ingest",
        "--dpi",
        "144",
        "--no-ocr",
        "a",
        "b",
    ]
    assert IngestConfig(paths=["a"], speech="m").words()[-3:] == ["--speech", "m", "a"]
    credit = StudyCreditConfig(objective=["ggpo", "gspo"], split="val").words()
    assert credit[:2] == ["study", "credit"] and credit[-4:] == ["--objective", "ggpo", "--objective", "gspo"]
    assert StudyPaperConfig(datasets=["squad", "webqa"]).words()[-1] == "all"


def defaults(words: tuple[str, ...]) -> dict[str, Any]:
    """What each option of a command is when it is not given; nothing and empty are one."""
    command: Any = typer.main.get_command(app)
    context = click.Context(command)
    for word in words:
        command = command.get_command(context, word)
    return {each.name: each.default or None for each in command.params}


@pytest.mark.parametrize("config", [StudyPaperConfig, StudyCreditConfig])
def test_a_study_without_fields_is_the_command_without_options(config: type[CommandConfig]):
    of_command = {**defaults(config.command), "experiments": ["all"]}
    for name, field in config.model_fields.items():
        assert (field.default or None) == of_command[name], name


def run(root: Path, job: str, config: dict[str, Any]) -> dg.ExecuteInProcessResult:
    defs = build_defs(resource_overrides={"storage": Storage(root)})
    run_config = {"ops": {f"{job}_op": {"config": config}}}
    return defs.resolve_job_def(job).execute_in_process(raise_on_error=False, run_config=run_config)


def test_files_are_read_at_the_root_of_the_run(tmp_path: Path):
    (tmp_path / "note.txt").write_text("The lighthouse of Quarvale has nine lamps.")
    result = run(tmp_path / "root", "ingest_files", {"paths": [str(tmp_path / "note.txt")]})
    assert result.success
    assert Storage(tmp_path / "root").exists("corpus/documents/manifest.json")


def test_the_last_line_of_a_command_that_fails_is_the_cause(tmp_path: Path):
    result = run(tmp_path, "compare_evaluations", {"first": "one", "second": "two"})
    assert not result.success
    [failed] = [event for event in result.all_events if event.is_step_failure]
    error = failed.step_failure_data.error
    assert error is not None
    assert error.message.startswith("dagster._core.definitions.events.Failure: vimrag compare")
