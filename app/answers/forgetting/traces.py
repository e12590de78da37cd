"""Finding and erasing what was derived: conversations, trajectories, replies that were paid for, reports, logs.

Every file below the root is opened as what it is (Parquet, SQLite, lines of JSON, anything else as bytes). What holds a trace
loses the row or line that holds it; a file that has no rows goes as a whole. A manifest that vouched for it is made to vouch for
what is left. Versions of corpora, shards and indexes are not touched here: they never change, and are collected.
"""

import hashlib
import io
import json
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from app.answers.forgetting.marks import Marks
from app.answers.history.store import FILE as CONVERSATIONS
from app.answers.history.store import History
from infra.storage import manifest
from infra.storage.manifest import MANIFEST, FileEntry
from infra.storage.root import Storage

VERSIONED = ("corpus/", "shards/", "index/", "ingest/", "leases/")
SQLITE = b"SQLite format 3\x00"
MOST_UNPACKED = 256 * 1024 * 1024  # bytes of one compressed value


def erase(storage: Storage, marks: Marks, *, keep: tuple[str, ...] = ()) -> list[str]:
    """Erases every trace outside of the versions; the paths that held one. ``keep`` are never touched."""
    held: list[str] = []
    if (
        storage.local_path(CONVERSATIONS) is not None
        and storage.exists(CONVERSATIONS)
        and _conversations(storage, marks)
    ):
        held.append(CONVERSATIONS)
    for path in _files(storage):
        if (
            path in (*keep, CONVERSATIONS)
            or path.startswith(VERSIONED)
            or path.rsplit("/", 1)[-1] == MANIFEST
        ):
            continue
        data = storage.read_bytes(path)
        if not mentions(path, data, marks):
            continue
        held.append(path)
        left = _without(path, data, marks)
        if left is None:
            storage.remove_file(path)
        elif left != data:
            storage.write_bytes(path, left)
        _vouch(storage, path, left)
    return held


def remaining(storage: Storage, marks: Marks, *, keep: tuple[str, ...] = ()) -> list[str]:
    """Every file below the root that still holds a trace, versions included."""
    return [
        path for path in _files(storage)
        if path not in keep and mentions(path, storage.read_bytes(path), marks)
    ]  # fmt: skip


def mentions(path: str, data: bytes, marks: Marks) -> bool:
    """Whether a file holds a trace, in its bytes or in what they stand for."""
    if marks.in_bytes(data):
        return True
    if path.endswith(".parquet"):
        return any(marks.in_text(text) for text in _parquet_rows(data))
    if path.endswith(".arrow"):
        return any(marks.in_text(text) for text in _arrow_rows(data))
    if data.startswith(SQLITE):
        return any(marks.in_text(text) for _, _, text in _sqlite_rows(data))
    if path.endswith((".json", ".jsonl")):
        return marks.in_text(_unescaped(data))
    return False


def _files(storage: Storage) -> Iterator[str]:
    for name in sorted(storage.sizes("")):
        if name and not name.endswith(("-wal", "-shm")):
            yield name


def _conversations(storage: Storage, marks: Marks) -> bool:
    """Deletes whole conversations that hold a trace, by the store that overwrites what it deletes."""
    history = History.of(storage)
    found = False
    while True:
        ids = [line.id for line in history.page(limit=200).rows if _spoke_of(history, line.id, marks)]
        for id_ in ids:
            found |= history.delete(id_)
        if not ids:
            break
    for row in _all_conversations(history):
        if _spoke_of(history, row, marks):
            found |= history.delete(row)
    return found


def _all_conversations(history: History) -> list[str]:
    ids: list[str] = []
    while rows := history.page(offset=len(ids), limit=200).rows:
        ids += [row.id for row in rows]
    return ids


def _spoke_of(history: History, id_: str, marks: Marks) -> bool:
    conversation = history.conversation(id_)
    if marks.in_text(_flat(conversation.model_dump())):
        return True
    for turn in conversation.turns:
        if marks.in_text(_flat(history.graph(turn.id))) or marks.in_text(
            _flat(history.events(turn.id).model_dump())
        ):
            return True
    return False


def _flat(value: Any) -> str:
    """All texts of a nested value, keys included."""
    if isinstance(value, dict):
        return "\n".join(f"{key}\n{_flat(each)}" for key, each in value.items())
    if isinstance(value, list | tuple):
        return "\n".join(map(_flat, value))
    return str(value)


def _parquet_rows(data: bytes) -> Iterator[str]:
    with suppress(Exception):  # not a table that can be read: its bytes were looked at
        for row in pl.read_parquet(io.BytesIO(data)).iter_rows(named=True):
            yield _flat(row)


def _arrow_rows(data: bytes) -> Iterator[str]:
    """Of the columns that hold text; the others are numbers and vectors."""
    with suppress(Exception):  # as above
        for row in pl.read_ipc(io.BytesIO(data)).select(pl.col(pl.String)).iter_rows():
            yield _flat(row)


def _sqlite_rows(data: bytes) -> Iterator[tuple[str, int, str]]:
    """Table, row id and texts of every row."""
    with suppress(sqlite3.Error), closing(sqlite3.connect(":memory:")) as opened:
        opened.deserialize(data)
        names = [name for (name,) in opened.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for name in names:
            with suppress(sqlite3.Error):
                for number, row in enumerate(opened.execute(f'SELECT * FROM "{name}"')):
                    yield name, number, "\n".join(_cell(value) for value in row)


def _cell(value: Any) -> str:
    if not isinstance(value, bytes):
        return str(value)
    with suppress(zlib.error):
        value = zlib.decompressobj().decompress(value, MOST_UNPACKED)
    text = value.decode("utf-8", "replace")
    return text + "\n" + _unescaped(value)


def _unescaped(data: bytes) -> str:
    r"""JSON with its ``\n`` and ``\u00e9`` as what they stand for."""
    texts: list[str] = []
    for line in data.splitlines() or [data]:
        with suppress(ValueError):
            texts.append(_flat(json.loads(line)))
    if not texts:
        with suppress(ValueError):
            texts.append(_flat(json.loads(data)))
    return "\n".join(texts)


def _without(path: str, data: bytes, marks: Marks) -> bytes | None:
    """The file without the rows that hold a trace; None where it has none that could be taken out."""
    if path.endswith(".parquet"):
        with suppress(Exception):
            table = pl.read_parquet(io.BytesIO(data))
            clean = [not marks.in_text(_flat(row)) for row in table.iter_rows(named=True)]
            target = io.BytesIO()
            table.filter(pl.Series(clean, dtype=pl.Boolean)).write_parquet(target)
            return target.getvalue()
        return None
    if path.endswith(".jsonl"):
        lines = [
            line
            for line in data.splitlines(keepends=True)
            if not (marks.in_bytes(line) or marks.in_text(_unescaped(line)))
        ]
        return b"".join(lines)
    if data.startswith(SQLITE):
        return _sqlite_without(data, marks)
    return None


def _sqlite_without(data: bytes, marks: Marks) -> bytes | None:
    """A table by key without the rows; None for a database that is no such table."""
    with suppress(sqlite3.Error), closing(sqlite3.connect(":memory:")) as opened:
        opened.deserialize(data)
        for key, value in opened.execute("SELECT key, value FROM verdicts").fetchall():
            if marks.in_text(f"{key}\n{_cell(value)}\n{_unescaped(str(value).encode())}"):
                opened.execute("DELETE FROM verdicts WHERE key = ?", (key,))
        opened.commit()
        opened.execute("VACUUM")
        return opened.serialize()
    return None


def _vouch(storage: Storage, path: str, left: bytes | None) -> None:
    """The manifests beside or above the file, of a version its copy too, say what is there now."""
    for parent in Path(path).parents:
        folder = "" if str(parent) == "." else str(parent)
        if not folder or not storage.exists(f"{folder}/{MANIFEST}"):
            continue
        with suppress(ValueError, KeyError, TypeError, AttributeError):
            known = manifest.from_json(storage.read_bytes(f"{folder}/{MANIFEST}"))
            name = path.removeprefix(f"{manifest.folder_of(folder, known)}/").removeprefix(f"{folder}/")
            if name not in {file.name for file in known.files}:
                continue
            files = [file for file in known.files if file.name != name]
            if left is not None:
                files.append(FileEntry(name=name, size=len(left), sha256=hashlib.sha256(left).hexdigest()))
            files.sort(key=lambda file: file.name)
            storage.write_bytes(f"{folder}/{MANIFEST}", manifest.to_json(replace(known, files=tuple(files))))
