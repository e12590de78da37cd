"""Each benchmark at a size that takes seconds: one JSON line with its figures, and what it claims beside them holds."""

from __future__ import annotations

import importlib.util
import json
import os
import runpy
import subprocess
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from tests import warm

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"
SMALL = {
    "sandbox_cost": ["--pages", "2", "--pictures", "2", "--repeats", "1"],
    "energy_budget": ["--sizes", "200,400", "--repeats", "1"],
    "loop_overhead": ["--nodes", "3", "--rollouts", "1", "--peer-nodes", "3"],
    "shard_writing": ["--samples", "20", "--repeats", "1"],
    "corpus_scale": ["--sizes", "400,1600"],
    "plan_accuracy": ["--prompt", "16", "--generated", "4", "--batch", "8", "--repeats", "1"],
    "vision_sharing": ["--questions", "1", "--group", "4", "--repeats", "1"],
    "local_rollouts": [
        "--questions",
        "4",
        "--datasets",
        "hotpotqa,squad",
        "--repeats",
        "1",
        "--threads",
        "1",
    ],
}

WITH_TORCH = {"loop_overhead", "plan_accuracy", "vision_sharing", "local_rollouts"}


def run(name: str, *arguments: str) -> str:
    command = [sys.executable, str(FOLDER / f"{name}.py"), *arguments]
    finished = subprocess.run(command, capture_output=True, text=True, cwd=FOLDER.parent, timeout=110)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def run_warm(folder: Path, name: str, *arguments: str) -> str:
    """The same in a process that has torch already."""
    said, log = folder / f"{name}.out", folder / f"{name}.log"
    process = warm.start(as_script, name, arguments, said, environment=os.environ, log=log)
    process.join(110)
    assert process.exitcode == 0, log.read_text()
    return said.read_text()


def as_script(name: str, arguments: Sequence[str], said: Path) -> int:
    path = FOLDER / f"{name}.py"
    sys.argv = [str(path), *arguments]
    sys.path.insert(0, str(FOLDER))
    with said.open("w") as file, redirect_stdout(file):
        runpy.run_path(str(path), run_name="__main__")
    return 0


class Lines(dict[str, dict[str, Any]]):
    """The only line of each benchmark, which is run when it is asked for: each test has its own time."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def __missing__(self, name: str) -> dict[str, Any]:
        is_warm = name in WITH_TORCH
        text = run_warm(self._folder, name, *SMALL[name]) if is_warm else run(name, *SMALL[name])
        self[name] = json.loads(text)
        return self[name]


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    return Lines(tmp_path_factory.mktemp("lines"))


@pytest.mark.parametrize("name", SMALL)
def test_each_prints_its_name_its_sizes_and_its_peer_on_one_line(lines: dict[str, dict[str, Any]], name: str):
    line = lines[name]
    assert line["name"] == name and line["sizes"] and line["peer"]
    assert line["ratio"] > 0


def test_the_policy_answers_as_the_plain_generate_of_the_peer_does(lines: dict[str, dict[str, Any]]):
    line = lines["local_rollouts"]
    assert line["sizes"]["questions"] == line["same_answers"] == 4
    assert line["failed"] == 0 and line["sizes"]["tokens"] > 0


def test_the_growth_of_energies_is_a_slope_over_the_sizes_asked_for(lines: dict[str, dict[str, Any]]):
    line = lines["energy_budget"]
    assert list(line["ms"]) == ["200", "400"] and isinstance(line["exponent"], float)


def test_steps_are_measured_at_the_size_asked_for(lines: dict[str, dict[str, Any]]):
    # four more nodes are made of two steps each
    assert lines["loop_overhead"]["sizes"]["steps"] == 8


def test_shared_pictures_leave_the_gradient_as_it_is(lines: dict[str, dict[str, Any]]):
    norms = lines["vision_sharing"]["gradient_norm"]
    assert norms["trained/step"] == pytest.approx(norms["trained/none"], rel=1e-5)
    assert norms["frozen/step"] == pytest.approx(norms["frozen/none"], rel=1e-5)


def test_trl_and_this_trainer_agree_on_loss_and_gradient(tmp_path: Path):
    pytest.importorskip("trl", reason="the peer is optional")
    options = ["--questions", "1", "--group", "4", "--batch-sizes", "4", "--repeats", "1"]
    line = json.loads(run_warm(tmp_path, "trl_step", *options))
    assert line["loss_difference"] < 1e-4
    assert line["gradient_norm"]["gspo"] == pytest.approx(line["gradient_norm"]["trl"], rel=1e-4)


def test_the_build_of_a_larger_corpus_has_every_item_and_takes_hardly_more_memory(
    lines: dict[str, dict[str, Any]],
):
    # counts are compared with what was written by the benchmark itself, which ends otherwise
    line = lines["corpus_scale"]
    assert [counts["items"] for counts in line["counts"]] == [400, 1_600]
    # a tenth of the items are snippets that a question has met under another id
    assert [counts["gold_moved"] for counts in line["counts"]] == [40, 160]
    added_mib = line["peak_mib"][1] - line["peak_mib"][0]
    assert added_mib < 60  # the 300 pages among the new items are 675 MB as pixels


def test_shards_of_both_writers_hold_the_samples(lines: dict[str, dict[str, Any]]):
    # 16 pages of 200 kB and 4 clips of 96 kB, a third more or less
    assert 0.67 * 3_584_000 < lines["shard_writing"]["bytes"] < 1.33 * 3_584_000


@pytest.mark.parametrize(
    "name", ["energy_budget", "loop_overhead", "corpus_scale", "shard_writing", "sandbox_cost"]
)
def test_each_says_how_it_is_used(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    path = FOLDER / f"{name}.py"
    monkeypatch.setattr(sys, "argv", [str(path), "--help"])
    monkeypatch.syspath_prepend(FOLDER)
    with pytest.raises(SystemExit, match=r"^0$"):  # in this process, which has imported most of it already
        runpy.run_path(str(path), run_name="__main__")
    text = capsys.readouterr().out
    assert "usage:" in text and "peer" in text


@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed")
def test_ocr_on_ray_gives_the_bytes_of_ocr_in_this_process():
    line = json.loads(run("ray_engine", "--pages", "5"))
    assert line["sizes"] == {"pages": 5, "shards": 2, "workers": 2}
    assert line["same_bytes"] is True and line["ratio"] > 0
