"""Trajectories as Parquet: written in parts, read one after another, equal to what was written.

One row a trajectory. What reports filter by are plain columns; the graph is the JSON of
``memory_graph.codec``; calls are nested lists that any Parquet reader understands. Publishing a directory of
parts with its manifest is the caller's business. Files of schema versions 2 and 3 are read too (``upgraded``).
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import polars as pl
from pydantic import TypeAdapter

from memory_graph import codec
from memory_graph.budget import Allocation
from model.agent.prompts import COMPACT
from model.config.algorithm import Algorithm, Refusals
from model.config.limits import MINIATURE_LIMITS, Limits
from model.types import Counters, Trajectory

SCHEMA_VERSION = 4
ROWS_PER_GROUP = 64  # rows that a reader holds at once; a row of a real run is some hundred kilobytes

_IMAGE = pl.Struct({"item_id": pl.String, "width": pl.Int32, "height": pl.Int32, "timestamp_s": pl.Float64})
_CALL = pl.Struct(
    {
        "prompt_ids": pl.List(pl.Int32),
        "token_ids": pl.List(pl.Int32),
        "logprobs": pl.List(pl.Float64),
        "images": pl.List(_IMAGE),
        "text": pl.String,
        "turns": pl.List(pl.Struct({"role": pl.String, "text": pl.String})),
        "prompt_tokens": pl.Int32,
        "completion_tokens": pl.Int32,
        "rejected": pl.Boolean,
    }
)
_CREDIT = pl.Struct({"pruned": pl.Boolean, "reason": pl.String})
_SEGMENT = pl.Struct({"node_id": pl.String, "calls": pl.List(_CALL), "credit": _CREDIT})
_COUNTER_NAMES = tuple(asdict(Counters()))
_COLUMN_TYPES = {int: pl.Int64, float: pl.Float64, bool: pl.Boolean}


def _limits_record(limits: Limits) -> dict[str, int | float]:
    record: dict[str, Any] = asdict(limits)
    del record["similarity"]
    return record


def _struct(record: Mapping[str, Any]) -> pl.Struct:
    """One column a field, texts for enums."""
    return pl.Struct({name: _COLUMN_TYPES.get(type(value), pl.String) for name, value in record.items()})


SCHEMA = pl.Schema(
    {
        "schema_version": pl.Int32,
        "task_id": pl.String,
        "dataset": pl.String,
        "question": pl.String,
        "answers": pl.List(pl.String),
        "kind": pl.String,
        "choices": pl.List(pl.String),
        "gold": pl.List(pl.String),
        "outcome": pl.String,
        "answer": pl.String,
        "correct": pl.Boolean,
        "metric": pl.Boolean,
        "reward": pl.Float64,
        "advantage": pl.Float64,
        "algorithm": _struct(asdict(Algorithm())),
        "memory": pl.String,
        "allocation": pl.String,
        "limits": _struct(_limits_record(Limits())),
        "policy": pl.String,
        "index": pl.String,
        "error": pl.String,
        "counters": pl.Struct(dict.fromkeys(_COUNTER_NAMES, pl.Int64)),
        "graph": pl.String,
        "segments": pl.List(_SEGMENT),
    }
)
NEW_COLUMNS = ("algorithm", "allocation", "limits")  # since version 2, like the credit of a segment
PLAIN = ("answer", "correct", "metric", "reward", "advantage", "memory", "policy", "index", "error")
"""Columns that are fields of a trajectory as they are."""
_ALLOCATIONS_2 = {
    "vimrag": Allocation.ENERGY,
    "vimrag_equal": Allocation.EQUAL,
    "vimrag_fixed": Allocation.FIXED,
}
_TRAJECTORY = TypeAdapter(Trajectory)


def write(
    path: str | Path, trajectories: Iterable[Trajectory], *, storage_options: dict[str, str] | None = None
) -> int:
    """Write one part; how many rows it has. ``path`` may be a URL, with polars' ``storage_options``."""
    rows = [_row(trajectory) for trajectory in trajectories]
    frame = pl.DataFrame(rows, schema=SCHEMA)
    frame.write_parquet(
        path, row_group_size=ROWS_PER_GROUP, compression="zstd", storage_options=storage_options, mkdir=True
    )
    return len(rows)


def read(path: str | Path, *, storage_options: dict[str, str] | None = None) -> Iterator[Trajectory]:
    """The trajectories of one part in order; at most ``ROWS_PER_GROUP`` are held at once.

    Raises:
        ValueError: if the file is of another schema version or lacks columns.
    """
    lazy = pl.scan_parquet(path, storage_options=storage_options)
    columns = lazy.collect_schema()
    if missing := [name for name in SCHEMA if name not in columns and name not in NEW_COLUMNS]:
        raise ValueError(f"{path} holds no trajectories: columns {missing} are missing")
    start = 0
    while len(frame := lazy.slice(start, ROWS_PER_GROUP).collect()):
        for row in frame.iter_rows(named=True):
            try:
                upgraded_row = upgraded(row)
            except ValueError as error:
                raise ValueError(f"{path}: {error}") from error
            yield _trajectory(upgraded_row)
        start += len(frame)


def scan(path: str | Path, *, storage_options: dict[str, str] | None = None) -> pl.LazyFrame:
    """The plain columns, without graphs and tokens, for reports."""
    return pl.scan_parquet(path, storage_options=storage_options).drop("graph", "segments")


def upgraded(row: Mapping[str, Any]) -> dict[str, Any]:
    """A stored row in the present schema.

    Version 2 lacks limits, allocation, algorithm and credit. Its limits follow from the instruction of its prompts, its
    allocation from the memory policy; with which objective it was trained, if at all, is not known. Version 3 lacks which rules
    wrote it, which are the first ones: of the environment (``Limits.rules``) and of refused replies (``Refusals.NODE``).

    Raises:
        ValueError: for another version.
    """
    version = row["schema_version"]
    if version == SCHEMA_VERSION:
        return dict(row)
    if version == 3:
        algorithm = row["algorithm"]
        return {
            **row,
            "limits": {**row["limits"], "rules": 1},
            "algorithm": algorithm and {**algorithm, "refusals": Refusals.NODE.value},
        }
    if version != 2:
        raise ValueError(f"trajectories of schema version {version}; this code reads 2 to {SCHEMA_VERSION}")
    calls = [call for segment in row["segments"] or () for call in segment["calls"]]
    instructions = {turns[0]["text"] for call in calls if (turns := call.get("turns"))}
    return {
        **row,
        "limits": _limits_record(
            replace(MINIATURE_LIMITS if COMPACT.system in instructions else Limits(), rules=1)
        ),
        "allocation": _ALLOCATIONS_2.get(row["memory"], Allocation.NONE).value,
        "algorithm": None,
    }


def _row(trajectory: Trajectory) -> dict[str, Any]:
    task = asdict(trajectory.task)
    return {
        "schema_version": SCHEMA_VERSION,
        "task_id": task.pop("id"),
        **task,
        "gold": sorted(trajectory.task.gold),
        **{name: getattr(trajectory, name) for name in PLAIN},
        "outcome": trajectory.outcome.value,
        "algorithm": None if trajectory.algorithm is None else asdict(trajectory.algorithm),
        "allocation": trajectory.allocation.value,
        "limits": _limits_record(trajectory.limits),
        "counters": asdict(trajectory.counters),
        "graph": json.dumps(codec.encode(trajectory.graph), ensure_ascii=False, separators=(",", ":")),
        "segments": [asdict(segment) for segment in trajectory.segments],
    }


def _trajectory(row: Mapping[str, Any]) -> Trajectory:
    graph = codec.decode(json.loads(row["graph"]))
    return _TRAJECTORY.validate_python({**row, "task": {**row, "id": row["task_id"]}, "graph": graph})
