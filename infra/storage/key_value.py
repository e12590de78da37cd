"""A file of texts by key that several processes may read and write at once: where verdicts of a judge and paid replies are kept.

SQLite on a local disk. Holds no meaning: keys are hashes, values are texts. The first value of a key stays, so that a
repeated evaluation reads the very verdict it was first given.
"""

import sqlite3
from pathlib import Path
from threading import Lock

from infra.errors import StorageError, boundary

BUSY_TIMEOUT_S = 10.0  # another process writes one row at a time; longer means it hangs


class KeyValueFile:
    """The file at ``path``, made with its folder if it is not there. Thread-safe; close it after use.

    Raises:
        StorageError: if the file cannot be opened or is no such file.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, Lock()
        with boundary(StorageError, f"open the verdicts {path}"):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(
                path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
            )
        try:
            with boundary(StorageError, f"open the verdicts {path}"):
                self._connection.execute(
                    "CREATE TABLE IF NOT EXISTS verdicts (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID"
                )
        except StorageError:
            self._connection.close()
            raise

    def find(self, key: str) -> str | None:
        """The value of a key; None if there is none. Raises ``StorageError``."""
        with self._lock, boundary(StorageError, f"read the verdicts {self._path}"):
            row = self._connection.execute("SELECT value FROM verdicts WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def keep(self, key: str, value: str) -> None:
        """Store a value unless the key has one. Raises ``StorageError``."""
        with self._lock, boundary(StorageError, f"write the verdicts {self._path}"):
            self._connection.execute("INSERT OR IGNORE INTO verdicts VALUES (?, ?)", (key, value))

    def texts(self) -> list[str]:
        """All values, in key order. Raises ``StorageError``."""
        with self._lock, boundary(StorageError, f"read the verdicts {self._path}"):
            return [
                str(row[0]) for row in self._connection.execute("SELECT value FROM verdicts ORDER BY key")
            ]

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()
