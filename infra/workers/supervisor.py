"""Run one command so that nothing of it outlives its end, its cancellation or the death of whoever asked for it.

Holds process groups and signals only; what is run and how its progress is read belong to the caller. Linux only. Used as
``python -m infra.workers.supervisor -- command ...`` between an orchestrator and a training launcher: the orchestrator
signals one direct child and forgets, the launcher's ranks keep the device. Three nets, each for what the one before cannot
catch:

1. SIGTERM and SIGINT are passed to the whole process group; whatever is left after ``grace_s`` is killed.
2. The supervisor adopts orphans (child subreaper), so that a descendant which left the group is found and killed at the end.
3. A guard process outside the group holds a pipe of the supervisor. Should the supervisor be killed outright, the pipe breaks
   and the guard kills the group and the descendants that it still reaches.
"""

import argparse
import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

PR_SET_PDEATHSIG = 1  # <sys/prctl.h>
PR_SET_CHILD_SUBREAPER = 36
POLL_S = 0.05
GUARD_POLL_S = 0.5
ALL_CLEAR = b"done"

_LIBC = ctypes.CDLL(None, use_errno=True)


def run(command: Sequence[str], *, grace_s: float = 10.0) -> int:
    """Run ``command`` in a session of its own and return its exit code, 128 + signal if a signal ended it.

    Must be called from the main thread of a process that may install signal handlers. Changes this process: it becomes a
    child subreaper and is asked to terminate when its own parent dies.

    Raises:
        ValueError: if the command is empty.
        FileNotFoundError: if there is no such program.
    """
    if not command:
        raise ValueError("nothing to run: give a command after --")
    _prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    with _pending_stop() as stop:
        child = subprocess.Popen(command, start_new_session=True, preexec_fn=_die_with_parent)
        guard = _start_guard(child.pid)
        try:
            return _wait(child, stop, grace_s)
        finally:
            kill_descendants(child.pid, spare=guard.pid)
            _dismiss(guard)


def kill_descendants(group: int, *, spare: int = 0) -> None:
    """SIGKILL the process group ``group`` and every other descendant of this process, except ``spare``."""
    _signal_group(group, signal.SIGKILL)
    while stray := [pid for pid in descendants(os.getpid()) if pid != spare]:
        for pid in stray:
            _signal_process(pid, signal.SIGKILL)
        _reap(stray)
        time.sleep(POLL_S)


def descendants(root: int) -> list[int]:
    """Process ids below ``root``, zombies left out, in no particular order."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (status := _parent_and_state(entry)) and status[1] != "Z":
            children.setdefault(status[0], []).append(int(entry.name))
    found, pending = [], [root]
    while pending:
        below = children.get(pending.pop(), [])
        found += below
        pending += below
    return found


def _parent_and_state(entry: Path) -> tuple[int, str] | None:
    try:
        # the command name is in brackets and may hold spaces and brackets itself
        fields = (entry / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(fields[1]), fields[0]


def _wait(child: subprocess.Popen[bytes], stop: list[int], grace_s: float) -> int:
    deadline = None
    forwarded = 0
    while (code := child.poll()) is None:
        for number in stop[forwarded:]:
            _signal_group(child.pid, number)
            deadline = deadline or time.monotonic() + grace_s
        forwarded = len(stop)
        if deadline is not None and time.monotonic() >= deadline:
            _signal_group(child.pid, signal.SIGKILL)
        time.sleep(POLL_S)
    if deadline is not None:
        _drain(child.pid, deadline)
    return 128 - code if code < 0 else code


def _drain(group: int, deadline: float) -> None:
    """Give the rest of the group the time that is left to end by itself."""
    while time.monotonic() < deadline and _group_lives(group):
        _reap(descendants(os.getpid()))
        time.sleep(POLL_S)


def _group_lives(group: int) -> bool:
    for pid in descendants(os.getpid()):
        try:
            if os.getpgid(pid) == group:
                return True
        except ProcessLookupError:
            continue
    return False


@contextmanager
def _pending_stop() -> Iterator[list[int]]:
    """Signals that ask to stop, in order of arrival, while the block runs."""
    received: list[int] = []

    def remember(number: int, _frame: FrameType | None) -> None:
        received.append(number)

    before = {number: signal.signal(number, remember) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _start_guard(group: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-S", "-E", str(Path(__file__).resolve()), "--guard", str(group)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _dismiss(guard: subprocess.Popen[bytes]) -> None:
    try:
        guard.communicate(ALL_CLEAR, timeout=5)
    except subprocess.TimeoutExpired:
        guard.kill()
        guard.wait()


def watch(group: int) -> None:
    """Body of the guard: kill ``group`` unless the all-clear arrives before the pipe breaks.

    Descendants that left the group are looked up while the supervisor lives, since afterwards nobody can tell whose they were.
    """
    supervisor, known = os.getppid(), list[int]()
    while not select.select([0], [], [], GUARD_POLL_S)[0]:
        known = descendants(supervisor)
    if os.read(0, len(ALL_CLEAR)) == ALL_CLEAR:
        return
    below = {pid for parent in known for pid in descendants(parent)}
    _signal_group(group, signal.SIGKILL)
    for pid in below.union(known) - {os.getpid()}:
        _signal_process(pid, signal.SIGKILL)


def _prctl(option: int, value: int) -> None:
    if _LIBC.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option}, {value}) failed")


def _die_with_parent() -> None:
    _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _signal_group(group: int, number: int) -> None:
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return


def _signal_process(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _reap(pids: Sequence[int]) -> None:
    for pid in pids:
        try:
            os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            continue


def main(argv: Sequence[str] | None = None) -> int:
    """Command line: ``python -m infra.workers.supervisor [--grace-s S] -- command ...``."""
    parser = argparse.ArgumentParser(
        prog="infra.workers.supervisor", description="Run a command; leave nothing of it behind."
    )
    parser.add_argument(
        "--grace-s", type=float, default=10.0, help="seconds between the request to stop and SIGKILL"
    )
    parser.add_argument("--guard", type=int, default=None, help=argparse.SUPPRESS)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    given = parser.parse_args(argv)
    if given.guard is not None:
        watch(given.guard)
        return 0
    command = given.command[1:] if given.command[:1] == ["--"] else given.command
    try:
        return run(command, grace_s=given.grace_s)
    except (ValueError, FileNotFoundError, PermissionError) as error:
        print(f"supervisor: {error}", file=sys.stderr)
        return 127 if isinstance(error, OSError) else 2


if __name__ == "__main__":
    sys.exit(main())
