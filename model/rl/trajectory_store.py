"""Trajectories as Parquet: written in parts, read one after another, equal to what was written.

One row a trajectory. What reports filter by are plain columns; the graph is the JSON of
``memory_graph.codec``; calls are nested lists that any Parquet reader understands. Publishing a directory of
parts with its manifest is the caller's business.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import polars as pl

from memory_graph import codec
from model.types import Call, Counters, ImageRef, Outcome, Segment, Task, Trajectory, Turn

SCHEMA_VERSION = 2
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
_SEGMENT = pl.Struct({"node_id": pl.String, "calls": pl.List(_CALL)})
_COUNTER_NAMES = tuple(asdict(Counters()))
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
        "memory": pl.String,
        "policy": pl.String,
        "index": pl.String,
        "error": pl.String,
        "counters": pl.Struct(dict.fromkeys(_COUNTER_NAMES, pl.Int64)),
        "graph": pl.String,
        "segments": pl.List(_SEGMENT),
    }
)


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
    if missing := [name for name in SCHEMA if name not in lazy.collect_schema()]:
        raise ValueError(f"{path} holds no trajectories: columns {missing} are missing")
    start = 0
    while len(frame := lazy.slice(start, ROWS_PER_GROUP).collect()):
        for row in frame.iter_rows(named=True):
            yield _trajectory(row, path)
        start += len(frame)


def scan(path: str | Path, *, storage_options: dict[str, str] | None = None) -> pl.LazyFrame:
    """The plain columns, without graphs and tokens, for reports."""
    return pl.scan_parquet(path, storage_options=storage_options).drop("graph", "segments")


def _row(trajectory: Trajectory) -> dict[str, Any]:
    task = trajectory.task
    return {
        "schema_version": SCHEMA_VERSION,
        "task_id": task.id,
        "dataset": task.dataset,
        "question": task.question,
        "answers": list(task.answers),
        "kind": task.kind,
        "choices": list(task.choices),
        "gold": sorted(task.gold),
        "outcome": trajectory.outcome.value,
        "answer": trajectory.answer,
        "correct": trajectory.correct,
        "metric": trajectory.metric,
        "reward": trajectory.reward,
        "advantage": trajectory.advantage,
        "memory": trajectory.memory,
        "policy": trajectory.policy,
        "index": trajectory.index,
        "error": trajectory.error,
        "counters": asdict(trajectory.counters),
        "graph": json.dumps(codec.encode(trajectory.graph), ensure_ascii=False, separators=(",", ":")),
        "segments": [asdict(segment) for segment in trajectory.segments],
    }


def _trajectory(row: Mapping[str, Any], path: str | Path) -> Trajectory:
    if row["schema_version"] != SCHEMA_VERSION:
        raise ValueError(
            f"{path} has schema version {row['schema_version']}, this code reads {SCHEMA_VERSION}"
        )
    task = Task(
        id=row["task_id"],
        dataset=row["dataset"],
        question=row["question"],
        answers=tuple(row["answers"]),
        kind=row["kind"],
        choices=tuple(row["choices"]),
        gold=frozenset(row["gold"]),
    )
    plain = ("answer", "correct", "metric", "reward", "advantage", "memory", "policy", "index", "error")
    return Trajectory(
        task=task,
        graph=codec.decode(json.loads(row["graph"])),
        segments=tuple(_segment(segment) for segment in row["segments"]),
        outcome=Outcome(row["outcome"]),
        counters=Counters(**row["counters"]),
        **{name: row[name] for name in plain},
    )


def _segment(row: Mapping[str, Any]) -> Segment:
    return Segment(node_id=row["node_id"], calls=tuple(_call(call) for call in row["calls"]))


def _call(row: Mapping[str, Any]) -> Call:
    return Call(
        prompt_ids=tuple(row["prompt_ids"]),
        token_ids=tuple(row["token_ids"]),
        logprobs=tuple(row["logprobs"]),
        images=tuple(ImageRef(**image) for image in row["images"]),
        text=row["text"],
        turns=tuple(Turn(**turn) for turn in row["turns"]),
        prompt_tokens=row["prompt_tokens"],
        completion_tokens=row["completion_tokens"],
        rejected=bool(row.get("rejected")),  # files from before this was told apart lack it
    )
