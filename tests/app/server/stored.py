"""Trajectories with known verdicts, and a file of many large ones."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import polars as pl

from memory_graph.graph import AnswerNode, MemoryGraph, SearchNode, VisualItem, VisualKind
from model.rl import trajectory_store
from model.types import Call, Counters, ImageRef, Outcome, Role, Segment, Task, Trajectory, Turn

PAGE = VisualItem(item_id="documents:page:a#1", kind=VisualKind.PAGE, priority=5, width=640, height=640)
GRAPH = MemoryGraph(
    question="Which year?",
    nodes=(
        SearchNode(
            id="n1",
            parents=("root",),
            query="year",
            summary="1931",
            items=(PAGE,),
            retrieved=(PAGE.item_id, "t:1"),
        ),
        SearchNode(id="n2", parents=("root",), query="elsewhere", summary="nothing", retrieved=("t:2",)),
    ),
    answer=AnswerNode(parents=("n1",), text="1931"),
)


def call(text: str, *, pixels: tuple[ImageRef, ...] = (), ids: tuple[int, ...] = (1, 2, 3)) -> Call:
    """One call whose prompt shows ``pixels``."""
    turns = (
        Turn(role=Role.SYSTEM, text="Answer."),
        Turn(role=Role.USER, text="Which year?" + "\ufffc" * len(pixels)),
    )
    return Call(
        prompt_ids=ids,
        token_ids=ids,
        logprobs=tuple(-0.5 for _ in ids),
        images=pixels,
        text=text,
        turns=turns,
        prompt_tokens=40,
        completion_tokens=7,
    )


def trajectory(number: int, *, correct: bool | None, gold: frozenset[str] = frozenset({"t:2"})) -> Trajectory:
    """Two searches, of which the answer rests on the first; the gold evidence was found by the second."""
    shown = (ImageRef(item_id=PAGE.item_id, width=512, height=512),)
    return Trajectory(
        task=Task(
            id=f"task-{number}",
            dataset="squad" if number % 2 else "webqa",
            question=f"Which year, number {number}?",
            answers=("1931",),
            gold=gold,
        ),
        graph=GRAPH,
        segments=(
            Segment(node_id="n1", calls=(call("search"), call("memorise", pixels=shown))),
            Segment(node_id="n2", calls=(call("search again"),)),
            Segment(node_id=None, calls=(call("answer", pixels=shown),)),
        ),
        outcome=Outcome.ANSWERED if number % 3 else Outcome.FORCED,
        answer="1931",
        memory="vimrag",
        reward=None if correct is None else float(correct),
        correct=correct,
        advantage=None if correct is None else 0.5,
        counters=Counters(model_calls=4, searches=2, prompt_tokens=160, completion_tokens=28),
    )


def write_large(path: Path, *, rows: int, tokens: int) -> None:
    """``rows`` trajectories with ``tokens`` random token ids in each of four calls, which do not compress."""
    draw = random.Random(0)
    made = []
    for number in range(50):
        one = trajectory(number, correct=(True, False, None)[number % 3])
        segments = tuple(
            replace(
                segment,
                calls=tuple(
                    replace(
                        each,
                        prompt_ids=tuple(draw.randrange(150_000) for _ in range(tokens)),
                        text=draw.randbytes(2000).hex(),
                    )
                    for each in segment.calls
                ),
            )
            for segment in one.segments
        )
        made.append(replace(one, segments=segments))
    few = path.with_name("few.parquet")
    trajectory_store.write(few, made)
    table = pl.concat([pl.read_parquet(few)] * (rows // 50))
    named = table.with_columns(task_id=pl.format("task-{}", pl.int_range(pl.len())))
    named.write_parquet(path, row_group_size=trajectory_store.ROWS_PER_GROUP, compression="zstd")
    few.unlink()
