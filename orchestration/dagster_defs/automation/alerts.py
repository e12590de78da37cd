"""Whoever should know of a failed run is told its job, the step and the cause: `alerts.json` beside `dagster.yaml` says who."""

import os
from pathlib import Path

import dagster as dg

from infra.alerts import Alert, AlertSettings, send

FILE = "alerts.json"


def settings_file() -> Path:
    """Of the instance that runs."""
    return Path(os.environ.get("DAGSTER_HOME") or ".") / FILE


def alert_of(job: str, run_id: str, failures: list[tuple[str, str]], page: str) -> Alert:
    """What is told of a run; ``failures`` are step and cause, those that others followed from first."""
    step, cause = failures[0] if failures else ("run", "it ended without a failed step; see its page")
    others = f" (and {len(failures) - 1} other steps)" if len(failures) > 1 else ""
    link = f"{page.rstrip('/')}/runs/{run_id}" if page else ""
    return Alert(title=f"{job} failed in {step}{others}", cause=first_line(cause), link=link)


def first_line(error: str) -> str:
    """The cause without the name of the class that carries it."""
    line = next((line for line in error.strip().splitlines() if line.strip()), "")
    name, separator, rest = line.partition(": ")
    return rest if separator and "." in name and " " not in name else line


@dg.run_failure_sensor(
    name="tell_failures",
    default_status=dg.DefaultSensorStatus.STOPPED,
    description="A failed run is told to those whom alerts.json names: log, webhooks, mail.",
)
def tell_failures(context: dg.RunFailureSensorContext) -> dg.SkipReason | None:
    """Send one alert a failed run."""
    settings = AlertSettings.read(settings_file())
    run = context.dagster_run
    failures = [
        (event.step_key or "run", _innermost(event.step_failure_data.error))
        for event in context.get_step_failure_events()
    ]
    failures = failures or [("run", context.failure_event.message or "")]
    problems = send(alert_of(run.job_name, run.run_id, failures, settings.page), settings)
    return dg.SkipReason("; ".join(problems)) if problems else None


def _innermost(error: object) -> str:
    """The message of the error, of its cause where a framework only wraps it."""
    message = str(getattr(error, "message", "") or "")
    while (cause := getattr(error, "cause", None)) is not None and "Failure:" not in message:
        error, message = cause, str(getattr(cause, "message", "") or "")
    return message
