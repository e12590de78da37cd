"""A build that is killed at any moment and run again publishes the very bytes of one that was left alone."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from assets.miniature.build import write_miniature

REPOSITORY = Path(__file__).resolve().parents[3]
DATASETS = ("hotpotqa", "slidevqa", "xvbench")  # texts, pictures, clips
RAW, QUIET = "raw", "undisturbed"
DRAWN = random.Random(9)
MOMENTS = sorted(DRAWN.uniform(0.02, 0.98) for _ in range(10))  # shares of an undisturbed build
LOOK_EVERY_S = 0.001
Moment = Callable[[Path], bool]


class Undisturbed(NamedTuple):
    """Where the raw folders are, what their build publishes, and the seconds from its first file to its end."""

    raw: Path
    published: dict[str, bytes]
    seconds: float


def begin(raw: Path, root: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "app.cli", "corpus", "build", "--raw", str(raw), "--root", str(root)]
    command += ["--no-ocr", "--datasets", ",".join(DATASETS)]
    return subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether the process is over; gives it a moment otherwise."""
    try:
        process.wait(timeout=LOOK_EVERY_S)
    except subprocess.TimeoutExpired:
        return False
    return True


def wait_for(process: subprocess.Popen[bytes], root: Path, moment: Moment) -> bool:
    """Whether ``moment`` came before the process ended."""
    while not moment(root):
        if has_ended(process):
            return False
    return True


def published(root: Path) -> dict[str, bytes]:
    """Every file below the root, hidden ones and locks included."""
    files = (path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def after_beginning(seconds: float) -> Moment:
    """``seconds`` after the build has made its root."""
    began: list[float] = []

    def come(root: Path) -> bool:
        if not began and root.exists():
            began.append(time.monotonic())
        return bool(began) and time.monotonic() - began[0] >= seconds

    return come


def shards_without_corpus(root: Path) -> bool:
    """The first of the two artifacts of a dataset is published, the second is not."""
    return any(
        not (root / "corpus" / path.parent.name / "manifest.json").exists()
        for path in (root / "shards").glob("[!.]*/manifest.json")
    )


def manifest_not_renamed(root: Path) -> bool:
    """A manifest is written, and the directory it stands in not yet published."""
    return any((root / "shards").glob(".*.partial/manifest.json"))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """One world, built once without being killed."""
    folder = tmp_path_factory.mktemp("killed")
    write_miniature(folder / RAW, seed=3, worlds_by_split={"train": 1}, questions_per_dataset=2)
    process = begin(folder / RAW, folder / QUIET)
    assert wait_for(process, folder / QUIET, Path.exists)
    began = time.monotonic()
    assert process.wait() == 0
    return Undisturbed(folder / RAW, published(folder / QUIET), time.monotonic() - began)


def rerun_after_kill(undisturbed: Undisturbed, root: Path, moment: Moment) -> None:
    """Build, kill at ``moment``, build again; leaves the second build finished."""
    process = begin(undisturbed.raw, root)
    wait_for(process, root, moment)
    process.send_signal(signal.SIGKILL)  # nothing happens if it was faster this time
    process.wait()
    assert begin(undisturbed.raw, root).wait() == 0


def test_the_undisturbed_build_has_what_the_comparison_is_about(undisturbed: Undisturbed):
    names = {Path(name).name for name in undisturbed.published}
    tars = {name for name in names if name.endswith(".tar")}
    assert {
        "items.parquet",
        "questions.parquet",
        "skipped.parquet",
        "index.parquet",
        "manifest.json",
    } <= names
    assert tars == {"slidevqa-000000.tar", "xvbench-000000.tar"}
    assert not [name for name in names if name.startswith(".")]


@pytest.mark.parametrize("share", MOMENTS)
def test_killed_at_a_random_moment_and_run_again(undisturbed: Undisturbed, tmp_path: Path, share: float):
    rerun_after_kill(undisturbed, tmp_path / "root", after_beginning(share * undisturbed.seconds))
    assert published(tmp_path / "root") == undisturbed.published


@pytest.mark.parametrize("moment", [manifest_not_renamed, shards_without_corpus])
def test_killed_while_publishing_and_run_again(undisturbed: Undisturbed, tmp_path: Path, moment: Moment):
    rerun_after_kill(undisturbed, tmp_path / "root", moment)
    assert published(tmp_path / "root") == undisturbed.published
