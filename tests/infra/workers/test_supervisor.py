"""Nothing of a supervised command survives its end, its cancellation or the death of whoever asked for it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

TREE = """
import os, signal, subprocess, sys, time
folder, depth, mode = sys.argv[1], int(sys.argv[2]), sys.argv[3]
if mode == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
if mode == "polite":
    def leave(number, frame):
        open(os.path.join(folder, f"polite-{os.getpid()}"), "w").write(str(number))
        sys.exit(7)
    signal.signal(signal.SIGTERM, leave)
open(os.path.join(folder, f"pid-{os.getpid()}"), "w").close()
child = None
if depth:
    escape = mode == "escaping" and depth == 1
    child = subprocess.Popen([sys.executable, "-S", __file__, folder, str(depth - 1), mode], start_new_session=escape)
if mode == "finishing" and depth == 2:
    time.sleep(0.5)
    sys.exit(3)
time.sleep(120)
"""


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Callable[[str], list[str]]]:
    """The command of a process with a child and a grandchild, all of which note their ids in ``tmp_path``."""
    script = tmp_path / "tree.py"
    script.write_text(TREE)
    yield lambda mode: [sys.executable, "-S", str(script), str(tmp_path), "2", mode]
    for pid in noted(tmp_path):  # whatever a failing test left
        if alive(pid):
            os.kill(pid, signal.SIGKILL)


def supervised(command: list[str], *, grace_s: float = 0.5) -> list[str]:
    return [sys.executable, "-m", "infra.workers.supervisor", "--grace-s", str(grace_s), "--", *command]


def noted(folder: Path) -> list[int]:
    return [int(path.name.removeprefix("pid-")) for path in folder.glob("pid-*")]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until(claim: Callable[[], bool], *, within_s: float = 10.0) -> bool:
    deadline = time.monotonic() + within_s
    while not claim() and time.monotonic() < deadline:
        time.sleep(0.02)
    return claim()


def three_run(folder: Path) -> bool:
    return len(noted(folder)) == 3 and all(map(alive, noted(folder)))


def none_run(folder: Path) -> bool:
    return not any(map(alive, noted(folder)))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("mode", ["plain", "stubborn", "escaping"])
def test_a_signal_to_the_supervisor_ends_the_whole_tree(tree, tmp_path: Path, mode: str, number: int):
    process = subprocess.Popen(supervised(tree(mode)))
    assert wait_until(lambda: three_run(tmp_path))
    process.send_signal(number)
    code = process.wait(timeout=20)
    assert code == 128 + (signal.SIGKILL if mode == "stubborn" else number) or number == signal.SIGINT
    assert code != 0
    assert none_run(tmp_path)


def test_the_command_may_save_its_work_before_it_goes(tree, tmp_path: Path):
    process = subprocess.Popen(supervised(tree("polite"), grace_s=10))
    assert wait_until(lambda: three_run(tmp_path))
    process.terminate()
    assert process.wait(timeout=20) == 7
    assert len(list(tmp_path.glob("polite-*"))) == 3
    assert none_run(tmp_path)


def test_children_that_a_finished_command_left_behind_are_killed(tree, tmp_path: Path):
    assert subprocess.run(supervised(tree("finishing")), timeout=30).returncode == 3
    assert len(noted(tmp_path)) == 3
    assert none_run(tmp_path)


@pytest.mark.parametrize("mode", ["plain", "stubborn", "escaping"])
def test_nothing_survives_when_the_supervisor_is_killed_outright(tree, tmp_path: Path, mode: str):
    process = subprocess.Popen(supervised(tree(mode)))
    assert wait_until(lambda: three_run(tmp_path))
    time.sleep(1.2)  # the guard looks for descendants outside the group twice a second
    process.kill()
    process.wait()
    assert wait_until(lambda: none_run(tmp_path))


def test_nothing_survives_when_the_process_that_started_the_supervisor_is_killed(tree, tmp_path: Path):
    starter = "import subprocess, sys, time; subprocess.Popen(sys.argv[1:]); time.sleep(120)"
    parent = subprocess.Popen([sys.executable, "-c", starter, *supervised(tree("stubborn"))])
    assert wait_until(lambda: three_run(tmp_path))
    parent.kill()
    parent.wait()
    assert wait_until(lambda: none_run(tmp_path))


@pytest.mark.parametrize(
    ("command", "code"), [(["true"], 0), (["sh", "-c", "exit 5"], 5), (["sh", "-c", "kill -9 $$"], 137)]
)
def test_the_exit_code_is_that_of_the_command(command: list[str], code: int):
    assert subprocess.run(supervised(command), timeout=20).returncode == code


def test_the_output_of_the_command_passes_through():
    done = subprocess.run(supervised(["echo", "step 3 of 9"]), capture_output=True, text=True, timeout=20)
    assert done.stdout == "step 3 of 9\n"


@pytest.mark.parametrize(
    ("command", "code", "text"), [([], 2, "give a command"), (["no-such-program"], 127, "no-such-program")]
)
def test_a_command_that_cannot_start_is_one_clear_line(command: list[str], code: int, text: str):
    done = subprocess.run(supervised(command), capture_output=True, text=True, timeout=20)
    assert done.returncode == code
    assert text in done.stderr
    assert done.stderr.count("\n") == 1
