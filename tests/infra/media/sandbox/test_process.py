"""Whatever a decoder does, the process that asked goes on, knows which file it was, and gets the next one decoded."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from infra.errors import MediaError
from infra.limits import MAX_STRIKES
from infra.media.sandbox import process
from infra.media.sandbox.process import Job, JobLimits, JobResult, Sandbox, SandboxError

OPERATIONS = "tests.infra.media.hostile_operations"
MEGABYTE = 1 << 20


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    box = Sandbox(OPERATIONS)
    yield box
    box.close()


def copied(answer: JobResult) -> tuple[dict[str, Any], list[bytes]]:
    return dict(answer.result), [bytes(part) for part in answer.parts]


def call(box: Sandbox, operation: str, payload: bytes | None = None, **settings: Any) -> Any:
    job = Job(operation=operation, arguments=settings.pop("arguments", {}), payload=payload, **settings)
    return box.call(job, copied)


def echoed(box: Sandbox, data: bytes) -> bytes:
    return call(box, "echo", data, max_bytes=len(data))[1][0]


def reason(box: Sandbox, operation: str, **settings: Any) -> tuple[str, str]:
    with pytest.raises(MediaError) as caught:
        call(box, operation, **settings)
    assert echoed(box, b"next") == b"next"  # whatever happened, the next file is decoded
    return caught.value.reason, caught.value.detail


def test_bytes_come_back_whole_through_shared_memory_and_through_the_pipe(
    box: Sandbox, monkeypatch: pytest.MonkeyPatch
):
    data = os.urandom(3 * MEGABYTE)
    assert echoed(box, data) == data
    monkeypatch.setattr(process, "SHARED_BYTES", MEGABYTE)
    with_little = Sandbox(OPERATIONS)
    assert echoed(with_little, data) == data
    assert echoed(with_little, b"") == b""
    with_little.close()


def test_one_process_does_many_jobs(box: Sandbox):
    assert {call(box, "echo", b"", max_bytes=0)[0]["pid"] for _ in range(50)} == {box.pid}


def test_threads_get_their_own_answers(box: Sandbox):
    with ThreadPoolExecutor(8) as threads:
        sent = [bytes([number]) * 10_000 for number in range(64)]
        assert list(threads.map(lambda data: echoed(box, data), sent)) == sent


@pytest.mark.parametrize(
    ("operation", "settings", "expected"),
    [
        ("segfault", {}, ("decoder_crashed", "ended by SIGSEGV")),
        ("leave", {"arguments": {"code": 3}}, ("decoder_crashed", "ended with code 3")),
        ("leave", {"arguments": {"code": 0}}, ("decoder_crashed", "ended with code 0")),
        ("allocate", {"limits": JobLimits(memory_bytes=800 * MEGABYTE)}, ("too_much_memory", None)),
        ("hang", {"limits": JobLimits(wall_s=0.2)}, ("too_slow", "not done in 0.2 s")),
        (
            "spin",
            {"limits": JobLimits(cpu_s=0.01)},
            ("too_slow", "took more processor time than it is given"),
        ),
        ("write", {"arguments": {"path": "/tmp/vimrag-sandbox-test"}}, ("decoder_failed", None)),
        ("open_many", {}, ("decoder_failed", None)),
    ],
    ids=["crash", "exit", "quiet exit", "memory", "hang", "spin", "write", "descriptors"],
)
def test_each_way_to_break_has_a_reason_and_the_next_job_is_done(
    box: Sandbox, operation: str, settings: dict[str, Any], expected: tuple[str, str | None]
):
    found, detail = reason(box, operation, **settings)
    assert found == expected[0]
    assert expected[1] in (None, detail)


def test_an_exception_of_a_decoder_is_told_at_bounded_length_and_costs_no_process(box: Sandbox):
    before = call(box, "echo", b"", max_bytes=0)[0]["pid"]
    found, detail = reason(box, "fail")
    assert (found, len(detail)) == ("decoder_failed", 500) and detail.startswith("ZeroDivisionError: x")
    assert box.pid == before


@pytest.mark.parametrize("sizes", [[11], [5, 6], [MEGABYTE]])
def test_an_answer_larger_than_asked_for_is_not_taken(box: Sandbox, sizes: list[int]):
    found, _ = reason(box, "claim", arguments={"result": {}, "sizes": sizes}, max_bytes=10)
    assert found == "decoder_crashed"


def test_a_process_killed_between_two_jobs_is_replaced_and_no_file_is_blamed(box: Sandbox):
    assert echoed(box, b"1") == b"1" and box.pid is not None
    losses = box.losses
    _kill(box.pid)
    assert echoed(box, b"2") == b"2"
    assert box.losses == losses


def test_a_process_killed_in_the_middle_of_a_job_costs_this_file_only(box: Sandbox, tmp_path: Path):
    os.mkfifo(tmp_path / "begun")
    with ThreadPoolExecutor(1) as thread:
        job = thread.submit(call, box, "hang", arguments={"fifo": str(tmp_path / "begun")})
        (tmp_path / "begun").read_bytes()
        assert box.pid is not None
        os.kill(box.pid, signal.SIGKILL)
        error = job.exception(timeout=60)
    assert isinstance(error, MediaError) and error.reason == "decoder_crashed"
    assert error.detail == "ended by SIGKILL"
    assert echoed(box, b"2") == b"2"


def _kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    while _state(pid) != "Z":
        time.sleep(0.001)


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_a_file_that_breaks_every_process_is_given_up_and_others_are_not():
    box = Sandbox(OPERATIONS)
    bad, good = {"arguments": {"code": 1}, "file": "bad"}, {"max_bytes": 1, "file": "good"}
    found = [reason(box, "leave", **bad)[0] for _ in range(MAX_STRIKES + 2)]
    assert found == ["decoder_crashed"] * MAX_STRIKES + ["decoder_gave_up"] * 2
    assert box.losses == MAX_STRIKES
    assert call(box, "echo", b"x", **good)[1] == [b"x"]
    box.close()


def test_the_process_sees_no_secret_and_none_of_our_files(
    box: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cret")
    monkeypatch.setenv("VIMRAG_API_KEY", "s3cret")
    box.close()
    with (tmp_path / "open").open("wb") as ours:
        os.set_inheritable(ours.fileno(), True)
        around, _ = call(box, "look_around")
    assert set(around["environment"]) <= process.PASSED_ON | {
        "PYTHONPATH",
        "PYTHONDONTWRITEBYTECODE",
        "LC_CTYPE",
    }
    assert str(tmp_path / "open") not in around["descriptors"]
    assert around["directory"] == "/"


def test_an_interrupt_never_hands_the_answer_to_the_next_job(box: Sandbox):
    def interrupted(answer: JobResult) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        box.call(Job(operation="echo", arguments={}, payload=b"1", max_bytes=1), interrupted)
    assert echoed(box, b"2") == b"2"


def test_a_process_that_does_not_start_is_nobodys_file():
    with pytest.raises(
        SandboxError, match=r"did not start: ModuleNotFoundError: No module named 'tests.infra.nowhere'"
    ):
        call(Sandbox("tests.infra.nowhere"), "echo", b"")


def test_a_fork_starts_a_process_of_its_own(box: Sandbox):
    ours = call(box, "echo", b"", max_bytes=0)[0]["pid"]
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        theirs = call(box, "echo", b"", max_bytes=0)[0]["pid"]
        os.write(writer, str(theirs).encode())
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert int(os.read(reader, 20)) != ours
    assert call(box, "echo", b"", max_bytes=0)[0]["pid"] == ours
    os.close(reader), os.close(writer)


def test_it_dies_with_a_process_that_is_killed_while_its_decoder_spins():
    script = f"""
        import threading
        from infra.media.sandbox.process import Job, Sandbox

        box = Sandbox({OPERATIONS!r})
        print(box.call(Job(operation="echo", arguments={{}}), lambda answer: answer.result["pid"]), flush=True)
        box.call(Job(operation="spin", arguments={{}}), lambda answer: None)
    """
    root = Path(__file__).resolve().parents[4]
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)],
        stdout=subprocess.PIPE,
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
    ) as asking:
        assert asking.stdout is not None
        worker = int(asking.stdout.readline())
        asking.kill()
    deadline = time.monotonic() + 30
    while Path(f"/proc/{worker}").exists() and _state(worker) != "Z" and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not Path(f"/proc/{worker}").exists() or _state(worker) == "Z"
