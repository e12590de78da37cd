"""The backend of the viewer: runs, rows, filters, one trajectory, and how little of a large file is read for it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app.server.trajectory_files import Filters, NoSuchFileError, TrajectoryFiles
from infra.storage.publication import publish
from infra.storage.root import Storage
from memory_graph.credit import PruneReason
from model.rl import trajectory_store
from tests.app.server.serving import Served, serving
from tests.app.server.stored import trajectory, write_large

REPOSITORY = Path(__file__).resolve().parents[3]
FILE = "study/ggpo.parquet"
VERDICTS = (True, False, None)


@pytest.fixture(scope="module")
def viewed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A root with twelve trajectories, right, wrong and unscored in turn, and with things that are none."""
    root = tmp_path_factory.mktemp("viewed")
    rows = [trajectory(number, correct=VERDICTS[number % 3]) for number in range(12)]
    trajectory_store.write(root / "trajectories" / FILE, rows)
    trajectory_store.write(root / "trajectories" / "study" / "deep" / "update-00001.parquet", rows[:2])
    outside = root / "outside.parquet"
    trajectory_store.write(outside, rows[:1])
    (root / "trajectories" / "study" / "broken.parquet").write_bytes(b"PAR1 no, it is not")
    (root / "trajectories" / "study" / "link.parquet").symlink_to(outside)
    (root / "trajectories" / "linked").symlink_to(root)
    (root / "trajectories" / "study" / ".hidden.parquet").write_bytes(outside.read_bytes())
    (root / "trajectories" / "study" / "note.txt").write_text("not a table")
    with serving(root) as served:
        yield served


def rows_of(viewed: Served, **query: Any) -> dict[str, Any]:
    response = viewed.http.get("/v1/trajectories", params={"file": FILE, **query})
    assert response.status_code == 200, response.text
    return response.json()


def test_every_file_of_trajectories_is_listed_and_nothing_else(viewed: Served):
    runs = viewed.http.get("/v1/runs").json()["runs"]
    listed = {(run["path"], file["name"]): file["rows"] for run in runs for file in run["files"]}
    assert listed == {("study", "ggpo.parquet"): 12, ("study/deep", "update-00001.parquet"): 2}
    assert all(file["bytes"] > 1000 for run in runs for file in run["files"])


def test_rows_come_in_file_order_a_page_at_a_time(viewed: Served):
    page = rows_of(viewed, offset=5, limit=3)
    assert (page["total"], page["offset"]) == (12, 5)
    assert [row["row"] for row in page["rows"]] == [5, 6, 7]
    first = page["rows"][0]
    assert first == {
        "row": 5,
        "task_id": "task-5",
        "dataset": "squad",
        "question": "Which year, number 5?",
        "answer": "1931",
        "answers": ["1931"],
        "correct": None,
        "outcome": "answered",
        "memory": "vimrag",
        "reward": None,
        "advantage": None,
        "counters": first["counters"],
    }
    assert first["counters"]["model_calls"] == 4
    assert rows_of(viewed, offset=100)["rows"] == []


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ({"verdict": "right"}, [0, 3, 6, 9]),
        ({"verdict": "wrong"}, [1, 4, 7, 10]),
        ({"verdict": "unscored"}, [2, 5, 8, 11]),
        ({"dataset": "squad"}, [1, 3, 5, 7, 9, 11]),
        ({"outcome": "forced", "dataset": "squad"}, [3, 9]),
        ({"memory": "react"}, []),
        ({"memory": ""}, list(range(12))),
        ({"q": "NUMBER 1"}, [1, 10, 11]),
        ({"q": "task-7"}, [7]),
        ({"q": ".*"}, []),  # words, not patterns
    ],
)
def test_filters_choose_rows_and_keep_their_numbers(viewed: Served, query: dict[str, str], rows: list[int]):
    page = rows_of(viewed, **query)
    assert ([row["row"] for row in page["rows"]], page["total"]) == (rows, len(rows))


def test_facets_count_the_whole_file_whatever_is_filtered(viewed: Served):
    facets = {
        "dataset": {"squad": 6, "webqa": 6},
        "memory": {"vimrag": 12},
        "outcome": {"answered": 8, "forced": 4},
        "verdict": {"right": 4, "unscored": 4, "wrong": 4},
    }
    assert rows_of(viewed)["facets"] == facets == rows_of(viewed, verdict="right", q="number 3")["facets"]


def detail(viewed: Served, row: int) -> dict[str, Any]:
    response = viewed.http.get("/v1/trajectory", params={"file": FILE, "row": row})
    assert response.status_code == 200, response.text
    return response.json()


@pytest.mark.parametrize(
    ("row", "reasons"),
    [
        (
            0,
            [PruneReason.SUPPORTS_ANSWER, PruneReason.DEAD_END, PruneReason.TERMINAL],
        ),  # right, and the answer rests on n1 alone
        (
            1,
            [PruneReason.NO_GOLD, PruneReason.RETURNED_GOLD, PruneReason.TERMINAL],
        ),  # wrong, and n2 had found the gold evidence
    ],
)
def test_each_segment_says_whether_it_is_trained_on_and_why(viewed: Served, row: int, reasons: list[str]):
    shown = detail(viewed, row)
    segments = shown["segments"]
    assert [each["node_id"] for each in segments] == ["n1", "n2", None]
    assert [each["reason"] for each in segments] == reasons
    assert [each["pruned"] for each in segments] == [reason.startswith("pruned") for reason in reasons]
    assert (shown["correct"], shown["reward"], shown["advantage"]) == (row == 0, float(row == 0), 0.5)


def test_without_a_verdict_nothing_is_pruned(viewed: Served):
    shown = detail(viewed, 2)
    assert not any(each["pruned"] for each in shown["segments"]) and shown["correct"] is None
    assert all("no verdict" in each["reason"] for each in shown["segments"])


def test_a_trajectory_holds_what_the_model_saw_and_what_became_of_it(viewed: Served):
    shown = detail(viewed, 0)
    assert (shown["task_id"], shown["answer"], shown["answers"]) == ("task-0", "1931", ["1931"])
    calls = shown["segments"][0]["calls"]
    assert [each["text"] for each in calls] == ["search", "memorise"]
    assert calls[1]["images"] == [
        {"item_id": "documents:page:a#1", "width": 512, "height": 512, "timestamp_s": None}
    ]
    assert calls[1]["turns"][1] == {"role": "user", "text": "Which year?\ufffc"}
    assert (calls[0]["prompt_tokens"], calls[0]["completion_tokens"]) == (40, 7)
    first, second = shown["nodes"]
    assert (first["on_critical_path"], first["dead_end"]) == (True, False)
    assert (second["on_critical_path"], second["dead_end"]) == (False, True)
    # n1 is the older of two nodes: 5/5 * 1 * exp(-0.1); alone it may have all its 20 x 20 tokens of native size
    [item] = first["items"]
    assert item["energy"] == pytest.approx(0.904837, abs=1e-6)
    assert (item["pixels"], item["tokens"], item["title"]) == (409_600, 400, "documents:page:a#1")
    assert 'data-node-id="n1"' in shown["svg"] and "<style" not in shown["svg"]


@pytest.mark.parametrize(
    "file",
    [
        "../outside.parquet",
        "study/../../outside.parquet",
        "/etc/passwd",
        "study",
        "study/none.parquet",
        "study/link.parquet",
        "linked/outside.parquet",
        "study/.hidden.parquet",
        "study/note.txt",
        "study/*.parquet",
        "study/ggpo.parquet\x00",
        "ggpo.parquet",
        ".",
    ],
)
def test_nothing_outside_of_the_trajectories_is_read(viewed: Served, file: str):
    for path, more in (("/v1/trajectories", {}), ("/v1/trajectory", {"row": "0"})):
        refused = viewed.http.get(path, params={"file": file, **more})
        assert (refused.status_code, refused.json()["error"]["code"]) == (404, "not_found")


def test_rows_that_are_not_there_and_files_that_are_broken_are_refused(viewed: Served):
    assert viewed.http.get("/v1/trajectory", params={"file": FILE, "row": 12}).status_code == 404
    for row in ("-1", "a", "1e3", "99999999999999999999"):
        assert viewed.http.get("/v1/trajectory", params={"file": FILE, "row": row}).status_code == 400
    assert viewed.http.get("/v1/trajectories", params={"file": FILE, "limit": 501}).status_code == 400
    for path in ("/v1/trajectories", "/v1/trajectory?row=0"):
        refused = viewed.http.get(path, params={"file": "study/broken.parquet", "row": "0"})
        assert (refused.status_code, refused.json()["error"]["code"]) == (404, "not_found")


def test_a_file_of_an_older_version_is_shown_without_what_it_lacks(tmp_path: Path):
    path = tmp_path / "trajectories" / "old" / "a.parquet"
    trajectory_store.write(path, [trajectory(0, correct=True)])
    table = pq.read_table(path).to_pydict()
    for segment in table["segments"][0]:
        for each in segment["calls"]:
            del each["turns"]
    del table["advantage"]
    pq.write_table(pa.table(table), path)
    with serving(tmp_path) as served:
        page = served.http.get("/v1/trajectories", params={"file": "old/a.parquet"}).json()
        shown = served.http.get("/v1/trajectory", params={"file": "old/a.parquet", "row": 0}).json()
    assert page["rows"][0]["advantage"] is None and shown["advantage"] is None
    assert [each["turns"] for each in shown["segments"][0]["calls"]] == [[], []]
    assert shown["segments"][0]["calls"][0]["text"] == "search"


PROBE = """
import json, sys
from app.server.trajectory_files import Filters, TrajectoryFiles
from infra.storage.root import Storage

def peak():  # kilobytes, since the last reset
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))

def grown(act):
    act()  # the second time the libraries have their buffers
    open("/proc/self/clear_refs", "w").write("5")
    before = peak()
    act()
    return (peak() - before) * 1024

root, name = sys.argv[1:]
files = TrajectoryFiles(Storage(root))
print(json.dumps({
    "page": grown(lambda: files.page(name, Filters(text="number 7", verdict="right"), offset=100, limit=50)),
    "row": grown(lambda: files.row(name, 4321)),
    "task": files.row(name, 4321)["task_id"],
    "listed": files.runs().runs[0].files[0].rows,
}))
"""


def test_of_five_thousand_trajectories_a_page_and_a_row_read_a_small_part(tmp_path: Path):
    name = "run/large.parquet"
    path = tmp_path / "trajectories" / name
    path.parent.mkdir(parents=True)
    write_large(path, rows=5000, tokens=1000)
    size = path.stat().st_size
    assert size > 60_000_000, "too small to tell anything"
    command = [sys.executable, "-c", PROBE, str(tmp_path), name]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["task"], found["listed"]) == ("task-4321", 5000)
    assert found["page"] < size / 8, found  # bytes of memory beyond what the process had
    assert found["row"] < size / 8, found


def test_of_a_run_with_versions_the_current_one_is_seen_by_the_name_of_the_run(tmp_path: Path):
    storage = Storage(tmp_path)
    for number in (2, 5):
        with publish(
            storage, "trajectories/study", producer="a test", params={}, inputs={}, versioned=True
        ) as made:
            rows = [trajectory(each, correct=True) for each in range(number)]
            trajectory_store.write(made.directory / "ggpo.parquet", rows)
    files = TrajectoryFiles(storage)
    assert len(list(tmp_path.glob("trajectories/study/*/ggpo.parquet"))) == 2
    listed = [(run.path, file.name, file.rows) for run in files.runs().runs for file in run.files]
    assert listed == [("study", "ggpo.parquet", 5)]
    assert files.page(FILE, Filters(), offset=0, limit=10).total == 5
    assert files.row(FILE, 4)["task_id"] == "task-4"


def test_tables_that_only_look_like_trajectories_are_refused(tmp_path: Path):
    folder = tmp_path / "trajectories" / "odd"
    folder.mkdir(parents=True)
    good = pl.read_parquet(_one(tmp_path))
    made = {
        "numbers": pl.DataFrame({"task_id": [1], "graph": [2], "segments": [3]}),
        "few": good.select("task_id", "graph", "segments"),
        "text": good.with_columns(graph=pl.lit("[" * 5000), correct=pl.lit("yes")),
        "other": good.with_columns(graph=pl.lit('{"version": 99}')),
        "endless": good.with_columns(reward=pl.lit(float("inf")), advantage=pl.lit(float("nan"))),
    }
    for name, frame in made.items():
        frame.write_parquet(folder / f"{name}.parquet")
    with serving(tmp_path) as served:
        for name in made:
            for path in ("/v1/trajectories", "/v1/trajectory"):
                said = served.http.get(path, params={"file": f"odd/{name}.parquet", "row": 0})
                assert said.status_code in (200, 404), (name, path, said.text)
        endless = served.http.get("/v1/trajectory", params={"file": "odd/endless.parquet", "row": 0}).json()
    assert (endless["reward"], endless["advantage"]) == (None, None)


def _one(folder: Path) -> Path:
    path = folder / "one.parquet"
    trajectory_store.write(path, [trajectory(0, correct=True)])
    return path


def test_on_an_object_store_the_same_is_seen(s3_storage: Storage):
    storage = s3_storage
    rows = [trajectory(number, correct=VERDICTS[number % 3]) for number in range(12)]
    trajectory_store.write(
        storage.path("trajectories", FILE), rows, storage_options=storage.object_store_options()
    )
    files = TrajectoryFiles(storage)
    listed = [(run.path, file.name, file.rows) for run in files.runs().runs for file in run.files]
    assert listed == [("study", "ggpo.parquet", 12)]
    page = files.page(FILE, Filters(verdict="wrong"), offset=1, limit=2)
    assert ([row.task_id for row in page.rows], page.total) == (["task-4", "task-7"], 4)
    assert files.row(FILE, 7)["task_id"] == "task-7"
    with pytest.raises(NoSuchFileError):
        files.row("study/none.parquet", 0)
