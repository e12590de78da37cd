"""Files of trajectories, read in small parts: lists by their plain columns, one trajectory by its row group.

Reads only what lies below ``trajectories/`` of the root. Knows nothing of HTTP.
"""

import json
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from app.server.schema.responses import RunFile, RunList, RunListing, TrajectoryPage
from infra.errors import StorageError, boundary
from infra.storage import manifest
from infra.storage.root import Storage

FOLDER = "trajectories"
SUFFIX = ".parquet"
_VERSION = re.compile(r"[0-9a-f]{16}")
LISTED_FILES = 5_000  # of one root; more are left out
PLAIN = (
    "task_id",
    "dataset",
    "question",
    "answer",
    "answers",
    "correct",
    "outcome",
    "memory",
    "reward",
    "advantage",
    "counters",
)
"""Columns of a list; none of them is large."""
FACETS = ("dataset", "memory", "outcome")
VERDICTS = ("right", "wrong", "unscored")
_DETAIL = (*PLAIN, "schema_version", "gold", "error", "graph", "algorithm", "allocation", "limits")
_CALL = "segments.list.element.calls.list.element"
_SEGMENT_LEAVES = (
    "segments.list.element.node_id",
    "segments.list.element.credit",
    *(f"{_CALL}.{name}" for name in ("images", "text", "turns", "prompt_tokens", "completion_tokens")),
)


class NoSuchFileError(ValueError):
    """There is no such file of trajectories, or it is none."""


class Filters(NamedTuple):
    """Which rows are listed; None and empty list all."""

    verdict: str | None = None
    memory: str | None = None
    dataset: str | None = None
    outcome: str | None = None
    text: str = ""


class TrajectoryFiles:
    """The files of one root. Threads may share it."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def runs(self) -> RunList:
        """Every folder of trajectories with its files, by name."""
        runs: dict[str, list[RunFile]] = {}
        for path, (place, size) in sorted(self._listed().items())[:LISTED_FILES]:
            run, _, name = path.rpartition("/")
            if (rows := self._num_rows(place)) is not None:
                runs.setdefault(run, []).append(RunFile(name=name, rows=rows, bytes=size))
        return RunList(runs=[RunListing(path=run, files=files) for run, files in runs.items()])

    def page(self, file: str, filters: Filters, *, offset: int, limit: int) -> TrajectoryPage:
        """Rows in file order. Raises ``NoSuchFileError``, and ``ValidationError`` for values that no trajectory has."""
        table = self._scan(file)
        columns = table.collect_schema().names()
        missing = [pl.lit(None).alias(name) for name in PLAIN if name not in columns]
        plain = table.select(*(name for name in PLAIN if name in columns), *missing).with_row_index("row")
        matching = plain.filter(_condition(filters))
        with _reading(file):
            total = matching.select(pl.len()).collect().item()
            rows = matching.slice(offset, limit).collect()
            facets = self._facets(plain)
        return TrajectoryPage.model_validate(
            {"total": total, "offset": offset, "rows": list(rows.iter_rows(named=True)), "facets": facets}
        )

    def row(self, file: str, row: int) -> dict[str, Any]:
        """One trajectory without its token ids, ``graph`` decoded from JSON.

        Raises:
            NoSuchFileError: if there is no such file or row.
        """
        path = self._path(file)
        with _reading(file), self._storage.open(path) as source, pq.ParquetFile(source) as table:
            return _whole(table, row, file)

    def _facets(self, plain: pl.LazyFrame) -> dict[str, dict[str, int]]:
        counts: dict[str, dict[str, int]] = {}
        tables = [plain.select(pl.col(name).fill_null("").alias("value")) for name in FACETS]
        tables.append(plain.select(_verdict().alias("value")))
        grouped = [table.group_by("value").len().sort("value") for table in tables]
        for name, frame in zip((*FACETS, "verdict"), pl.collect_all(grouped), strict=True):
            counts[name] = dict(frame.iter_rows())
        return counts

    def _scan(self, file: str) -> pl.LazyFrame:
        path = self._storage.path(self._path(file))
        table = pl.scan_parquet(
            path, storage_options=self._storage.object_store_options(), glob=False, hive_partitioning=False
        )
        with _reading(file):
            columns = table.collect_schema().names()
        if "task_id" not in columns or "graph" not in columns:
            raise NoSuchFileError(f"{file!r} holds no trajectories")
        return table

    def _path(self, file: str) -> str:
        """Below the root. Raises ``NoSuchFileError`` for anything that would not be listed."""
        folder = self._storage.local_path(FOLDER)
        for place in (file, self._of_version(file)) if _is_candidate(file) else ():
            path = f"{FOLDER}/{place}"
            if _lies_in(folder / place, folder) if folder else self._storage.exists(path):
                return path
        raise NoSuchFileError("there is no such file of trajectories")

    def _of_version(self, file: str) -> str:
        """Where a file of a run with versions lies, in the one that is current; ``file`` where there is none."""
        run, _, name = file.rpartition("/")
        try:
            known = manifest.from_json(self._storage.read_bytes(f"{FOLDER}/{run}/{manifest.MANIFEST}"))
            return f"{manifest.folder_of(run, known)}/{known.entry(name).name}"
        except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
            return file

    def _listed(self) -> dict[str, tuple[str, int]]:
        """What a file is called -> where it lies and its bytes; of versions only the current one."""
        listed: dict[str, tuple[str, int]] = {}
        for place, size in self._sizes().items():
            run, _, name = place.rpartition("/")
            parent, _, version = run.rpartition("/")
            called = f"{parent}/{name}"
            if not (parent and _VERSION.fullmatch(version)):
                listed[place] = (place, size)
            elif self._of_version(called) == place:
                listed[called] = (place, size)
        return listed

    def _sizes(self) -> dict[str, int]:
        """Bytes of every file by its name below the folder; links out of the folder are left out."""
        if not self._storage.exists(FOLDER):
            return {}
        sizes = {name: size for name, size in self._storage.sizes(FOLDER).items() if _is_candidate(name)}
        if folder := self._storage.local_path(FOLDER):
            return {name: size for name, size in sizes.items() if _lies_in(folder / name, folder)}
        return sizes

    def _num_rows(self, name: str) -> int | None:
        """From the footer alone; None for a file that is damaged or holds something else."""
        try:
            with self._storage.open(f"{FOLDER}/{name}") as source, pq.ParquetFile(source) as table:
                names = set(table.schema_arrow.names)
                return table.metadata.num_rows if {"task_id", "graph", "segments"} <= names else None
        except (OSError, ValueError, StorageError):  # what pyarrow raises for no Parquet is a ValueError
            return None


@contextmanager
def _reading(file: str) -> Iterator[None]:
    """Raise ``NoSuchFileError`` for a file that is no Parquet, a damaged one, or one of other columns, else ``StorageError``."""
    with boundary(StorageError, f"read {file!r}", passing=(NoSuchFileError,)):
        try:
            yield
        except NoSuchFileError:
            raise
        except (pl.exceptions.PolarsError, pa.ArrowException, ValueError, TypeError, RecursionError) as error:
            raise NoSuchFileError(f"{file!r} is damaged: {type(error).__name__}") from error


def _is_candidate(name: str) -> bool:
    hidden = any(part.startswith(".") for part in name.split("/"))
    return name.endswith(SUFFIX) and not hidden and "/" in name and name.isprintable()


def _lies_in(path: Path, folder: Path) -> bool:
    try:
        return path.resolve(strict=True).is_relative_to(folder.resolve()) and path.is_file()
    except (OSError, RuntimeError):
        return False


def _verdict() -> pl.Expr:
    correct = pl.col("correct")
    return (
        pl.when(correct.is_null())
        .then(pl.lit("unscored"))
        .when(correct)
        .then(pl.lit("right"))
        .otherwise(pl.lit("wrong"))
    )


def _condition(filters: Filters) -> pl.Expr:
    condition = pl.lit(True)
    if filters.verdict:
        condition &= _verdict() == filters.verdict
    for name in FACETS:
        if value := getattr(filters, name):
            condition &= pl.col(name) == value
    if filters.text:
        words = filters.text.lower()
        matches = [
            pl.col(name).fill_null("").str.to_lowercase().str.contains(words, literal=True)
            for name in ("question", "answer", "task_id")
        ]
        condition &= pl.any_horizontal(matches)
    return condition


def _whole(table: pq.ParquetFile, row: int, file: str) -> dict[str, Any]:
    """The row, decoding one row at a time of its row group, and only the columns that are shown."""
    metadata = table.metadata
    if not 0 <= row < metadata.num_rows:
        raise NoSuchFileError(f"{file!r} has {metadata.num_rows} trajectories")
    ends = list(accumulate(metadata.row_group(index).num_rows for index in range(metadata.num_row_groups)))
    group = bisect_right(ends, row)
    place = row - (ends[group - 1] if group else 0)
    columns = [*_DETAIL, *_SEGMENT_LEAVES]  # those that an older file lacks are passed over
    batches = table.iter_batches(batch_size=1, row_groups=[group], columns=columns, use_threads=False)
    for index, batch in enumerate(batches):
        if index == place:
            values: Mapping[str, Any] = batch.to_pylist()[0]
            return {**dict.fromkeys(_DETAIL), **values, "graph": json.loads(values["graph"])}
    raise AssertionError("a row group holds the rows its footer counts")
