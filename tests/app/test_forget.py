"""A document is forgotten: afterwards no byte of the root holds it, the others are whole, and the audit says no word of it."""

from __future__ import annotations

import json
import sqlite3
import zlib
from contextlib import closing
from pathlib import Path

import lancedb
import polars as pl
import pytest

from app.answers.forgetting.forget import AUDIT, subject_of
from app.answers.forgetting.marks import Marks, runs_of
from app.answers.forgetting.traces import mentions
from app.answers.history.store import Asked, Found, History
from app.cli import main
from assets.index.published import current_index
from assets.user_files import ledger
from assets.user_files.paths import file_key, location_of
from infra.storage import manifest
from infra.storage.key_value import KeyValueFile
from infra.storage.lease import Lease
from infra.storage.publication import publish
from infra.storage.root import Storage

SECRET = "Annabel Quendrith owes the harbour office four thousand florins since May"
SHARED = "All figures in this folder were audited by the harbour office in spring"
OTHER = "The lighthouse keeper counts seventeen ships on every second Tuesday"
WORDS = ("Quendrith", "florins since May", "quendrith-letter")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two documents in two versions of corpus and index, and what a person's work leaves behind."""
    files, root = tmp_path / "files", tmp_path / "root"
    files.mkdir()
    (files / "quendrith-letter.txt").write_text(f"{SECRET}.\n{SHARED}.\n")
    (files / "lighthouse.md").write_text(f"# Light\n\n{OTHER}.\n{SHARED}.\n")
    assert main(["ingest", str(files), "--root", str(root), "--no-ocr"]) == 0
    (files / "third.txt").write_text("A third file makes a second version of everything there is.\n")
    assert main(["ingest", str(files), "--root", str(root), "--no-ocr"]) == 0
    for number, words in enumerate((SECRET, OTHER)):
        history = History.of(Storage(root))
        asked = Asked(id=f"t{number}", question=f"Who? {number}", memory="vimrag", model="m", index="i")
        history.begin(asked, None)
        events = [{"event": "observed", "text": f"{words}."}]
        history.update(f"t{number}", Found(state="finished", answer=f"It says: {words}.", events=events))
        with closing(KeyValueFile(root / "judge" / "verdicts.sqlite")) as kept:
            kept.keep(f"k{number}", json.dumps({"text": f"prompt\n{words}"}))
    (root / "metrics").mkdir()
    lines = [
        json.dumps({"prompt": f"see\n{words}", "n": number}) for number, words in enumerate((SECRET, OTHER))
    ]
    (root / "metrics" / "prompts.jsonl").write_text("\n".join(lines) + "\n")
    (root / "metrics" / "page.html").write_text(f"<p>{SECRET}</p>")
    pl.DataFrame({"text": [f"x {SECRET} y", f"x {OTHER} y"], "n": [1, 2]}).write_parquet(
        root / "metrics" / "t.parquet"
    )
    for _ in range(2):  # two versions of what an evaluation leaves
        told = {"producer": "a test", "params": {}, "inputs": {}, "versioned": True}
        with publish(Storage(root), "trajectories/run", **told) as made:
            said = [f"x {SECRET} y", f"x {OTHER} y", str(len(list(root.glob("trajectories/run/*"))))]
            pl.DataFrame({"text": said}).write_parquet(made.directory / "method.parquet")
    return root


def texts(path: Path) -> str:
    """All that a file says, by whatever way a stranger could read it."""
    data = path.read_bytes()
    said = [data.decode("utf-8", "replace"), data.decode("utf-16-le", "replace")]
    if path.suffix == ".parquet":
        said.append(str(pl.read_parquet(path).to_dicts()))
    if path.suffix == ".arrow":
        said.append(str(pl.read_ipc(path).select(pl.col(pl.String)).to_dicts()))
    if data.startswith(b"SQLite format 3"):
        with closing(sqlite3.connect(path)) as table:
            for (name,) in table.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                for row in table.execute(f'SELECT * FROM "{name}"'):
                    for cell in row:
                        said.append(str(cell))
                        if isinstance(cell, bytes):
                            try:
                                said.append(zlib.decompress(cell).decode("utf-8", "replace"))
                            except zlib.error:
                                continue
    return "\n".join(said)


def where(root: Path, words: tuple[str, ...]) -> dict[str, list[str]]:
    """Files that hold one of the words, by word; tables of LanceDB are opened as such too."""
    found: dict[str, list[str]] = {word: [] for word in words}
    pages = {str(path.relative_to(root)): texts(path) for path in sorted(root.rglob("*")) if path.is_file()}
    tables = [path for path in root.rglob("*.lance") if path.is_dir() and "_indices" not in path.parts]
    for folder in {path.parent for path in tables if (path / "_versions").is_dir()}:
        database = lancedb.connect(str(folder))
        for name in database.table_names():
            rows = database.open_table(name).to_arrow()
            kept = [column for column in rows.column_names if column != "vector"]
            pages[f"{folder.relative_to(root)}/{name} (rows)"] = str(rows.select(kept).to_pylist())
    for name, text in pages.items():
        for word in words:
            if word in text or word in name:
                found[word].append(name)
    return found


def search(root: Path, words: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    capsys.readouterr()
    assert main(["search", words, "--root", str(root), "--json"]) == 0
    return [hit["text"] for hit in json.loads(capsys.readouterr().out)["hits"]]


def forget(root: Path, what: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict]:
    capsys.readouterr()
    code = main(["forget", what, "--root", str(root), "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_nothing_of_it_is_left_and_everything_else_is(root: Path, capsys: pytest.CaptureFixture[str]):
    before = where(root, (*WORDS, "seventeen ships"))
    assert all(len(files) >= 3 for files in before.values()), "the search itself sees what is there"
    path = root.parent / "files" / "quendrith-letter.txt"
    code, done = forget(root, str(path), capsys)
    assert code == 0 and done["whole"] and done["items"] == 1, done
    assert where(root, WORDS) == {word: [] for word in WORDS}
    assert path.read_text().startswith(SECRET), "the file itself is its owner's"
    assert any(OTHER in text for text in search(root, "lighthouse keeper", capsys))
    assert not any("Quendrith" in text for text in search(root, "Quendrith florins", capsys))
    history = History.of(Storage(root))
    assert [row.title for row in history.page().rows] == ["Who? 1"], "the other conversation stays"
    assert (root / "metrics" / "prompts.jsonl").read_text().count("\n") == 1
    assert pl.read_parquet(root / "metrics" / "t.parquet")["n"].to_list() == [2]
    assert not (root / "metrics" / "page.html").exists()
    for version in (None, *(path.parent.name for path in root.glob("trajectories/run/*/manifest.json"))):
        left = manifest.read(Storage(root), "trajectories/run", version)
        with manifest.open_file(Storage(root), "trajectories/run", "method.parquet", version) as file:
            assert OTHER in pl.read_parquet(file)["text"][0], "and its manifest vouches for what is left"
        assert left.folder
    with closing(KeyValueFile(root / "judge" / "verdicts.sqlite")) as kept:
        assert kept.find("k0") is None and OTHER in (kept.find("k1") or "")
    assert main(["releases", "verify", "--root", str(root)]) == 0


def test_the_audit_says_that_it_was_done_and_not_of_whom(root: Path, capsys: pytest.CaptureFixture[str]):
    location = location_of(root.parent / "files" / "quendrith-letter.txt")
    code, _ = forget(root, file_key(location), capsys)
    assert code == 0
    (line,) = (root / AUDIT).read_text().splitlines()
    said = json.loads(line)
    assert said["subjects"] == [subject_of(location)] and said["items"] == 1 and said["left"] == 0
    assert said["versions_removed"] >= 3 and said["traces_erased"] >= 4
    assert not any(word.lower() in line.lower() for word in ("quendrith", "letter", "florins", "files/"))


def test_a_reader_keeps_the_release_he_holds_and_the_second_run_ends_it(
    root: Path, capsys: pytest.CaptureFixture[str]
):
    storage = Storage(root)
    held = current_index(storage)
    assert held is not None
    path = str(root.parent / "files" / "quendrith-letter.txt")
    with Lease(storage, [held.version], "a training run"):
        code, done = forget(root, path, capsys)
        assert code == 1 and not done["whole"]
        assert [holder for holder in done["held_by"] if "a training run" in holder]
        assert (root / "index" / held.version / "manifest.json").exists()
        assert all(each.startswith(("index/", "corpus/", "shards/")) for each in done["left"]), done["left"]
    code, done = forget(root, path, capsys)
    assert code == 0 and done["whole"], done
    assert where(root, WORDS) == {word: [] for word in WORDS}


def test_the_id_of_an_item_names_its_file_and_a_copy_is_told(root: Path, capsys: pytest.CaptureFixture[str]):
    original = root.parent / "files" / "quendrith-letter.txt"
    twin = root.parent / "files" / "twin.txt"
    twin.write_bytes(original.read_bytes())
    assert main(["ingest", str(root.parent / "files"), "--root", str(root), "--no-ocr"]) == 0
    key = file_key(location_of(original))
    (item,) = [
        each for each in pl.read_parquet(str(root / "corpus/documents/*/items.parquet"))["id"].unique() if key in each
    ]  # fmt: skip
    _, done = forget(root, item, capsys)
    assert done["copies"] == [str(twin)]
    assert location_of(original) not in ledger.read(Storage(root))


def test_what_was_never_ingested_is_wrong_usage(root: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["forget", "no-such-letter.txt", "--root", str(root)]) == 2
    assert not (root / AUDIT).exists()


def test_a_trace_is_seen_in_the_compressed_file_that_searches_read(tmp_path: Path):
    rows = pl.DataFrame({"text": ["x", f"{SECRET} " * 40], "vector": [[0.0], [1.0]]})
    rows.write_ipc(tmp_path / "search.arrow", compression="zstd")
    data = (tmp_path / "search.arrow").read_bytes()
    known = Marks(names=frozenset(), runs=frozenset(runs_of(SECRET)))
    other = Marks(names=frozenset(), runs=frozenset(runs_of(OTHER)))
    assert not known.in_bytes(data), "else nothing is tried here"
    assert mentions("index/v/f/search.arrow", data, known)
    assert not mentions("index/v/f/search.arrow", data, other)
