"""Every memory policy by its name, as recipes, reports and the command line call it.

Holds the list only. All policies run through the same agent loop and share retriever, top-k, call limit, pixel caps, the
rule of the forced answer and the grader; another policy is one file and one line here.
"""

from collections.abc import Mapping
from dataclasses import replace

from memory_graph.budget import Allocation
from model.agent.context import TokenCounter, estimate_tokens
from model.agent.memory.closed_book import ClosedBook
from model.agent.memory.crossmodal import STRATEGIES, CrossModal
from model.agent.memory.mem1 import Mem1
from model.agent.memory.memagent import MemAgent
from model.agent.memory.names import TRAINED
from model.agent.memory.react import React
from model.agent.memory.session import MemoryPolicy
from model.agent.memory.universalrag import UniversalRag
from model.agent.memory.vanilla import Vanilla
from model.agent.memory.videorag import VideoRag
from model.agent.memory.vimrag import Vimrag
from model.agent.prompts import Profile

SINGLE_ANSWER = frozenset({"closed_book", "vanilla", "videorag", "universalrag"})
"""Policies whose one answer is always a forced one."""

_POLICIES = (
    ClosedBook(),
    Vanilla(),
    React(),
    Mem1(),
    MemAgent(),
    VideoRag(),
    UniversalRag(),
    Vimrag(),
    Vimrag(name="vimrag_text", allocation=Allocation.NONE),
    Vimrag(name="vimrag_equal", allocation=Allocation.EQUAL),
    Vimrag(name=TRAINED, allocation=Allocation.FIXED),
    Vimrag(name="vimrag_by_picture", by_picture=True),
    *(CrossModal(name=name) for name in STRATEGIES),
)
MEMORIES: Mapping[str, MemoryPolicy] = {policy.name: policy for policy in _POLICIES}


def memory_policy(
    name: str, *, profile: Profile, count_tokens: TokenCounter = estimate_tokens
) -> MemoryPolicy:
    """The memory policy of that name.

    Raises:
        ValueError: if there is none.
    """
    if name not in MEMORIES:
        raise ValueError(f"unknown memory policy {name!r}; known: {', '.join(MEMORIES)}")
    return replace(MEMORIES[name], profile=profile, count_tokens=count_tokens)
