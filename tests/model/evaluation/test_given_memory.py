"""Answers from a given graph: one forced call, the same evidence for every way of showing it, at other sizes."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from memory_graph.actions import Answer
from memory_graph.budget import TOKEN_PIXELS
from memory_graph.graph import ROOT, MemoryGraph, SearchNode, VisualItem, VisualKind
from model.agent.memory.registry import memory_policy
from model.agent.memory.session import Recollection
from model.agent.prompts import COMPACT
from model.config.limits import MINIATURE_LIMITS
from model.evaluation.given_memory import AnsweringAgent, is_crowded, unanswered
from model.types import Outcome, Task
from tests.model.scripted import ScriptedPolicy, ScriptedRetriever

TASK = Task(id="t", dataset="d", question="q?", answers=("yes",), kind="text", gold=frozenset({"gold"}))


def picture(name: str, priority: int) -> VisualItem:
    return VisualItem(item_id=name, kind=VisualKind.IMAGE, priority=priority, width=128, height=128)


GRAPH = MemoryGraph(
    question="q?",
    nodes=(
        SearchNode(
            id="n1",
            parents=(ROOT,),
            query="q",
            summary="s",
            items=(picture("gold", 5), picture("other", 1)),
            retrieved=("gold", "other"),
        ),
    ),
)
LIMITS = replace(MINIATURE_LIMITS, total_pixels=12 * TOKEN_PIXELS, min_pixels=TOKEN_PIXELS)


def shown(memory: str) -> dict[str, int]:
    """Visual tokens of each picture in the one prompt that was asked."""
    policy = ScriptedPolicy([Answer(parents=("n1",), text="yes")])
    known = Recollection(graph=GRAPH, titles={"gold": "The gold one", "other": "Another"})
    agent = AnsweringAgent(
        policy=policy,
        retriever=ScriptedRetriever({}),
        memory=memory_policy(memory, profile=COMPACT),
        limits=LIMITS,
        given={"t": known},
    )
    rollout = asyncio.run(agent.run(TASK, seed=1))
    assert (rollout.outcome, rollout.answer, rollout.counters.model_calls) == (Outcome.FORCED, "yes", 1)
    assert rollout.graph.nodes == GRAPH.nodes
    [request] = policy.requests
    text = "".join(part for each in request.messages for part in each.parts if isinstance(part, str))
    assert request.forced and "The gold one" in text
    return {
        part.item_id: part.width * part.height // TOKEN_PIXELS
        for each in request.messages
        for part in each.parts
        if not isinstance(part, str)
    }


def test_a_tight_budget_goes_where_the_priority_is_or_to_all_alike():
    # 12 tokens: 10 and 2 by energies of 5 : 1, squares of 3 x 3 and a strip or square within 2; equally 6 each, 2 x 2
    assert shown("vimrag") == {"gold": 9, "other": 1}
    assert shown("vimrag_equal") == {"gold": 4, "other": 4}


def test_a_memory_is_crowded_with_gold_and_another_picture():
    policy = ScriptedPolicy([Answer(parents=("n1",), text="yes")])
    agent = AnsweringAgent(
        policy=policy,
        retriever=ScriptedRetriever({}),
        memory=memory_policy("vimrag", profile=COMPACT),
        limits=LIMITS,
        given={"t": Recollection(graph=GRAPH)},
    )
    rollout = asyncio.run(agent.run(TASK))
    assert is_crowded(rollout) and unanswered(rollout.graph) == GRAPH
    assert not is_crowded(replace(rollout, task=replace(TASK, gold=frozenset({"elsewhere"}))))
    alone = replace(GRAPH.nodes[0], items=(picture("gold", 5),))
    assert not is_crowded(replace(rollout, graph=MemoryGraph(question="q?", nodes=(alone,))))
