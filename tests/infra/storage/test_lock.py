"""One writer at a time, for as long as it lives and no longer."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from infra.storage.lock import only_writer
from infra.storage.root import Storage

REPOSITORY = Path(__file__).resolve().parents[3]
HOLDER = """
import sys, time
from infra.storage.lock import only_writer
from infra.storage.root import Storage
with only_writer(Storage(sys.argv[1]), "corpus/x"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_writer_is_refused_until_the_first_has_ended(tmp_path: Path):
    storage = Storage(tmp_path)
    with only_writer(storage, "corpus/x"):
        with (
            pytest.raises(ValueError, match=r"another process is writing .*corpus/x; wait"),
            only_writer(storage, "corpus/x"),
        ):
            pass
        with only_writer(storage, "corpus/y"):
            pass
    with only_writer(storage, "corpus/x"):
        pass
    assert list((tmp_path / "corpus").iterdir()) == []  # nothing is left behind


def test_a_killed_writer_holds_nothing(tmp_path: Path):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, cwd=REPOSITORY
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    with pytest.raises(ValueError, match="another process"), only_writer(Storage(tmp_path), "corpus/x"):
        pass
    holder.kill()
    holder.wait()
    holder.stdout.close()
    with only_writer(Storage(tmp_path), "corpus/x"):
        pass


def test_however_many_come_and_go_there_is_never_a_second_inside(tmp_path: Path):
    # the file is removed with each lock: who opened it before must not lock what nobody else can see
    storage, inside, most, times = Storage(tmp_path), 0, 0, 0

    def come_and_go(_: int) -> None:
        nonlocal inside, most, times
        for _ in range(150):
            with suppress(ValueError), only_writer(storage, "x"):
                inside += 1
                most, times = max(most, inside), times + 1
                time.sleep(0)
                inside -= 1

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(come_and_go, range(4)))
    assert most == 1
    assert times > 1
