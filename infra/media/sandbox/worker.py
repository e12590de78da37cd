"""The process in which hostile files are decoded: reads a job, answers, reads the next, until its pipe ends.

Started by ``process.py`` as ``python -P -m infra.media.sandbox.worker`` with the module of its operations and two pipes. It dies
with whoever started it, writes no file, leaves no core, and has a limit of processor time and address space for each job.
What a job may be is ``operations.py``.
"""

import argparse
import ctypes
import importlib
import mmap
import os
import resource
import signal
import sys
import time
from collections.abc import Mapping
from typing import Any

from infra.errors import MediaError
from infra.limits import MAX_WORKER_FILES
from infra.media.sandbox.wire import EXIT_MEMORY, Operation, OperationResult, WireError, receive, send

PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS = 1, 38  # <sys/prctl.h>
MAX_JOB_BYTES = 1 << 40  # of a request: it comes from the side that is trusted
DETAIL_CHARS = 500


def serve(operations: Mapping[str, Operation], requests: int, answers: int, shared: mmap.mmap) -> None:
    """Do jobs until the pipe ``requests`` ends. What an answer has behind its header is ``shared`` if it fits in there."""
    send(answers, {"status": "ready"}, (), ())
    while True:
        try:
            job, parts = receive(requests, max_bytes=MAX_JOB_BYTES)
        except WireError:
            return
        limit_job(cpu_s=job["cpu_s"], memory_bytes=job["memory_bytes"])
        header, answer = _done(operations[job["operation"]], job["arguments"], parts)
        if sum(answer.sizes) <= len(shared):
            send(answers, header | {"shared": _put(answer, shared)}, (), ())
        else:
            send(answers, header, answer.sizes, answer.parts)


def _put(answer: OperationResult, shared: mmap.mmap) -> list[int]:
    start = 0
    for size, part in zip(answer.sizes, answer.parts, strict=True):
        shared[start : start + size] = part
        start += size
    return list(answer.sizes)


def _done(
    operation: Operation, arguments: dict[str, Any], parts: list[bytearray]
) -> tuple[dict[str, Any], OperationResult]:
    nothing = OperationResult({})
    try:
        answer = operation(arguments, bytes(parts.pop()) if parts else None)
        return {"status": "ok", "result": answer.result}, answer
    except MediaError as error:
        return {"status": "refused", "reason": error.reason, "detail": error.detail[:DETAIL_CHARS]}, nothing
    except MemoryError:
        return {"status": "out_of_memory"}, nothing
    except Exception as error:
        return {"status": "failed", "detail": f"{type(error).__name__}: {error}"[:DETAIL_CHARS]}, nothing


def limit_process() -> None:
    """What holds for all jobs: no files written, few opened, no core, no privileges."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (MAX_WORKER_FILES, MAX_WORKER_FILES))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a write fails instead, and its job with it
    ctypes.CDLL(None).prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def limit_job(*, cpu_s: float, memory_bytes: int) -> None:
    """Soft limits, counted from now: so much processor time, and address space in all."""
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time() + cpu_s) + 1, hard))
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, hard))


def die_with(parent: int) -> None:
    """Be killed when the thread that started this process ends; at once, if it has."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("nobody waits for this process")


def main() -> None:
    """Read the command line, load the operations, and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--operations", required=True, help="module with a mapping OPERATIONS")
    parser.add_argument("--requests", type=int, required=True, help="descriptor that jobs come from")
    parser.add_argument("--answers", type=int, required=True, help="descriptor that answers go to")
    parser.add_argument("--shared", type=int, required=True, help="descriptor of memory that both sides see")
    parser.add_argument("--parent", type=int, required=True, help="process id of whoever started this one")
    arguments = parser.parse_args()
    die_with(arguments.parent)
    operations = importlib.import_module(arguments.operations).OPERATIONS
    limit_process()
    try:
        with mmap.mmap(arguments.shared, 0) as shared:
            serve(operations, arguments.requests, arguments.answers, shared)
    except MemoryError:
        os._exit(EXIT_MEMORY)
    except WireError:
        os._exit(0)  # whoever asked has gone


if __name__ == "__main__":
    main()
