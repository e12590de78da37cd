"""Every memory policy by its name, as recipes, reports and the command line call it.

Holds the list only. All policies run through the same agent loop and share retriever, top-k, call limit, pixel caps, the
rule of the forced answer and the grader; another policy is one file and one line here.
"""

from collections.abc import Callable, Mapping
from typing import TypeAlias

from memory_graph.budget import Allocation
from model.agent.context import TokenCounter, estimate_tokens
from model.agent.memory import MemoryPolicy
from model.agent.memory.closed_book import ClosedBook
from model.agent.memory.crossmodal import STRATEGIES, CrossModal
from model.agent.memory.mem1 import Mem1
from model.agent.memory.memagent import MemAgent
from model.agent.memory.react import React
from model.agent.memory.universalrag import UniversalRag
from model.agent.memory.vanilla import Vanilla
from model.agent.memory.videorag import VideoRag
from model.agent.memory.vimrag import Vimrag
from model.agent.prompts import Profile

Build: TypeAlias = Callable[[Profile, TokenCounter], MemoryPolicy]

TRAINED = "vimrag_fixed"  # prompts of training do not depend on energies
SINGLE_ANSWER = frozenset({"closed_book", "vanilla", "videorag", "universalrag"})
"""Policies whose one answer is always a forced one."""


def _vimrag(name: str, allocation: Allocation) -> Build:
    return lambda profile, count: Vimrag(
        profile=profile, allocation=allocation, count_tokens=count, name=name
    )


def _strategy(name: str) -> Build:
    return lambda profile, count: CrossModal(name=name, profile=profile, count_tokens=count)


MEMORIES: Mapping[str, Build] = {
    "closed_book": lambda profile, count: ClosedBook(profile=profile),
    "vanilla": lambda profile, count: Vanilla(profile=profile, count_tokens=count),
    "react": lambda profile, count: React(profile=profile, count_tokens=count),
    "mem1": lambda profile, count: Mem1(profile=profile, count_tokens=count),
    "memagent": lambda profile, count: MemAgent(profile=profile, count_tokens=count),
    "videorag": lambda profile, count: VideoRag(profile=profile, count_tokens=count),
    "universalrag": lambda profile, count: UniversalRag(profile=profile, count_tokens=count),
    "vimrag": _vimrag("vimrag", Allocation.ENERGY),
    "vimrag_text": _vimrag("vimrag_text", Allocation.NONE),
    "vimrag_equal": _vimrag("vimrag_equal", Allocation.EQUAL),
    TRAINED: _vimrag(TRAINED, Allocation.FIXED),
    **{name: _strategy(name) for name in STRATEGIES},
}


def memory_policy(
    name: str, *, profile: Profile, count_tokens: TokenCounter = estimate_tokens
) -> MemoryPolicy:
    """The memory policy of that name.

    Raises:
        ValueError: if there is none.
    """
    if name not in MEMORIES:
        raise ValueError(f"unknown memory policy {name!r}; known: {', '.join(MEMORIES)}")
    return MEMORIES[name](profile, count_tokens)
