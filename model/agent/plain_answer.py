"""An answer that a model gave in plain words where only an answer was accepted, as small models do.

Pure; whether plain words are accepted is decided by the loop.
"""

import re

from memory_graph.actions import Answer
from memory_graph.graph import ROOT, MemoryGraph
from model.agent.fitting import spoken

MAX_CHARS = 20_000
_FINAL = re.compile(r".*<\|channel\|>final<\|message\|>", re.DOTALL)
_TOKEN = re.compile(r"<[|\uff5c][^<>]{1,40}[|\uff5c]>")
_HEAD = re.compile(r"\A(?:\*\*)?(?:the )?(?:final )?answer(?: is)?(?:\*\*)?\s*:\s*(?:\*\*)?", re.IGNORECASE)
_CALL = re.compile(r"</?tool_call|<function=|\[TOOL_CALLS\]|[\"'](?:name|arguments)[\"']\s*:", re.IGNORECASE)


def plain_answer(text: str, graph: MemoryGraph, *, pending: str = "") -> Answer | None:
    """The words of a reply as an answer; None if there are none, or if they are a call that could not be read.

    It rests on every node that found something of use and on the search ``pending`` whose results it was shown last, else on
    the newest node, else on the question alone.
    """
    words = _TOKEN.sub("", _FINAL.sub("", spoken(text))).strip()
    words = _HEAD.sub("", words).strip()
    if not words or len(words) > MAX_CHARS or _CALL.search(words):
        return None
    useful = tuple(node.id for node in graph.nodes if node.items or node.noted)
    newest = (graph.nodes[-1].id,) if graph.nodes else (ROOT,)
    shown = (*useful, pending) if pending else useful
    return Answer(parents=shown or newest, text=words)
