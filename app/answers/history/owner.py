"""Which process a question belongs to, so that one is known to be interrupted when that process is gone."""

import os
import socket
from functools import cache
from pathlib import Path


@cache
def _this(pid: int) -> str:
    return f"{socket.gethostname()} {pid} {_started(pid)}"


def this_process() -> str:
    """Machine, number and start of this process: a number alone is given again."""
    return _this(os.getpid())


def is_alive(owner: str) -> bool:
    """Whether the process is still there; one of another machine is believed to be."""
    host, _, rest = owner.partition(" ")
    pid, _, started = rest.partition(" ")
    if host != socket.gethostname():
        return bool(host)
    return pid.isdigit() and _started(int(pid)) == started


def _started(pid: int) -> str:
    """When a process began, in ticks of its machine; empty if it is not there."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""
