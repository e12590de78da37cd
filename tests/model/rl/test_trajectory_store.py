"""What is read is what was written, to the last bit; other people's tools can read it too."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memory_graph.budget import Allocation
from memory_graph.credit import Credit, PruneReason
from memory_graph.graph import AnswerNode, MemoryGraph, SearchNode, VisualItem, VisualKind
from model.config.algorithm import Algorithm, Pruning, Refusals
from model.config.limits import MINIATURE_LIMITS, Limits
from model.rl import trajectory_store
from model.rl.credit import credited
from model.rl.trajectory_store import ROWS_PER_GROUP, read, scan, write
from model.types import Call, Counters, ImageRef, Outcome, Role, Segment, Task, Trajectory, Turn

VERSION_2 = Path(__file__).parent / "data" / "trajectories_version_2.parquet"
VERSION_3 = VERSION_2.with_name("trajectories_version_3.parquet")

words = st.text(max_size=8)
images = st.builds(
    ImageRef,
    item_id=words,
    width=st.integers(1, 4096),
    height=st.integers(1, 4096),
    timestamp_s=st.none() | st.floats(0, 1e4),
)
tokens = st.lists(st.integers(0, 2**31 - 1), max_size=5).map(tuple)
calls = st.builds(
    Call,
    prompt_ids=tokens,
    token_ids=tokens,
    logprobs=st.lists(st.floats(max_value=0, allow_nan=False), max_size=5).map(tuple),
    images=st.lists(images, max_size=2).map(tuple),
    text=words,
    turns=st.lists(st.builds(Turn, role=st.sampled_from(Role), text=words), max_size=2).map(tuple),
    prompt_tokens=st.integers(0, 2**31 - 1),
    rejected=st.booleans(),
)
credits = st.builds(Credit, pruned=st.booleans(), reason=st.sampled_from(PruneReason))
segments = st.builds(
    Segment,
    node_id=st.none() | words,
    calls=st.lists(calls, max_size=2).map(tuple),
    credit=st.none() | credits,
)
algorithms = st.builds(
    Algorithm, pruning=st.sampled_from(Pruning), clip_low=st.floats(0.1, 0.9), group_size=st.integers(2, 99)
)
tasks = st.builds(
    Task,
    id=words,
    dataset=words,
    question=words,
    answers=st.lists(words, max_size=2).map(tuple),
    choices=st.lists(words, max_size=2).map(tuple),
    gold=st.frozensets(words, max_size=2),
)
ITEM = VisualItem(
    item_id="d:clip:1", kind=VisualKind.VIDEO, priority=2, width=64, height=48, timestamps=(0.1, 1 / 3)
)
GRAPH = (
    MemoryGraph(question="wer\u2028?")
    .add(
        SearchNode(id="n1", parents=("root",), query="q", summary="s", items=(ITEM,), retrieved=("d:clip:1",))
    )
    .finish(AnswerNode(parents=("n1",), text="\u00e9\U0001f600"))
)
trajectories = st.builds(
    Trajectory,
    task=tasks,
    graph=st.sampled_from([GRAPH, MemoryGraph(question="")]),
    segments=st.lists(segments, max_size=3).map(tuple),
    outcome=st.sampled_from(Outcome),
    answer=words,
    reward=st.none() | st.floats(0, 1),
    advantage=st.none() | st.floats(-9, 9),
    algorithm=st.none() | algorithms,
    allocation=st.sampled_from(Allocation),
    limits=st.sampled_from([Limits(), MINIATURE_LIMITS]),
    correct=st.none() | st.booleans(),
    metric=st.none() | st.booleans(),
    counters=st.builds(Counters, model_calls=st.integers(0, 99), prompt_tokens=st.integers(0, 2**40)),
    error=words,
)


def simple(name: str) -> Trajectory:
    task = Task(id=name, dataset="d", question="q", answers=("a",))
    return Trajectory(task=task, graph=GRAPH, segments=(), outcome=Outcome.ANSWERED, correct=True)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(trajectories, max_size=3))
def test_a_round_trip_is_exact(tmp_path, written):
    assert write(tmp_path / "t.parquet", written) == len(written)
    assert list(read(tmp_path / "t.parquet")) == written


def test_a_long_file_comes_back_in_order_a_group_at_a_time(tmp_path):
    written = [simple(str(number)) for number in range(2 * ROWS_PER_GROUP + 5)]
    write(tmp_path / "t.parquet", written)
    stream = read(tmp_path / "t.parquet")
    assert next(stream).task.id == "0"
    assert [trajectory.task.id for trajectory in stream] == [str(n) for n in range(1, len(written))]
    assert pq.ParquetFile(tmp_path / "t.parquet").metadata.num_row_groups == 3


def test_reports_read_plain_columns_without_graphs_and_tokens(tmp_path):
    write(tmp_path / "t.parquet", [simple("1")])
    frame = (
        scan(tmp_path / "t.parquet")
        .select("task_id", "correct", pl.col("counters").struct.field("searches"))
        .collect()
    )
    assert frame.row(0) == ("1", True, 0)
    assert "segments" not in scan(tmp_path / "t.parquet").collect_schema()


def test_a_file_from_before_refused_replies_were_told_apart_is_read(tmp_path):
    call = Call(prompt_ids=(1,), token_ids=(2,), logprobs=(0.0,), images=())
    written = replace(simple("1"), segments=(Segment(node_id=None, calls=(call,)),))
    write(tmp_path / "t.parquet", [written])
    frame = pl.read_parquet(tmp_path / "t.parquet")
    fields = [each.name for each in trajectory_store.SCHEMA["segments"].inner.fields[1].dtype.inner.fields]
    kept = [pl.element().struct.field(name) for name in fields if name != "rejected"]
    calls = pl.element().struct.field("calls").list.eval(pl.struct(kept))
    older = pl.col("segments").list.eval(pl.struct(pl.element().struct.field("node_id"), calls))
    frame.with_columns(older).write_parquet(tmp_path / "old.parquet")
    assert list(read(tmp_path / "old.parquet")) == [written]


def test_a_file_of_version_2_is_read_with_the_limits_and_the_allocation_that_it_was_made_with():
    # one question's group of a training run, and one rollout of another memory policy, as the code before version 3 wrote them
    *group, other = read(VERSION_2)
    assert len(group) == 8 and {each.memory for each in group} == {"vimrag_fixed"}
    assert {each.allocation for each in group} == {Allocation.FIXED}
    assert (other.memory, other.allocation) == ("vanilla", Allocation.NONE)
    assert {each.limits for each in (*group, other)} == {replace(MINIATURE_LIMITS, rules=1)}
    assert all(each.algorithm is None and each.segments[0].credit is None for each in group)
    trained = credited([replace(each, advantage=None) for each in group], algorithm=Algorithm())
    assert [each.advantage for each in trained] == [each.advantage for each in group]
    assert any(segment.credit and segment.credit.pruned for each in trained for segment in each.segments)


def test_what_is_read_of_version_2_is_written_as_the_present_version(tmp_path):
    older = list(read(VERSION_2))
    write(tmp_path / "t.parquet", older)
    assert list(read(tmp_path / "t.parquet")) == older
    assert pl.read_parquet(tmp_path / "t.parquet")["schema_version"].unique().to_list() == [4]


def test_a_file_of_version_3_says_by_which_rules_it_was_written():
    # one question's group with refused replies, credited and written by the code before version 4
    group = list(read(VERSION_3))
    assert len(group) == 8 and any(call.rejected for each in group for s in each.segments for call in s.calls)
    assert {each.limits.rules for each in group} == {1}
    assert {each.algorithm.refusals for each in group if each.algorithm} == {Refusals.NODE}
    # by those rules credit and advantage come out as they were stored
    again = credited(group, algorithm=Algorithm(refusals=Refusals.NODE))
    assert [each.advantage for each in again] == [each.advantage for each in group]
    assert [s.credit for each in again for s in each.segments] == [
        s.credit for each in group for s in each.segments
    ]


def test_what_is_written_now_says_so(tmp_path):
    write(tmp_path / "t.parquet", [replace(simple("1"), algorithm=Algorithm())])
    (found,) = read(tmp_path / "t.parquet")
    assert (found.limits.rules, found.algorithm and found.algorithm.refusals) == (2, Refusals.OWN)


def test_another_schema_version_is_refused(tmp_path):
    write(tmp_path / "t.parquet", [simple("1")])
    frame = pl.read_parquet(tmp_path / "t.parquet").with_columns(schema_version=pl.lit(99, pl.Int32))
    frame.write_parquet(tmp_path / "new.parquet")
    with pytest.raises(ValueError, match="version 99"):
        list(read(tmp_path / "new.parquet"))


def test_a_file_of_something_else_is_refused(tmp_path):
    pl.DataFrame({"a": [1]}).write_parquet(tmp_path / "t.parquet")
    with pytest.raises(ValueError, match="no trajectories"):
        list(read(tmp_path / "t.parquet"))
