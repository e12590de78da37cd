"""Only slots of dead processes of this machine are freed; whoever runs, or may run elsewhere, keeps theirs."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from orchestration.dagster_defs.gpu_pool_executor import (
    HOST_TAG,
    POOL,
    PROCESS_TAG,
    free_stale_slots,
    process_of,
)
from tests.orchestration.dagster_instance import instance_at

REPOSITORY = Path(__file__).resolve().parents[3]


@dg.op(pool=POOL)
def work() -> None:
    return


@dg.job
def training() -> None:
    work()


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    shutil.copy(REPOSITORY / "dagster.yaml", tmp_path)
    with instance_at(tmp_path) as opened:
        yield opened


def holding(instance: dg.DagsterInstance, tags: dict[str, str]) -> str:
    """A run that has started and holds the only slot."""
    run = instance.create_run_for_job(training, status=dg.DagsterRunStatus.STARTED, tags=tags)
    storage = instance.event_log_storage
    storage.initialize_concurrency_limit_to_default(POOL)
    assert storage.claim_concurrency_slot(POOL, run.run_id, "work").is_claimed
    return run.run_id


def dead() -> str:
    """What the tag of a process that has ended says."""
    child = subprocess.Popen(["sleep", "60"])
    known = process_of(child.pid)
    child.kill()
    child.wait()
    assert known is not None and process_of(child.pid) is None
    return known


def test_what_a_dead_process_holds_is_freed_and_its_run_has_failed(instance: dg.DagsterInstance):
    run_id = holding(instance, {HOST_TAG: socket.gethostname(), PROCESS_TAG: dead()})
    assert free_stale_slots(instance) == [run_id]
    assert instance.event_log_storage.get_concurrency_info(POOL).active_run_ids == set()
    run = instance.get_run_by_id(run_id)
    assert run is not None and run.status is dg.DagsterRunStatus.FAILURE
    assert free_stale_slots(instance) == []


@pytest.mark.parametrize("whose", ["alive", "elsewhere", "unknown"])
def test_a_slot_that_may_be_in_use_is_kept(instance: dg.DagsterInstance, whose: str):
    mine = process_of(os.getpid()) or ""
    tags = {
        "alive": {HOST_TAG: socket.gethostname(), PROCESS_TAG: mine},
        "elsewhere": {HOST_TAG: "another-machine", PROCESS_TAG: dead()},
        "unknown": {},
    }[whose]
    run_id = holding(instance, tags)
    assert free_stale_slots(instance) == []
    assert instance.event_log_storage.get_concurrency_info(POOL).active_run_ids == {run_id}


def test_a_number_that_another_process_has_now_is_not_the_same_process(instance: dg.DagsterInstance):
    boot, pid, start = (process_of(os.getpid()) or "").split(":")
    before = f"{boot}:{pid}:{int(start) - 1}"
    run_id = holding(instance, {HOST_TAG: socket.gethostname(), PROCESS_TAG: before})
    assert free_stale_slots(instance) == [run_id]
