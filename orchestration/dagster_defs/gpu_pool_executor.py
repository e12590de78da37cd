"""Slots of the pool ``gpu`` that a killed run holds, given back by the next run: an executor for the jobs that want the pool.

A run that is killed outright (SIGKILL, power cut) cannot give its slot back, and the daemon that would is not always there.
Each run of these jobs says in its tags which process it is; the next one, before its first step, ends those whose process is
gone. Runs of other machines, and runs without these tags, are left to the daemon's run monitoring.
"""

import os
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import dagster as dg

POOL = "gpu"
HOST_TAG, PROCESS_TAG = "vimrag/host", "vimrag/process"
_START_FIELD = 19  # of /proc/PID/stat behind the command name: start of the process in ticks since boot


def process_of(pid: int) -> str | None:
    """Boot, number and start of a process, which no other process ever has together; None if it does not run."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    if fields[0] == "Z":
        return None
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot}:{pid}:{fields[_START_FIELD]}"


def free_stale_slots(instance: dg.DagsterInstance) -> list[str]:
    """Mark runs that hold the pool and whose process is gone as failed, and free what they hold; their ids."""
    storage = instance.event_log_storage
    info = storage.get_concurrency_info(POOL)
    freed = []
    for run_id in sorted(info.active_run_ids | info.pending_run_ids | info.assigned_run_ids):
        run = instance.get_run_by_id(run_id)
        if run is None or not _is_gone(run.tags):
            continue
        if not run.is_finished:
            instance.report_run_failed(run, "The process of this run was killed; found by the run after it.")
        storage.free_concurrency_slots_for_run(run_id)
        freed.append(run_id)
    return freed


def _is_gone(tags: Mapping[str, str]) -> bool:
    """Whether the tags name a process of this machine that does not run any more."""
    process = tags.get(PROCESS_TAG, "")
    if tags.get(HOST_TAG) != socket.gethostname() or process.count(":") != 2:
        return False
    return process_of(int(process.split(":")[1])) != process


class SlotFreeingExecutor(dg.Executor):
    """Dagster's own executor for one process, which frees the slots of dead processes before its first step."""

    def __init__(self, inner: dg.Executor) -> None:
        self._inner = inner

    @property
    def retries(self) -> Any:
        """Those of the executor inside."""
        return self._inner.retries

    @property
    def step_dependency_config(self) -> Any:
        """That of the executor inside."""
        return self._inner.step_dependency_config

    def execute(self, plan_context: Any, execution_plan: Any) -> Iterator[Any]:
        """Tag the run with this process, free what dead ones hold, and run the steps here."""
        instance = plan_context.instance
        instance.add_run_tags(
            plan_context.run_id, {HOST_TAG: socket.gethostname(), PROCESS_TAG: process_of(os.getpid()) or ""}
        )
        for run_id in free_stale_slots(instance):
            plan_context.log.warning(
                f"run {run_id} was killed while it held the pool {POOL!r}: marked as failed, its slot is free again"
            )
        yield from self._inner.execute(plan_context, execution_plan)


@dg.executor(name="one_process", config_schema=cast(Any, dg.in_process_executor.config_schema))
def one_process_executor(init_context: dg.InitExecutorContext) -> dg.Executor:
    """All steps in the process of the run, so that the launched work is its child and ends with it, however it ends."""
    create = dg.in_process_executor.executor_creation_fn
    assert create is not None
    return SlotFreeingExecutor(create(init_context))
