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
        with dg.DagsterInstance.from_config(str(self.home)) as instance:
            return set(instance.event_log_storage.get_concurrency_info("gpu").active_run_ids)

    def statuses(self) -> list[dg.DagsterRunStatus]:
        """Of all runs, the newest first."""
        with dg.DagsterInstance.from_config(str(self.home)) as instance:
            return [run.status for run in instance.get_runs()]


def wait_until(true: Callable[[], object], *, within_s: float, what: Callable[[], str]) -> None:
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline, what()
        time.sleep(0.1)


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    return Job(tmp_path_factory.mktemp("killed"))


@pytest.mark.timeout(400)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_job_that_is_ended_leaves_nothing_and_the_next_goes_on(job: Job, number: signal.Signals):
    before = max(job.checkpoints(), default=0)
    running = job.start(updates=1000)
    wait_until(
        lambda: max(job.checkpoints(), default=0) > before or running.poll() is not None,
        within_s=150,
        what=job.log.read_text,
    )
    assert running.poll() is None, job.log.read_text()
    assert len(job.processes()) >= 4  # the job, the supervisor, the launcher, a rank
    assert len(job.holders()) == 1
    running.send_signal(number)
    running.wait(timeout=GRACE_S + 30)
    wait_until(lambda: not job.processes(), within_s=GRACE_S + 5, what=lambda: str(job.processes()))
    reached = max(job.checkpoints())
    # nobody is left to give the slot of a killed run back; the next run does
    assert len(job.holders()) == (1 if number is signal.SIGKILL else 0)
    job.log.unlink()
    following = job.start(updates=reached + 1)
    assert following.wait(timeout=150) == 0, job.log.read_text()
    assert f"resuming after update {reached}" in job.log.read_text()
    assert job.updates() == list(range(reached + 1))
    assert ("was killed while it held the pool" in job.log.read_text()) == (number is signal.SIGKILL)
    assert (job.holders(), job.processes()) == (set(), [])
    assert job.statuses()[0] is dg.DagsterRunStatus.SUCCESS
    assert job.statuses()[1] in (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)
