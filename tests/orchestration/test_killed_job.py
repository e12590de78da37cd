"""``dagster job execute -j train_ggpo`` that is stopped or killed leaves no process and no held slot, and the next one goes on.

Real processes and a real instance on disk with our ``dagster.yaml``. No daemon runs: what a killed job left behind is put
right by the next one.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from model.training.metrics import read_metrics
from orchestration.launch.commands import GRACE_S
from orchestration.launch.run_config import RunConfig
from tests.orchestration.dagster_instance import instance_at
from tests.orchestration.plumbing import UPDATES_VARIABLE, prepare

REPOSITORY = Path(__file__).resolve().parents[2]
MARK = "PLUMBING_MARK"  # in the environment of every process of a job, by which they are found again
COMMAND = ["-m", "dagster", "job", "execute", "-m", "tests.orchestration.plumbing", "-j", "train_ggpo"]


class Job:
    """Runs of the command over one root and one Dagster home."""

    def __init__(self, folder: Path) -> None:
        self.home, self.log = folder / "home", folder / "log"
        self.home.mkdir()
        shutil.copy(REPOSITORY / "dagster.yaml", self.home)
        self.config: RunConfig = prepare(folder / "root")
        self.root = folder / "root"

    def start(self, *, updates: int) -> subprocess.Popen[bytes]:
        environment = {
            **os.environ,
            "DAGSTER_HOME": str(self.home),
            "VIMRAG_ROOT": str(self.root),
            UPDATES_VARIABLE: str(updates),
            MARK: str(self.home),
            "PYTHONPATH": str(REPOSITORY),
        }
        return subprocess.Popen(
            [sys.executable, "-W", "ignore", *COMMAND],
            cwd=REPOSITORY,
            env=environment,
            stdout=self.log.open("ab"),
            stderr=subprocess.STDOUT,
        )

    def processes(self) -> list[int]:
        """Everything that a job started and that still runs."""
        marked = f"{MARK}={self.home}".encode()
        found = []
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and marked in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue
        return found

    def checkpoints(self) -> list[int]:
        folder = self.root / self.config.ggpo_checkpoints
        return sorted(int(path.parent.name) for path in folder.glob("[0-9]*/manifest.json"))

    def updates(self) -> list[int]:
        return [record["update"] for record in read_metrics(self.root / self.config.metrics / "ggpo.jsonl")]

    def holders(self) -> set[str]:
        with instance_at(self.home) as instance:
            return set(instance.event_log_storage.get_concurrency_info("gpu").active_run_ids)

    def statuses(self) -> list[dg.DagsterRunStatus]:
        """Of all runs, the newest first."""
        with instance_at(self.home) as instance:
            return [run.status for run in instance.get_runs()]


def wait_until(true: Callable[[], object], *, within_s: float, what: Callable[[], str]) -> None:
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline, what()
        time.sleep(0.1)


@pytest.mark.timeout(600)
def test_jobs_that_are_ended_in_turn_leave_nothing_and_the_next_goes_on(tmp_path: Path):
    job, reached, ended = Job(tmp_path), 0, None
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        running = started(job)
        assert len(job.processes()) >= 4  # the job, the supervisor, the launcher, a rank
        assert len(job.holders()) == 1
        if ended is not None:
            assert_went_on(job, reached, ended)
        running.send_signal(number)
        running.wait(timeout=GRACE_S + 30)
        wait_until(lambda: not job.processes(), within_s=GRACE_S + 5, what=lambda: str(job.processes()))
        reached, ended = max(job.checkpoints()), number
        # nobody is left to give the slot of a killed run back; the next run does
        assert len(job.holders()) == (1 if number is signal.SIGKILL else 0)
        job.log.unlink()
    last = job.start(updates=reached + 1)
    assert last.wait(timeout=150) == 0, job.log.read_text()
    assert_went_on(job, reached, signal.SIGKILL)
    assert job.updates() == list(range(reached + 1))
    assert (job.holders(), job.processes()) == (set(), [])
    success, killed, terminated, interrupted = job.statuses()
    assert success is dg.DagsterRunStatus.SUCCESS
    stopped = (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)
    assert all(each in stopped for each in (killed, terminated, interrupted))


def started(job: Job) -> subprocess.Popen[bytes]:
    """A job that has made a checkpoint and would go on for long."""
    before = max(job.checkpoints(), default=0)
    running = job.start(updates=1000)
    wait_until(
        lambda: max(job.checkpoints(), default=0) > before or running.poll() is not None,
        within_s=150,
        what=job.log.read_text,
    )
    assert running.poll() is None, job.log.read_text()
    return running


def assert_went_on(job: Job, reached: int, ended: signal.Signals) -> None:
    """The job after the one that ``ended`` stopped has made an update beyond ``reached``, and none is missing or there twice."""
    assert f"resuming after update {reached}" in job.log.read_text()
    assert (updates := job.updates()) == list(range(len(updates))) and len(updates) > reached
    assert ("was killed while it held the pool" in job.log.read_text()) == (ended is signal.SIGKILL)
