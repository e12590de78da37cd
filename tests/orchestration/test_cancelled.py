"""A launched process and a run that is cancelled without its interrupt being noticed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from orchestration.dagster_defs.cancelled import ended_with_its_run
from orchestration.launch.commands import supervised


@dg.job
def nothing() -> None:
    """A run needs a job."""


@pytest.mark.timeout(120)
def test_it_ends_with_its_run_and_takes_what_it_started_along():
    with dg.DagsterInstance.ephemeral() as instance:
        run = instance.create_run_for_job(nothing, status=dg.DagsterRunStatus.STARTED)
        line = supervised(
            [sys.executable, "-c", "import os, time; print(os.getpid(), flush=True); time.sleep(600)"]
        )
        with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            child = int(process.stdout.readline())
            with ended_with_its_run(instance, run.run_id, poll_s=0.1):
                with pytest.raises(subprocess.TimeoutExpired):
                    process.wait(1)  # a run that goes on is let alone
                instance.report_run_canceling(run)
                assert process.wait() != 0
        assert not Path(f"/proc/{child}").exists()
