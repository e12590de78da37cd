"""Sensors and schedules: raw files that change, the conditions of assets, the index of every night. All are off at first."""

import json
from typing import Any

import dagster as dg

from assets.corpus.dataset import DATASETS
from assets.corpus.raw_version import is_there, signature
from infra.storage.root import Storage
from orchestration.dagster_defs.jobs import index_job, observe_raw_job
from orchestration.dagster_defs.resources import RawLocation

INTERVAL_S = 30
"""Between two looks of a sensor."""


def look_for_changes(
    context: dg.SensorEvaluationContext,
) -> dg.SensorResult | dg.SkipReason:
    """Compare names, sizes and times with those of the last look; nothing is opened here."""
    resources: Any = context.resources
    storage: Storage = resources.storage
    raw: RawLocation = resources.raw
    folder = raw.resolve(storage)
    now = {name: signature(folder / name) for name in DATASETS if is_there(folder / name)}
    cursor: dict[str, dict[str, str]] = json.loads(context.cursor or "{}")
    before, asked = cursor.get("seen", {}), cursor.get("asked", {})
    still = {name for name, each in now.items() if before.get(name) == each}
    due = sorted(name for name in still if asked.get(name) != now[name])
    context.update_cursor(
        json.dumps({"seen": now, "asked": {**asked, **{name: now[name] for name in due}}}, sort_keys=True)
    )
    if not due:
        moving = sorted(set(now) - still)
        return dg.SkipReason(f"still changing: {', '.join(moving)}" if moving else "nothing changed")
    return dg.SensorResult(
        run_requests=[
            dg.RunRequest(
                partition_key=name, run_key=f"{name}:{now[name]}", tags={"vimrag/because": "raw files"}
            )
            for name in due
        ]
    )


DATA = dg.AssetSelection.groups("corpus", "index") | dg.AssetSelection.assets("retrieval")
MEASURED = dg.AssetSelection.assets("evaluation", "report")


def sensors(
    *,
    interval_s: int = INTERVAL_S,
    status: dg.DefaultSensorStatus = dg.DefaultSensorStatus.STOPPED,
) -> list[dg.SensorDefinition]:
    """Those that let data follow raw files, and the evaluation follow releases.

    Args:
        interval_s: least time between two looks.
        status: whether they are on before anybody switches them.
    """
    return [
        dg.SensorDefinition(
            name="raw_changes",
            evaluation_fn=look_for_changes,
            required_resource_keys={"storage", "raw"},
            job=observe_raw_job,
            minimum_interval_seconds=interval_s,
            default_status=status,
            description="Files came, went or changed in a raw folder, and have lain still for one look: they are hashed.",
        ),
        dg.AutomationConditionSensorDefinition(
            "data_automation",
            target=DATA,
            minimum_interval_seconds=interval_s,
            default_status=status,
            description="raw -> corpus and shards -> index, promoted when its checks pass -> recall, whenever data changed.",
        ),
        dg.AutomationConditionSensorDefinition(
            "evaluation_automation",
            target=MEASURED,
            minimum_interval_seconds=interval_s,
            default_status=dg.DefaultSensorStatus.STOPPED,
            description="A new release is evaluated with the checkpoints that are there. It takes a device.",
        ),
    ]


nightly_index = dg.ScheduleDefinition(
    name="nightly_index",
    job=index_job,
    cron_schedule="0 3 * * *",
    execution_timezone="UTC",
    description="Brings the index up to date with the corpus. Off until switched on.",
)
SCHEDULES = [nightly_index]
