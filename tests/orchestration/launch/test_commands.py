"""A launch is a supervised command; what it reports reaches Dagster, and a cancelled run leaves no process behind."""

import json
import os
import signal
import subprocess
import sys
import time
from base64 import urlsafe_b64decode
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest

from orchestration.dagster_defs.causes import cause_of_process
from orchestration.launch.commands import GRACE_S, Script, command, entry_point, environment, to_json
from orchestration.launch.exported import exports, hosts_of, told
from orchestration.launch.process import run_script
from orchestration.launch.record import main
from orchestration.launch.reporter import ConsoleReporter, Reporter, SilentReporter, finite, open_reporter
from orchestration.launch.run_config import RunConfig
from orchestration.recipes.miniature import quickstart

ROOT = Path(__file__).resolve().parents[3]
CONFIG = RunConfig(root="runs/x", name="x", recipe=quickstart())

CANCELLED = """
import sys
import dagster as dg
from orchestration.launch.commands import GRACE_S

rank = "import os, sys, time; open(os.path.join(sys.argv[1], f'pid-{os.getpid()}'), 'w').close(); time.sleep(120)"
launcher = "import subprocess, sys; rank = [sys.executable, '-S', '-c', *sys.argv[1:]]; "
launcher += "[p.wait() for p in [subprocess.Popen(rank) for _ in '12']]"
command = [sys.executable, "-m", "infra.workers.supervisor", "--grace-s", "1", "--"]
command += [sys.executable, "-S", "-c", launcher, rank, sys.argv[1]]

@dg.asset(pool="gpu")
def training(context: dg.AssetExecutionContext, pipes: dg.PipesSubprocessClient) -> dg.MaterializeResult:
    return pipes.run(context=context, command=command).get_materialize_result()

with dg.DagsterInstance.ephemeral() as instance:
    client = dg.PipesSubprocessClient(termination_timeout_seconds=GRACE_S)
    dg.materialize([training], resources={"pipes": client}, instance=instance)
"""


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def ranks(folder: Path) -> list[int]:
    return [int(path.name.removeprefix("pid-")) for path in folder.glob("pid-*")]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_cancelled_training_leaves_no_rank_behind(tmp_path: Path, number: int):
    run = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", CANCELLED, str(tmp_path)], cwd=ROOT, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 80
    while len(ranks(tmp_path)) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert all(map(alive, ranks(tmp_path))) and len(ranks(tmp_path)) == 2
    run.send_signal(number)
    assert run.wait(timeout=40) != 0
    deadline = time.monotonic() + 10
    while any(map(alive, ranks(tmp_path))) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(alive, ranks(tmp_path)))


def test_every_launch_is_supervised_and_gets_its_configuration():
    for script in Script:
        line = command(script, CONFIG)
        assert line[1:3] == ["-m", "infra.workers.supervisor"]
        assert line[line.index("--") + 2 :] == ["-m", *entry_point(script, CONFIG)]


def test_training_starts_one_process_a_rank_through_the_deepspeed_launcher():
    line = command(Script.TRAIN_GGPO, CONFIG, ranks=3)
    assert "deepspeed.launcher.launch" in line
    world = next(part for part in line if part.startswith("--world_info="))
    assert json.loads(urlsafe_b64decode(world.removeprefix("--world_info="))) == {"localhost": [0, 1, 2]}
    assert line[-4:] == ["orchestration.runs", "train_ggpo", "--config-json", to_json(CONFIG)]


def test_the_supervisor_gives_up_before_dagster_does():
    assert GRACE_S < 20


def test_no_secret_is_on_the_command_line(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush")
    assert "hush" not in " ".join(command(Script.EVALUATE, CONFIG))
    assert "hush" not in json.dumps(dict(environment(quickstart())))


def test_ranks_of_one_machine_meet_on_its_loopback(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("GLOO_SOCKET_IFNAME", raising=False)
    recipe = quickstart()
    assert environment(recipe)["GLOO_SOCKET_IFNAME"] == "lo"
    elsewhere = replace(recipe, ggpo=replace(recipe.ggpo, hostfile="hosts"))
    assert "GLOO_SOCKET_IFNAME" not in environment(elsewhere)
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "eth0")
    assert "GLOO_SOCKET_IFNAME" not in environment(recipe)


def test_only_rank_zero_speaks(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("RANK", raising=False)
    with open_reporter() as reporter:
        assert isinstance(reporter, ConsoleReporter)
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("DAGSTER_PIPES_CONTEXT", "not to be opened")
    with open_reporter() as reporter:
        assert isinstance(reporter, SilentReporter)
        assert "DAGSTER_PIPES_CONTEXT" not in os.environ


def test_without_dagster_the_result_is_one_line_of_json(capsys: pytest.CaptureFixture[str]):
    ConsoleReporter().log("update 1/2")
    ConsoleReporter().finish({"loss": float("nan"), "steps": 3}, data_version="v")
    captured = capsys.readouterr()
    assert captured.err == "update 1/2\n"
    assert json.loads(captured.out) == {"loss": None, "steps": 3, "data_version": "v"}


def test_what_is_not_finite_becomes_null_at_any_depth():
    assert finite({"a": float("inf"), "b": {"c": float("nan")}, "d": [1.0, float("nan")]}) == {
        "a": None,
        "b": {"c": None},
        "d": [1.0, None],
    }


def test_a_script_ends_with_a_code_and_one_line(capsys: pytest.CaptureFixture[str]):
    def failing(config: RunConfig, reporter: Reporter) -> None:
        raise ValueError(f"no index in {config.root}")

    def run(body: object, text: str) -> int:
        return run_script(body, RunConfig, text)

    assert run(failing, to_json(CONFIG)) == 1
    assert "error: no index in runs/x\n" in capsys.readouterr().err
    assert run(failing, "{}") == 2
    assert "not a RunConfig: root: " in capsys.readouterr().err
    assert run(lambda config, reporter: reporter.log(config.name), to_json(CONFIG)) == 0
    assert capsys.readouterr().err == "x\n"


def test_several_machines_are_started_by_the_runner_from_their_hostfile():
    wanted = command(Script.TRAIN_GGPO, CONFIG, ranks=16, hostfile="hostfile")
    hostfile, *module = wanted[wanted.index("orchestration.launch.exported") + 1 :]
    assert hostfile == "hostfile"
    assert module[:3] == ["orchestration.runs", "train_ggpo", "--config-base64"]
    assert urlsafe_b64decode(module[3]).decode() == to_json(CONFIG)  # a shell of a host would eat quotes


def test_ranks_on_other_hosts_get_the_keys_of_the_stores_and_what_dagster_listens_to():
    environment = {
        "AWS_SECRET_ACCESS_KEY": "a=b c",
        "WEAVIATE_API_KEY": "key",
        "DAGSTER_PIPES_CONTEXT": "eJyr",
        "VIMRAG_ROOT": "s3://b/r",
        "VIMRAG_TWO": "one\ntwo",
    }
    assert told({**environment, "PATH": "/bin", "DS_ACCELERATOR": "cpu"}) == environment


def test_command_lines_get_what_launchers_read_and_no_more():
    environment = {
        "AWS_SECRET_ACCESS_KEY": "hush",
        "DS_ENV_FILE": "old",
        "DS_TWO": "one\ntwo",
        "DS_ODD": "a$b",
    }
    assert exports({**environment, "DS_ACCELERATOR": "cpu"}) == "DS_ACCELERATOR=cpu\nDS_ODD=a\\$b\n"


def test_a_hostfile_is_lines_of_hosts_with_slots(tmp_path: Path):
    hostfile = tmp_path / "hosts"
    hostfile.write_text("# two\nhost-a slots=8\n\n  host-b   slots=4 # the small one\n")
    assert hosts_of(hostfile) == ["host-a", "host-b"]
    hostfile.write_text("host-a\n")
    with pytest.raises(ValueError, match="a line is `host slots=devices`, got 'host-a'"):
        hosts_of(hostfile)


def test_a_launcher_without_dagster_prints_the_record_of_a_run():
    assert main("quickstart", "mine", "/root") == to_json(
        RunConfig(root="/root", name="mine", recipe=replace(quickstart(), name="mine"))
    )
    with pytest.raises(ValueError, match="unknown recipe"):
        main("nothing", "mine", "/root")


@pytest.mark.parametrize(
    ("error", "told"),
    [(ValueError("no index in runs/x"), "no index in runs/x"), (KeyError("gold"), "KeyError: 'gold'")],
)
def test_a_failed_process_leaves_its_cause_for_whoever_started_it(
    error: Exception, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def failing(config: RunConfig, reporter: Reporter) -> None:
        raise error

    def launch() -> None:
        with cause_of_process("train_ggpo of recipe x") as where:
            for name, value in where.items():
                monkeypatch.setenv(name, value)
            run_script(failing, RunConfig, to_json(CONFIG))
            raise RuntimeError("External execution process failed with code 1")

    with pytest.raises(dg.Failure) as raised:
        launch()
    assert raised.value.description == f"train_ggpo of recipe x: {told}"
