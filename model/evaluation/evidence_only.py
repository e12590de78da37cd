"""The second half of pilot study 3 (arXiv 2602.12735): a wrong rollout's graph without its noise, and an answer from it.

Pure functions of graphs, and one forced answer through the same memory and context code as any rollout. Items are shown without
the titles of their documents, which a stored graph does not hold; so are those of the controls.
"""

import random
from collections.abc import Set
from dataclasses import replace

from memory_graph.actions import Answer
from memory_graph.credit import returned_gold
from memory_graph.graph import ROOT, MemoryGraph
from memory_graph.parsing import ActionError
from model.agent.loop import Agent
from model.agent.memory.vimrag import Vimrag
from model.types import PolicyRequest, Task, Trajectory


def evidence_nodes(graph: MemoryGraph, gold: Set[str]) -> frozenset[str]:
    """Ids of the nodes whose search returned gold evidence: R_val of Eq. 11."""
    return frozenset(node.id for node in graph.nodes if returned_gold(node, gold))


def without(graph: MemoryGraph, dropped: Set[str]) -> MemoryGraph:
    """The unanswered graph without some nodes; the children of a dropped node take over its parents."""
    stand_ins: dict[str, tuple[str, ...]] = {ROOT: (ROOT,)}
    nodes = []
    for node in graph.nodes:
        parents = tuple(stand_in for parent in node.parents for stand_in in stand_ins[parent])
        if node.id in dropped:
            stand_ins[node.id] = parents
        else:
            stand_ins[node.id] = (node.id,)
            nodes.append(replace(node, parents=parents))
    return MemoryGraph(question=graph.question, nodes=tuple(nodes))


def only_evidence(graph: MemoryGraph, gold: Set[str]) -> MemoryGraph:
    """The unanswered graph of the nodes that found gold."""
    return without(graph, {node.id for node in graph.nodes} - evidence_nodes(graph, gold))


def without_random_nodes(graph: MemoryGraph, gold: Set[str], *, seed: int | str) -> MemoryGraph:
    """The control: as many nodes dropped as ``only_evidence`` drops, drawn among all."""
    ids = [node.id for node in graph.nodes]
    dropped = random.Random(seed).sample(ids, len(ids) - len(evidence_nodes(graph, gold)))
    return without(graph, set(dropped))


async def answer_from(agent: Agent, task: Task, graph: MemoryGraph) -> Trajectory:
    """One forced answer with ``graph`` as the memory, ungraded; a reply that is no answer abstains.

    Raises:
        ValueError: for an agent whose memory is no graph.
    """
    if not isinstance(agent.memory, Vimrag):
        raise ValueError(f"the memory policy {agent.memory.name!r} keeps no graph to go on from")
    session = agent.memory.recall(task, agent.retriever, agent.limits, without(graph, set()))
    environment = session.environment
    messages = session.messages(forced=True)
    request = PolicyRequest(messages=messages, task=task, sampling=agent.sampling, forced=True)
    completion = await agent.policy.complete(request)
    environment.count_call(messages, completion)
    try:
        legal = environment.read(completion.text)
    except ActionError:
        legal = None
    if legal is not None and isinstance(legal.action, Answer):
        environment.answer(legal.action, forced=True)
    else:
        environment.abstain()
    return agent.trajectory(environment, ())
