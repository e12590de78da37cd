"""Two hosts, imitated by two process groups: the runner, the launchers and the ranks are real, only ``ssh`` and ``pdsh`` are not.

A stand-in for ``pdsh`` runs the line for each host in a session of its own, with an empty environment, as a login elsewhere has.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from base64 import urlsafe_b64encode
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest

from orchestration.dagster_defs import launched_assets
from orchestration.launch.commands import to_json
from orchestration.launch.run_config import RunConfig
from orchestration.recipes.miniature import quickstart

REPOSITORY = Path(__file__).resolve().parents[3]
PDSH = """#!{python}
import subprocess, sys
given = sys.argv[1:]
hosts = given[given.index("-w") + 1].split(",")
line = " ".join(given[given.index("-w") + 2 :])
login = ["env", "-i", "PATH={path}", "HOME={home}", "OMP_NUM_THREADS=1"]
running = [
    subprocess.Popen([*login, "sh", "-c", line.replace("%n", str(n))], start_new_session=True)
    for n, host in enumerate(hosts)
]
sys.exit(max(abs(each.wait()) for each in running))
"""
SSH = """#!/bin/sh
echo 127.0.0.1
"""


@pytest.fixture
def two_hosts(tmp_path: Path) -> dict[str, str]:
    """An environment whose ``ssh`` and ``pdsh`` reach two hosts, and a hostfile that names them."""
    tools = tmp_path / "tools"
    tools.mkdir()
    path = f"{tools}:{os.environ['PATH']}"
    text = PDSH.format(python=sys.executable, path=path, home=tmp_path)
    for name, content in (("pdsh", text), ("ssh", SSH)):
        (tools / name).write_text(content)
        (tools / name).chmod(0o755)
    (tmp_path / "hostfile").write_text("host-a slots=1\nhost-b slots=1\n")
    return {**os.environ, "PATH": path, "DS_ACCELERATOR": "cpu", "PYTHONPATH": str(REPOSITORY)}


def launched(tmp_path: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    config = RunConfig(root=str(tmp_path), name='it\'s "one" $run'.replace(" ", "_"), recipe=quickstart())
    record = urlsafe_b64encode(to_json(config).encode()).decode()
    module = ["tests.orchestration.launch.rank_of_two", "--config-base64", record]
    runner = [sys.executable, "-m", "orchestration.launch.exported"]
    return subprocess.run(
        [*runner, "--hostfile", str(tmp_path / "hostfile"), "--no_local_rank", "--module", *module],
        env=environment,
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.timeout(900)
def test_ranks_on_two_hosts_meet_and_know_what_the_run_needs(tmp_path: Path, two_hosts: dict[str, str]):
    odd = 'quotes " and $HOME, `date`'
    told = {"VIMRAG_ODD": odd, "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}
    made = launched(tmp_path, {**two_hosts, **told, "VIMRAG_FAILS": "1"})
    ranks = [json.loads((tmp_path / f"rank-{n}.json").read_text()) for n in range(2)]
    assert [(rank["sum"], rank["world"]) for rank in ranks] == [(3.0, 2)] * 2
    for rank in ranks:
        assert rank["told"]["VIMRAG_ODD"] == odd
        assert rank["told"]["AWS_ENDPOINT_URL"] == "http://127.0.0.1:1"
    for n in range(2):
        assert f"rank {n} of 2 on " in made.stderr
    assert made.returncode != 0 and "failed: this rank was asked to" in made.stderr


def test_a_launcher_that_ends_with_0_and_reports_nothing_is_red(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from infra.storage.root import Storage
    from orchestration.definitions import build_defs

    monkeypatch.setattr(launched_assets, "command", lambda *_, **__: [sys.executable, "-c", "pass"])
    recipe = replace(quickstart(), name="nothing")
    defs = build_defs(resource_overrides={"storage": Storage(tmp_path), "recipe": recipe})
    job = dg.define_asset_job("report_only", selection=["report"])
    resolved = dg.Definitions.merge(defs, dg.Definitions(jobs=[job])).resolve_job_def("report_only")
    result = resolved.execute_in_process(raise_on_error=False)
    assert not result.success
    [failure] = [event for event in result.all_events if event.is_step_failure]
    assert "report" in str(failure.step_failure_data.error)
