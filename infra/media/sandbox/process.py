"""A process in which hostile files are decoded, with limits; killed and replaced when a file breaks it.

Holds starting, asking and ending it, and what its end means for the file in hand. The other side is
``worker.py``, what can be asked for ``infra/media/decoding.py``. Against files that exhaust or crash a decoder; a decoder that
is taken over by its file still reads what its user can read. Linux only.
"""

import fcntl
import importlib
import itertools
import mmap
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from threading import Lock
from typing import IO, Any, NamedTuple, Protocol, TypeVar

from infra.errors import ExternalError, MediaError
from infra.limits import JOB_SECONDS, MAX_STRIKES, MAX_WORKER_BYTES, WALL_FACTOR
from infra.media.sandbox.wire import (
    EXIT_MEMORY,
    PIPE_BYTES,
    WireError,
    WireMessage,
    WireTimeout,
    receive,
    send,
)

OPERATIONS = "infra.media.sandbox.operations"
ROOT = Path(__file__).resolve().parents[3]
SHARED_BYTES = (
    64 << 20
)  # a page has 16 MB at most; what is larger goes through the pipe, at a tenth of the speed
START_SECONDS = 120.0  # for the imports, on a busy machine
# of this environment, all that the decoding process sees: no credentials, no addresses
PASSED_ON = frozenset(
    (
        *("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "LD_LIBRARY_PATH"),
        *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"),
    )
)
_REASON = re.compile(r"[a-z][a-z_]{0,39}")


class SandboxError(ExternalError):
    """The decoding process cannot be started: no file is to blame."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLimits:
    """What one job may take."""

    cpu_s: float = JOB_SECONDS
    """Processor time of all threads, in seconds."""
    memory_bytes: int = MAX_WORKER_BYTES
    """Address space of the whole process."""
    wall_s: float = JOB_SECONDS * WALL_FACTOR
    """Seconds on the clock, after which the process is killed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One thing to be decoded."""

    operation: str
    """Its name in the module of operations."""
    arguments: Mapping[str, Any]
    """What the operation takes; json-able."""
    payload: bytes | None = None
    """The bytes to decode, where the arguments do not name a file."""
    limits: JobLimits = field(default_factory=JobLimits)
    max_bytes: int = 0
    """What the answer may have behind its header."""
    file: str = ""
    """A name for the file, of which there may be several jobs; "" if this is the only one."""


class JobResult(NamedTuple):
    """What a job gave; neither half is to be trusted before it was checked."""

    result: Mapping[str, Any]
    parts: Sequence[bytearray | memoryview]


T = TypeVar("T")


class _Worker(NamedTuple):
    """A running process, this side of its pipes, and the memory that both see."""

    process: subprocess.Popen[bytes]
    requests: int
    answers: int
    shared: mmap.mmap
    complaints: IO[bytes]


class JobRunner(Protocol):
    """Runs jobs, one at a time."""

    @property
    def pid(self) -> int | None:
        """The id of the process that runs them, if there is one now."""
        ...

    def call(self, job: Job, read: Callable[[JobResult], T]) -> T:
        """What ``read`` makes of the answer to a job; the parts of the answer are gone when it returns."""
        ...


class InProcessRunner:
    """Runs the operations in this process, without limits: for tests, and for media one trusts."""

    def __init__(self, operations: str = OPERATIONS) -> None:
        """``operations``: the module of what can be asked for."""
        self._operations, self._lock = operations, Lock()

    @property
    def pid(self) -> int:
        """This process."""
        return os.getpid()

    def call(self, job: Job, read: Callable[[JobResult], T]) -> T:
        """As ``Sandbox.call``; an operation that fails raises what it raises."""
        with self._lock:
            operation = importlib.import_module(self._operations).OPERATIONS[job.operation]
            answer = operation(dict(job.arguments), job.payload)
            return read(JobResult(answer.result, list(answer.parts)))


class Sandbox:
    """One decoding process, started at the first job and after each loss. Thread-safe, one job at a time."""

    def __init__(self, operations: str = OPERATIONS) -> None:
        """``operations``: the module of what can be asked for, as the process imports it."""
        self._operations = operations
        self._strikes: Counter[str] = Counter()
        self._reset()

    def _reset(self) -> None:
        self._pid, self._lock = os.getpid(), Lock()
        self._worker: _Worker | None = None
        self.losses = 0  # processes that a job has cost

    @property
    def pid(self) -> int | None:
        """The id of the process, if there is one."""
        return self._worker.process.pid if self._worker and self._pid == os.getpid() else None

    def call(self, job: Job, read: Callable[[JobResult], T]) -> T:
        """As ``JobRunner.call``.

        Raises:
            MediaError: what the operation or ``read`` raised; ``decoder_failed`` (any other exception),
                ``decoder_crashed``, ``too_slow``, ``too_much_memory``; ``decoder_gave_up`` at once for a file that has
                cost ``MAX_STRIKES`` processes.
            SandboxError: if the process does not start.
        """
        self._leave_parents()
        with self._lock:
            if job.file and self._strikes[job.file] >= MAX_STRIKES:
                raise MediaError("decoder_gave_up", f"the file ended the decoder {MAX_STRIKES} times")
            worker = self._ready()
            try:
                return read(_answered(_ask(worker, job), worker.shared, job.max_bytes))
            except _WorkerLostError as lost:
                self._end()
                self.losses += 1
                self._strikes[job.file] += bool(job.file)
                raise MediaError(lost.reason, lost.detail) from lost
            except MediaError:
                raise
            except (
                BaseException
            ):  # an interrupt: the answer to this job must not be taken for that to the next
                self._end()
                raise

    def close(self) -> None:
        """End the process; the next job starts another."""
        self._leave_parents()
        with self._lock:
            self._end()

    def _leave_parents(self) -> None:
        """After a fork: the process and the lock are the parent's."""
        if self._pid != os.getpid():
            if inherited := self._worker:
                os.close(inherited.requests)
                os.close(inherited.answers)
            self._reset()

    def _ready(self) -> _Worker:
        if self._worker is not None and self._worker.process.poll() is not None:
            self._end()  # it died between two jobs: no file is to blame
        if self._worker is None:
            # the process dies with the thread that started it, so that must be one that lives as long as we do
            self._worker = _starter(os.getpid()).submit(_start, self._operations).result()
            self._greet(self._worker)
        return self._worker

    def _greet(self, worker: _Worker) -> None:
        try:
            receive(worker.answers, max_bytes=0, deadline=time.monotonic() + START_SECONDS)
        except (WireError, WireTimeout) as error:
            worker.process.kill()
            worker.process.wait()
            worker.complaints.seek(0)
            last = worker.complaints.read().decode(errors="replace").strip().rpartition("\n")[2][-500:]
            self._end()
            raise SandboxError(f"the decoding process did not start: {last or repr(error)}") from error

    def _end(self) -> None:
        if (worker := self._worker) is None:
            return
        self._worker = None
        worker.process.kill()
        worker.process.wait()
        worker.complaints.close()
        os.close(worker.requests)
        os.close(worker.answers)


class _WorkerLostError(Exception):
    """The process is gone or cannot be used any more."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason, self.detail = reason, detail


def _ask(worker: _Worker, job: Job) -> WireMessage:
    header = {"operation": job.operation, "arguments": dict(job.arguments)}
    header |= {"cpu_s": job.limits.cpu_s, "memory_bytes": job.limits.memory_bytes}
    parts = () if job.payload is None else (job.payload,)
    deadline = time.monotonic() + job.limits.wall_s
    try:
        send(worker.requests, header, [len(part) for part in parts], parts, deadline=deadline)
        return receive(worker.answers, max_bytes=job.max_bytes, deadline=deadline)
    except WireTimeout:
        raise _WorkerLostError("too_slow", f"not done in {job.limits.wall_s:g} s") from None
    except WireError as error:
        raise _end_of(worker.process, str(error)) from error


def _answered(received: WireMessage, shared: mmap.mmap, max_bytes: int) -> JobResult:
    header, detail = received.header, str(received.header.get("detail", ""))[:500]
    status, result = header.get("status"), header.get("result")
    if status == "ok" and isinstance(result, dict):
        return JobResult(result, received.parts or _slices(shared, header.get("shared", []), max_bytes))
    if status == "refused" and _REASON.fullmatch(reason := str(header.get("reason"))):
        raise MediaError(reason, detail)
    if status == "failed":
        raise MediaError("decoder_failed", detail)
    if status == "out_of_memory":
        raise _WorkerLostError("too_much_memory", "more than the decoder is given")
    raise _WorkerLostError("decoder_crashed", f"an answer that is none: {status!r}"[:500])


def _slices(shared: mmap.mmap, sizes: Any, max_bytes: int) -> list[memoryview]:
    if not isinstance(sizes, list) or not all(type(size) is int and size >= 0 for size in sizes):
        raise _WorkerLostError("decoder_crashed", "sizes that are none")
    if sum(sizes) > min(len(shared), max_bytes):
        raise _WorkerLostError("decoder_crashed", f"an answer of {sum(sizes)} bytes, limit {max_bytes}")
    ends = list(itertools.accumulate(sizes))
    with memoryview(shared) as whole:
        return [whole[end - size : end] for end, size in zip(ends, sizes, strict=True)]


def _end_of(process: subprocess.Popen[bytes], error: str) -> _WorkerLostError:
    """Why the process ended, by how it ended; it is killed if it has not."""
    try:
        code = process.wait(timeout=1.0)
    except subprocess.TimeoutExpired:
        return _WorkerLostError("decoder_crashed", error)
    if code == -signal.SIGXCPU:
        return _WorkerLostError("too_slow", "took more processor time than it is given")
    if code == EXIT_MEMORY:
        return _WorkerLostError("too_much_memory", "more than the decoder is given")
    how = f"ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
    return _WorkerLostError("decoder_crashed", how)


@cache
def _starter(pid: int) -> ThreadPoolExecutor:
    """The thread of process ``pid`` that starts others."""
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="sandbox")


def _start(operations: str) -> _Worker:
    request_end, requests = os.pipe()
    answers, answer_end = os.pipe()
    for pipe in (requests, answers):
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    os.set_blocking(requests, False)
    memory = os.memfd_create("sandbox")
    os.truncate(memory, SHARED_BYTES)
    shared = mmap.mmap(memory, SHARED_BYTES)
    complaints = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
    environment = {name: value for name, value in os.environ.items() if name in PASSED_ON}
    command = [
        *(sys.executable, "-P", "-m", "infra.media.sandbox.worker", f"--operations={operations}"),
        *(f"--requests={request_end}", f"--answers={answer_end}"),
        *(f"--shared={memory}", f"--parent={os.getpid()}"),
    ]
    try:
        process = subprocess.Popen(
            command,
            env=environment | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=complaints,
            pass_fds=(request_end, answer_end, memory),
            start_new_session=True,  # an interrupt at the terminal is for us, not for it
        )
    except OSError as error:
        os.close(requests)
        os.close(answers)
        raise SandboxError(f"the decoding process cannot be started: {error.strerror}") from error
    finally:
        for descriptor in (request_end, answer_end, memory):
            os.close(descriptor)
    return _Worker(process, requests, answers, shared, complaints)
