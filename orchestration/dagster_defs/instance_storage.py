"""Where a Dagster instance keeps runs and events: Dagster's own SQLite files, made by one process at a time.

Dagster makes the tables of a new ``DAGSTER_HOME`` whenever it opens the instance and finds none; several first runs at once then
fail on each other's half-made tables. ``dagster.yaml`` names this class, so it must be importable by the web server and the
daemon too: it imports Dagster and nothing heavier.
"""

import fcntl
from pathlib import Path
from typing import Any

from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClassData

LOCK = ".instance.lock"


class SqliteInstanceStorage(DagsterSqliteStorage):
    """The default storage; opening it waits for whoever is making its files."""

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Any
    ) -> "SqliteInstanceStorage":
        """See ``DagsterSqliteStorage``."""
        folder = Path(config_value["base_dir"]).expanduser()
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / LOCK).open("a") as lock:  # closing it lets the next one in, however this process ends
            fcntl.flock(lock, fcntl.LOCK_EX)
            return cls(str(folder), inst_data=inst_data)
