"""Ctrl-C at any moment, from the first import of the program to the end of its threads, is one line and exit code 130."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.cli import main
from app.commands.interruption import run_coroutine
from app.program import _explained
from tests.app.server.reader_model import QuietServer
from tests.servers.openai_server import Fault

REPOSITORY = Path(__file__).resolve().parents[2]
# where the tests run in the background of a shell Ctrl-C is ignored, and by their children too
START = """
import atexit, os, signal, sys, threading
signal.signal(signal.SIGINT, signal.default_int_handler)
def interrupt():
    os.kill(os.getpid(), signal.SIGINT)
class AtImport:
    def find_spec(self, name, path=None, target=None):
        if name == moment:
            sys.meta_path.remove(self)
            interrupt()
"""
PROGRAM = """
from app.cli import main
sys.argv[0] = "vimrag"
sys.exit(main())
"""


def interrupted(when: str, *arguments: object) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command line that is started after the lines ``when``."""
    command = [sys.executable, "-c", START + when + PROGRAM, *map(str, arguments)]
    clean = {name: text for name, text in os.environ.items() if not name.startswith(("VIMRAG", "OPENAI"))}
    ended = subprocess.run(command, cwd=REPOSITORY, env=clean, capture_output=True, text=True, timeout=250)
    return ended.returncode, ended.stdout, ended.stderr


pytestmark = pytest.mark.timeout(300)


@pytest.mark.parametrize(
    "moment",
    [
        "app.program",  # nothing of the program is there yet
        "app.commands.xvbench",  # nearly all of it is
        "app.commands.interruption",  # within a command
        "app.commands.health.machine",  # within its event loop
    ],
)
def test_while_something_is_imported(moment: str):
    when = f"moment = {moment!r}\nsys.meta_path.insert(0, AtImport())\n"
    assert interrupted(when, "doctor") == (130, "", "stopped\n")


def test_while_the_process_ends():
    code, out, err = interrupted("atexit.register(interrupt)\n", "version")
    assert (code, err) == (130, "stopped\n") and out.startswith("python ")


def test_in_the_middle_of_a_reply(tmp_path: Path):
    (tmp_path / "note.txt").write_text("The crane opened in 1931.\n")
    assert main(["ingest", str(tmp_path / "note.txt"), "--root", str(tmp_path / "root"), "--json"]) == 0
    stall = Fault(text="I think about it and think about it", then="stall")
    with QuietServer(stall) as slow:
        arguments = ("ask", "When?", "--root", str(tmp_path / "root"), "--endpoint", slow.base_url)
        command = [sys.executable, "-c", START + PROGRAM, *arguments]
        clean = {name: text for name, text in os.environ.items() if not name.startswith("VIMRAG")}
        started = subprocess.Popen(
            command, cwd=REPOSITORY, env=clean, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert started.stderr is not None
        said = started.stderr.read(10)
        started.send_signal(signal.SIGINT)
        out, err = started.communicate(timeout=200)  # it lets go of the index that it was reading
    assert (started.returncode, out) == (130, "")
    assert (said + err).splitlines()[-1] == "stopped" and "Traceback" not in err


@pytest.fixture
def listening() -> Iterator[None]:
    """Ctrl-C is heard in this process."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    signal.signal(signal.SIGINT, before)


async def interrupt_and_wait() -> None:
    os.kill(os.getpid(), signal.SIGINT)
    await asyncio.sleep(60)


@pytest.mark.usefixtures("listening")
def test_a_connection_that_breaks_while_it_is_let_go_is_no_reason():
    async def breaking() -> None:
        try:
            await interrupt_and_wait()
        finally:
            raise ConnectionError("reset by peer")

    with pytest.raises(KeyboardInterrupt):
        run_coroutine(breaking())


@pytest.mark.usefixtures("listening")
def test_who_takes_the_interruption_for_something_else_is_stopped_all_the_same():
    async def deaf() -> str:
        with contextlib.suppress(asyncio.CancelledError):
            await interrupt_and_wait()
        return "done"

    with pytest.raises(KeyboardInterrupt):
        run_coroutine(deaf())


@pytest.mark.usefixtures("listening")
def test_a_second_interruption_does_not_wait():
    async def stubborn() -> None:
        try:
            await interrupt_and_wait()
        except asyncio.CancelledError:
            os.kill(os.getpid(), signal.SIGINT)
            for _ in range(10_000_000):
                pass
            raise AssertionError("it went on") from None

    with pytest.raises(KeyboardInterrupt):
        run_coroutine(stubborn())


@pytest.mark.usefixtures("listening")
def test_without_an_interruption_results_and_errors_come_through():
    async def result() -> int:
        return 7

    async def failing() -> None:
        raise ValueError("wrong")

    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(run_coroutine(result())))  # which gets no signals
    thread.start()
    thread.join()
    assert (found, run_coroutine(result())) == ([7], 7)
    with pytest.raises(ValueError, match="wrong"):
        run_coroutine(failing())


def test_an_error_that_an_interruption_became_is_none(capfd: pytest.CaptureFixture[str]):
    try:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            raise ImportError("numpy could not be loaded") from None
    except ImportError as error:
        assert _explained(error, ["search"], debug=False) == 130
    assert capfd.readouterr().err == "stopped\n"
    assert _explained(ImportError("no such module"), ["search"], debug=False) == 1
