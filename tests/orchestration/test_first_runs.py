"""Several first runs at once on a new ``DAGSTER_HOME``: every one opens the instance, none sees half-made tables."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
OPEN = """
import sys
from dagster import DagsterInstance
print("ready", flush=True)
sys.stdin.readline()
with DagsterInstance.get() as instance:
    print(len(instance.get_runs()), type(instance.run_storage).__name__)
"""
AT_ONCE = 5


def test_instances_that_are_opened_at_once_are_made_once(tmp_path: Path):
    shutil.copy(REPOSITORY / "dagster.yaml", tmp_path)
    environment = {**os.environ, "DAGSTER_HOME": str(tmp_path), "PYTHONPATH": str(REPOSITORY)}
    started = [
        subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", OPEN],
            cwd=tmp_path,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(AT_ONCE)
    ]
    for process in started:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    ended = [(*process.communicate(timeout=120), process.returncode) for process in started]
    assert [(out, code) for out, _, code in ended] == [("0 SqliteRunStorage\n", 0)] * AT_ONCE, ended
    assert {path.name for path in tmp_path.glob("**/*.db")} == {"runs.db", "index.db", "schedules.db"}
