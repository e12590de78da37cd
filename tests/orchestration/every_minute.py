"""The code location with its schedule of the index due every minute and switched on: what a daemon in a test loads."""

import dagster as dg

from orchestration.dagster_defs.automation.sensors import nightly_index
from orchestration.dagster_defs.jobs import JOBS
from orchestration.definitions import ASSETS, build_defs

_RESOURCES = build_defs().resources

defs = dg.Definitions(
    assets=ASSETS,
    jobs=JOBS,
    schedules=[
        dg.ScheduleDefinition(
            name=nightly_index.name,
            job_name=nightly_index.job_name,
            cron_schedule="* * * * *",
            default_status=dg.DefaultScheduleStatus.RUNNING,
        )
    ],
    resources=_RESOURCES,
)
