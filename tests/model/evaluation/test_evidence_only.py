"""A graph without its noise: what stays, what takes over, and an answer from it."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_graph.actions import Answer, Search, render
from memory_graph.graph import ROOT, AnswerNode, MemoryGraph, SearchNode
from model.agent.loop import Agent
from model.agent.memory.registry import memory_policy
from model.agent.prompts import COMPACT
from model.config.limits import MINIATURE_LIMITS
from model.evaluation.evidence_only import (
    answer_from,
    evidence_nodes,
    only_evidence,
    without,
    without_random_nodes,
)
from model.types import Outcome, Task
from tests.model.scripted import ScriptedPolicy, ScriptedRetriever


def node(name: str, *parents: str, found: tuple[str, ...] = ()) -> SearchNode:
    return SearchNode(id=name, parents=parents, query=f"query {name}", summary=f"sum {name}", retrieved=found)


GRAPH = MemoryGraph(
    question="q?",
    nodes=(
        node("n1", ROOT, found=("x",)),
        node("n2", "n1", found=("g", "x")),
        node("n3", "n1", "n2", found=("y",)),
        node("n4", "n3", found=("h",)),
    ),
    answer=AnswerNode(parents=("n4",), text="wrong"),
)
GOLD = frozenset({"g", "h"})


@st.composite
def graphs(draw: st.DrawFn) -> MemoryGraph:
    nodes: list[SearchNode] = []
    for number in range(draw(st.integers(0, 7))):
        known = [ROOT, *(each.id for each in nodes)]
        parents = draw(st.lists(st.sampled_from(known), min_size=1, max_size=3))
        nodes.append(node(f"n{number}", *parents, found=(draw(st.sampled_from("gxyz")),)))
    return MemoryGraph(question="q?", nodes=tuple(nodes))


def test_noise_goes_and_its_children_take_over_its_parents():
    kept = only_evidence(GRAPH, GOLD)
    # n1 goes: n2 hangs on the root; n3 goes: n4 takes over the root (for n1) and n2
    assert [(each.id, each.parents) for each in kept.nodes] == [("n2", (ROOT,)), ("n4", (ROOT, "n2"))]
    assert kept.answer is None


@given(graphs(), st.integers(0, 9))
def test_what_is_kept_is_the_evidence_and_the_control_keeps_as_many(graph: MemoryGraph, seed: int):
    kept, control = only_evidence(graph, {"g"}), without_random_nodes(graph, {"g"}, seed=seed)
    assert {each.id for each in kept.nodes} == evidence_nodes(graph, {"g"})
    assert len(control.nodes) == len(kept.nodes)
    assert control == without_random_nodes(graph, {"g"}, seed=seed)
    assert only_evidence(kept, {"g"}) == kept


@given(graphs(), st.sets(st.sampled_from([f"n{number}" for number in range(7)])))
def test_what_is_left_rested_on_the_same_before(graph: MemoryGraph, dropped: set[str]):
    left = without(graph, dropped)
    for each in left.nodes:
        assert left.ancestors([each.id]) == graph.ancestors([each.id]) - dropped
    assert without(graph, set()).nodes == graph.nodes


@pytest.mark.parametrize(
    ("reply", "outcome", "text"),
    [
        (render(Answer(("n2",), "41")), Outcome.FORCED, "41"),
        (render(Search("n9", ("n2",), "more")), Outcome.ABSTAINED, ""),
        ("no action at all", Outcome.ABSTAINED, ""),
    ],
)
def test_one_answer_is_forced_from_what_is_left(reply: str, outcome: Outcome, text: str):
    policy = ScriptedPolicy([reply])
    memory = memory_policy("vimrag", profile=COMPACT)
    agent = Agent(policy=policy, retriever=ScriptedRetriever({}), memory=memory, limits=MINIATURE_LIMITS)
    task = Task(id="1", dataset="d", question="q?", answers=("41",), gold=GOLD)
    found = asyncio.run(answer_from(agent, task, only_evidence(GRAPH, GOLD)))
    assert (found.outcome, found.answer, found.counters.model_calls) == (outcome, text, 1)
    shown = str(policy.prompts[0])
    assert "sum n2" in shown and "sum n4" in shown and "sum n1" not in shown and "sum n3" not in shown
