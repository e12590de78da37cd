"""Two hosts, imitated by two process groups: the runner, the launchers and the ranks are real, only ``ssh`` and ``pdsh`` are not.

A stand-in for ``pdsh`` runs the line for each host in a session of its own, with an empty environment, as a login elsewhere has.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import stat
import subprocess
import sys
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import dagster as dg
import pytest

from orchestration.dagster_defs import launched_assets
from orchestration.launch.commands import to_json
from orchestration.launch.record import main
from orchestration.launch.run_config import RunConfig
from orchestration.recipes.miniature import quickstart

SECRETS = ("AWS_SECRET_ACCESS_KEY", "MLFLOW_TRACKING_PASSWORD")
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
echo "$*" >> {folder}/ssh.log
while [ "$1" = -o ]; do shift 2; done
shift
case "$*" in
  hostname*) echo 127.0.0.1 ;;
  *) env -i PATH=/usr/bin:/bin sh -c "$*" ;;
esac
"""


@pytest.fixture
def two_hosts(tmp_path: Path) -> dict[str, str]:
    """An environment whose ``ssh`` and ``pdsh`` reach two hosts, and a hostfile that names them."""
    tools = tmp_path / "tools"
    tools.mkdir()
    path = f"{tools}:{os.environ['PATH']}"
    text = PDSH.format(python=sys.executable, path=path, home=tmp_path)
    for name, content in (("pdsh", text), ("ssh", SSH.format(folder=tmp_path))):
        (tools / name).write_text(content)
        (tools / name).chmod(0o755)
    (tmp_path / "hostfile").write_text("host-a slots=1\nhost-b slots=1\n")
    return {**os.environ, "PATH": path, "DS_ACCELERATOR": "cpu", "PYTHONPATH": str(REPOSITORY)}


def start(tmp_path: Path, environment: dict[str, str]) -> subprocess.Popen[str]:
    config = RunConfig(root=str(tmp_path), name='it\'s "one" $run'.replace(" ", "_"), recipe=quickstart())
    record = urlsafe_b64encode(to_json(config).encode()).decode()
    module = ["tests.orchestration.launch.rank_of_two", "--config-base64", record]
    return subprocess.Popen(
        [sys.executable, "-m", "orchestration.launch.exported", str(tmp_path / "hostfile"), *module],
        env=environment,
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def launched(tmp_path: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    running = start(tmp_path, environment)
    said, errors = running.communicate()
    return subprocess.CompletedProcess(running.args, running.returncode, said, errors)


@pytest.mark.timeout(900)
def test_ranks_on_two_hosts_meet_and_know_what_the_run_needs(tmp_path: Path, two_hosts: dict[str, str]):
    told = {
        "VIMRAG_ODD": 'quotes " and $HOME, `date`,\nand a second line',
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_SECRET_ACCESS_KEY": f"hush-{uuid4().hex}",
        "MLFLOW_TRACKING_PASSWORD": f"hush-{uuid4().hex}",  # the runner would show it by itself
    }
    made = launched(tmp_path, {**two_hosts, **told, "VIMRAG_FAILS": "1"})
    ranks = [json.loads((tmp_path / f"rank-{n}.json").read_text()) for n in range(2)]
    assert [(rank["sum"], rank["world"]) for rank in ranks] == [(3.0, 2)] * 2
    for rank in ranks:
        assert {name: rank["told"].get(name) for name in told} == told
        assert not set(rank["shown"]) & set(SECRETS), "ps shows it"
    calls = (tmp_path / "ssh.log").read_text()
    for name in SECRETS:
        assert told[name] not in made.stdout + made.stderr + calls
    assert not left_of(calls)
    for n in range(2):
        assert f"rank {n} of 2 on " in made.stderr
    assert made.returncode != 0 and "failed: this rank was asked to" in made.stderr


def left_of(calls: str) -> list[str]:
    """Files of keys that are still there, of those that ssh was told to write."""
    written = re.findall(r"cat > (\S+)", calls)
    assert len(written) == 2
    return [path for path in written if Path(path).exists()]


@pytest.mark.parametrize("missing", ["host-b", "pdsh"])
def test_keys_stay_on_no_host_when_a_run_does_not_begin(
    missing: str, tmp_path: Path, two_hosts: dict[str, str]
):
    tools = tmp_path / "tools"
    if missing == "pdsh":
        (tools / "pdsh").unlink()
    else:
        away = 'case "$*" in *host-b*rm*|*host-a*) ;; *) echo no route >&2; exit 255;; esac\n'
        (tools / "ssh").write_text(SSH.format(folder=tmp_path).replace("while", f"{away}while", 1))
    made = launched(tmp_path, two_hosts)
    assert made.returncode != 0
    assert ("error: ssh host-b: no route" if missing == "host-b" else "pdsh") in made.stderr
    assert not left_of((tmp_path / "ssh.log").read_text())


def test_a_run_that_is_ended_leaves_no_keys(tmp_path: Path, two_hosts: dict[str, str]):
    waiting = f'case "$*" in *pkill*) exit;; esac\ntouch {tmp_path}/begun\nexec sleep 600\n'
    (tmp_path / "tools" / "pdsh").write_text(f"#!/bin/sh\n{waiting}")
    running = start(tmp_path, two_hosts)
    while not (tmp_path / "begun").exists():
        assert running.poll() is None
        time.sleep(0.05)
    calls = (tmp_path / "ssh.log").read_text()
    [first, second] = left_of(calls)
    assert [stat.S_IMODE(os.stat(path).st_mode) for path in (first, second)] == [0o600] * 2
    running.terminate()
    running.communicate()
    assert running.returncode == 128 + signal.SIGTERM and not left_of(calls)


def test_the_script_for_hosts_sends_a_record_that_shells_leave_whole(
    tmp_path: Path, two_hosts: dict[str, str]
):
    (tmp_path / "tools" / "pdsh").write_text(f'#!/bin/sh\necho "$*" > {tmp_path}/line\n')
    environment = {**two_hosts, "VIMRAG_ROOT": "/root of all"}
    environment["PATH"] = f"{tmp_path / 'tools'}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    script = REPOSITORY / "infra" / "deploy" / "hosts" / "train.sh"
    line = ["bash", str(script), str(tmp_path / "hostfile"), "quickstart", "mine"]
    subprocess.run(line, env=environment, cwd=REPOSITORY, check=True)
    words = shlex.split((tmp_path / "line").read_text())  # as a shell of a host takes it
    assert words[-4:-1] == ["orchestration.runs", "train_ggpo", "--config-base64"]
    assert urlsafe_b64decode(words[-1]).decode() == main("quickstart", "mine", "/root of all") + "\n"


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
