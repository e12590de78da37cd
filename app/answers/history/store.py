"""Conversations in one SQLite file: each question is written when it is asked, and again whenever something was found.

A change is one transaction that has reached the disk when the call returns; whatever is killed, the file holds the state
before or after it. A question whose process is gone is given as interrupted, with what it had found. What is deleted is
overwritten. Roots on S3 keep their history on this machine.
"""

import hashlib
import json
import os
import sqlite3
import time
import uuid
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.answers.history import records
from app.answers.history.owner import is_alive, this_process
from app.answers.history.records import (
    ConversationLine,
    ConversationPage,
    StoredConversation,
    StoredEvents,
    StoredTurn,
)
from infra.storage.root import Storage

SCHEMA_VERSION = 1
FILE = "history/conversations.sqlite"
WAIT_S = 10.0  # for another process that writes
TITLE_CHARS = 200
ANSWER_CHARS = 300  # in a list
MOST_ROWS = 200

_TABLES = """
CREATE TABLE conversations (
    id TEXT PRIMARY KEY, title TEXT NOT NULL, created_s REAL NOT NULL, updated_s REAL NOT NULL
);
CREATE TABLE turns (
    id TEXT PRIMARY KEY,
    conversation TEXT NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    state TEXT NOT NULL,
    owner TEXT NOT NULL,
    words TEXT NOT NULL,
    answer TEXT NOT NULL,
    graph TEXT NOT NULL,
    asked BLOB NOT NULL,
    found BLOB NOT NULL,
    events BLOB NOT NULL,
    UNIQUE (conversation, number)
);
CREATE INDEX latest ON conversations (updated_s);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question as it is asked."""

    id: str
    question: str
    memory: str
    model: str
    index: str
    files: tuple[str, ...] | None = None
    datasets: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What is known of a question by now; ``record`` is an ``AnswerRecord`` as plain values."""

    state: str
    answer: str = ""
    message: str = ""
    html: str = ""
    svg: str = ""
    graph: Mapping[str, Any] | None = None
    """As ``memory_graph.codec`` writes it."""
    record: Mapping[str, Any] | None = None
    events: Sequence[Mapping[str, Any]] = ()


class History:
    """The conversations of one root. Threads and processes may share it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def of(cls, storage: Storage) -> "History":
        """Below the root, or in this user's state folder for a root that is not on this machine."""
        if path := storage.local_path(FILE):
            return cls(path)
        state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
        name = hashlib.sha256(storage.root.encode()).hexdigest()[:16]
        return cls(state / "vimrag" / "history" / f"{name}.sqlite")

    def begin(self, asked: Asked, conversation: str | None) -> tuple[str, int]:
        """Write a question down, in a new conversation without an id; its conversation and its number there, from 1.

        Raises:
            KeyError: if there is no such conversation.
        """
        now = time.time()
        with self._open(write=True) as table:
            if conversation is None:
                conversation = uuid.uuid4().hex
                title = " ".join(asked.question.split())[:TITLE_CHARS]
                table.execute(
                    "INSERT INTO conversations VALUES (?, ?, ?, ?)", (conversation, title, now, now)
                )
            elif not table.execute("SELECT 1 FROM conversations WHERE id = ?", (conversation,)).fetchone():
                raise KeyError(conversation)
            [number] = table.execute(
                "SELECT COALESCE(MAX(number), 0) + 1 FROM turns WHERE conversation = ?", (conversation,)
            ).fetchone()
            plain = {**{name: getattr(asked, name) for name in Asked.__slots__}, "created_s": now}
            table.execute(
                "INSERT INTO turns VALUES (?, ?, ?, ?, ?, ?, '', '', ?, ?, ?)",
                (
                    *(asked.id, conversation, number, records.RUNNING, this_process()),
                    *(asked.question.casefold(), _packed(plain), _packed({}), _packed([])),
                ),
            )
            table.execute("UPDATE conversations SET updated_s = ? WHERE id = ?", (now, conversation))
        return conversation, number

    def update(self, turn: str, found: Found) -> None:
        """Write down what is known of a question by now; nothing happens if it was deleted meanwhile."""
        names = ("message", "html", "svg", "record")
        plain = {name: getattr(found, name) for name in names}
        graph = "" if found.graph is None else json.dumps(found.graph, ensure_ascii=False)
        with self._open(write=True) as table:
            asked = table.execute("SELECT asked, conversation FROM turns WHERE id = ?", (turn,)).fetchone()
            if asked is None:
                return
            words = f"{_unpacked(asked[0])['question']}\n{found.answer}".casefold()
            table.execute(
                "UPDATE turns SET state = ?, words = ?, answer = ?, graph = ?, found = ?, events = ? WHERE id = ?",
                (
                    *(found.state, words, found.answer, graph),
                    *(_packed(plain), _packed(list(found.events)), turn),
                ),
            )
            table.execute("UPDATE conversations SET updated_s = ? WHERE id = ?", (time.time(), asked[1]))

    def page(self, *, words: str = "", offset: int = 0, limit: int = 50) -> ConversationPage:
        """Conversations in which every one of ``words`` stands in a question or an answer, the latest first."""
        wanted = words.casefold().split()
        holds = " AND ".join(
            "EXISTS (SELECT 1 FROM turns t WHERE t.conversation = c.id AND instr(t.words, ?))" for _ in wanted
        )
        where = f"WHERE {holds}" if wanted else ""
        with self._open() as table:
            [total] = table.execute(f"SELECT COUNT(*) FROM conversations c {where}", wanted).fetchone()
            rows = table.execute(
                "SELECT c.id, c.title, c.created_s, c.updated_s, COUNT(l.id), "
                "(SELECT state || char(10) || owner || char(10) || answer FROM turns t WHERE t.conversation = c.id "
                "ORDER BY number DESC LIMIT 1) "
                f"FROM conversations c LEFT JOIN turns l ON l.conversation = c.id {where} "
                "GROUP BY c.id ORDER BY c.updated_s DESC, c.id LIMIT ? OFFSET ?",
                (*wanted, min(limit, MOST_ROWS), offset),
            ).fetchall()
        return ConversationPage(total=total, offset=offset, rows=tuple(_line(*row) for row in rows))

    def conversation(self, id_: str) -> StoredConversation:
        """A whole conversation. Raises ``KeyError`` if there is none of that id."""
        with self._open() as table:
            head = table.execute(
                "SELECT title, created_s, updated_s FROM conversations WHERE id = ?", (id_,)
            ).fetchone()
            if head is None:
                raise KeyError(id_)
            rows = table.execute(
                "SELECT id, number, state, owner, asked, found FROM turns WHERE conversation = ? ORDER BY number",
                (id_,),
            ).fetchall()
        title, created_s, updated_s = head
        return StoredConversation(
            schema_version=SCHEMA_VERSION,
            id=id_,
            title=title,
            created_s=created_s,
            updated_s=updated_s,
            turns=tuple(_turn(*row) for row in rows),
        )

    def graph(self, turn: str) -> Mapping[str, Any] | None:
        """The memory graph of a question as the codec wrote it; None if it has none."""
        with self._open() as table:
            row = table.execute("SELECT graph FROM turns WHERE id = ?", (turn,)).fetchone()
        return json.loads(row[0]) if row and row[0] else None

    def events(self, turn: str) -> StoredEvents:
        """What happened for a question. Raises ``KeyError`` if there is none of that id."""
        with self._open() as table:
            row = table.execute(
                "SELECT state, owner, found, events FROM turns WHERE id = ?", (turn,)
            ).fetchone()
        if row is None:
            raise KeyError(turn)
        state, owner, found, events = row
        message = _unpacked(found).get("message", "")
        return StoredEvents(state=_state(state, owner), message=message, events=_unpacked(events))

    def delete(self, id_: str) -> bool:
        """Remove a conversation with all that is in it; whether there was one."""
        with self._open(write=True) as table:
            return table.execute("DELETE FROM conversations WHERE id = ?", (id_,)).rowcount > 0

    @contextmanager
    def _open(self, *, write: bool = False) -> Iterator[sqlite3.Connection]:
        """One transaction. Raises ``ValueError`` for a file of a newer version, ``sqlite3.Error`` for a damaged one."""
        if write:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        elif not self.path.exists():
            empty = sqlite3.connect(":memory:")
            empty.executescript(_TABLES)
            try:
                yield empty
            finally:
                empty.close()
            return
        table = sqlite3.connect(self.path, timeout=WAIT_S, isolation_level=None)
        try:
            table.executescript(
                "PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON; PRAGMA synchronous = FULL;"
            )
            table.execute("BEGIN IMMEDIATE" if write else "BEGIN")
            self._upgrade(table)
            yield table
            table.execute("COMMIT")
        except BaseException:
            if table.in_transaction:
                table.execute("ROLLBACK")
            raise
        finally:
            table.close()

    def _upgrade(self, table: sqlite3.Connection) -> None:
        [version] = table.execute("PRAGMA user_version").fetchone()
        if version > SCHEMA_VERSION:
            raise ValueError(f"{self.path} has schema {version}, known up to {SCHEMA_VERSION}")
        if version == 0:
            for statement in filter(str.strip, _TABLES.split(";")):
                table.execute(statement)
            table.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _packed(value: Any) -> bytes:
    return zlib.compress(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"), 6)


def _unpacked(data: bytes) -> Any:
    return json.loads(zlib.decompress(data))


def _state(state: str, owner: str) -> str:
    return records.INTERRUPTED if state == records.RUNNING and not is_alive(owner) else state


def _line(
    id_: str, title: str, created_s: float, updated_s: float, turns: int, last: str | None
) -> ConversationLine:
    state, owner, answer = (last or f"{records.INTERRUPTED}\n\n").split("\n", 2)
    return ConversationLine(
        id=id_,
        title=title,
        created_s=created_s,
        updated_s=updated_s,
        turns=turns,
        state=_state(state, owner),
        answer=answer[:ANSWER_CHARS],
    )


def _turn(id_: str, number: int, state: str, owner: str, asked: bytes, found: bytes) -> StoredTurn:
    known = {"message": "", "html": "", "svg": "", "record": None} | _unpacked(found)
    question = {name: value for name, value in _unpacked(asked).items() if name != "id"}
    return StoredTurn.model_validate(
        {"id": id_, "number": number, "state": _state(state, owner)} | question | known
    )
