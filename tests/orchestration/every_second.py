"""The code location with the sensors of raw files and data switched on and looking often: what a daemon in a test loads."""

import dagster as dg

from orchestration.dagster_defs.automation.sensors import sensors
from orchestration.dagster_defs.jobs import JOBS
from orchestration.definitions import ASSETS, build_defs

defs = dg.Definitions(
    assets=ASSETS,
    jobs=JOBS,
    sensors=sensors(interval_s=2, status=dg.DefaultSensorStatus.RUNNING),
    resources=build_defs().resources,
    executor=dg.in_process_executor,
)
