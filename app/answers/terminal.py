"""A rollout as a person follows it on a terminal: the reasoning while it comes, then the answer and what it rests on.

All text of models and documents is untrusted: what would control a terminal is left out.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from typing import Any, TextIO

from memory_graph.drawing.notes import clock
from memory_graph.drawing.terminal import MIN_WIDTH, draw_text
from model.agent.events import (
    Event,
    ModelReply,
    NodeAdded,
    ObservationAdded,
    ReplyRejected,
    RolloutEnd,
    TokenDelta,
)
from model.agent.graph_state import GraphState, node_notes

ACTION = "<tool_call>"
WIDEST = 120  # cells; longer lines are hard to read
LINE_CHARS = 300


class TerminalReader:
    """Tells the events of one rollout on standard error; ``quiet`` says nothing."""

    def __init__(self, *, quiet: bool = False, out: TextIO | None = None) -> None:
        self._out, self.is_quiet = out or sys.stderr, quiet
        self._heard = ""  # of the reply that is being generated
        self._shown = 0  # characters of it

    def hear(self, event: Event) -> None:
        """Say what there is to say about it."""
        if self.is_quiet or isinstance(event, RolloutEnd):
            return
        if isinstance(event, TokenDelta):
            self._heard += event.text
            self._show(self._reasoning(whole=False))
        elif isinstance(event, ModelReply):
            self._heard = event.completion.text
            self._show(self._reasoning(whole=True))
            self._line("" if self._shown else None)
            self._heard, self._shown = "", 0
        elif said := _step(event):
            self._line(said)

    def _reasoning(self, *, whole: bool) -> str:
        """What may be shown by now: all before the action, whose first characters are held back."""
        before, mark, _ = self._heard.partition(ACTION)
        if mark or whole:
            return before.rstrip()
        return before[: len(before) - len(ACTION)] if len(before) > len(ACTION) else ""

    def _show(self, reasoning: str) -> None:
        fresh = reasoning[self._shown :]
        if fresh:
            self._out.write(harmless(fresh))
            self._out.flush()
            self._shown = len(reasoning)

    def _line(self, text: str | None) -> None:
        if text is not None:
            self._out.write(text + "\n")
            self._out.flush()


def _step(event: Event) -> str | None:
    """One line about an event, or nothing."""
    if isinstance(event, ObservationAdded):
        found = (
            "searched before" if event.repeated else f"{len(event.retrieved)} found, {len(event.shown)} new"
        )
        return _cut(f"  search {event.node_id} ← {', '.join(event.parents)}: {event.query}  ({found})")
    if isinstance(event, NodeAdded):
        useful = len(event.node.items) + len(event.node.noted)
        return _cut(f"  noted  {event.node.id}: {event.node.summary or 'nothing'}  ({useful} useful)")
    if isinstance(event, ReplyRejected):
        return _cut(f"  not accepted: {event.reason}")
    return None


def harmless(text: str) -> str:
    """Without control characters, and without what turns the direction of writing."""
    return "".join(char for char in text if char.isprintable() or char in "\n\t")


def _cut(line: str) -> str:
    plain = harmless(" ".join(line.split("\n")))
    return plain if len(plain) <= LINE_CHARS else plain[: LINE_CHARS - 1] + "…"


def shown_answer(record: Mapping[str, Any], stand: GraphState) -> str:
    """Answer, citations, graph and a line of figures, as they go to standard output."""
    columns = max(MIN_WIDTH, min(shutil.get_terminal_size((100, 24)).columns, WIDEST))
    speaks_unicode = (
        (sys.__stdout__.encoding or "").lower().replace("-", "") == "utf8" if sys.__stdout__ else True
    )
    is_terminal = sys.__stdout__ is not None and sys.__stdout__.isatty()
    graph = draw_text(
        stand.graph, width=columns, colour=is_terminal, ascii=not speaks_unicode, notes=node_notes(stand)
    )
    cited = [f"  {citation_line(each)}" for each in record["citations"]]
    sources = ["", "Sources", *cited] if cited else []
    answer = harmless(record["answer"]).strip() or "(no answer)"
    return "\n".join([answer, *sources, "", graph, "", figures(record)])


def citation_line(citation: Mapping[str, Any]) -> str:
    """``[n1] report.pdf page 3  documents:page:...``: node, title, page or times, item id."""
    title, page = harmless(citation["title"]), citation["page"]
    if page is not None and f"page {page}" not in title:
        title += f", page {page}"
    times = [clock(time_s) for time_s in citation["times_s"]]
    if times:
        title += f", at {', '.join(times)}"
    if (start_s := citation["start_s"]) is not None:
        title += f" of the clip from {clock(start_s)}" if times else f", clip from {clock(start_s)}"
    return f"[{citation['node_id']}] {title}  {harmless(citation['item_id'])}"


def figures(record: Mapping[str, Any]) -> str:
    """``4 calls · 2 searches · 1,234 tokens read, 56 written · 12.3 s``."""
    counters = record["counters"]
    parts = [
        _counted(counters["model_calls"], "call"),
        _counted(counters["searches"], "search", "searches"),
        f"{counters['prompt_tokens']:,} tokens read, {counters['completion_tokens']:,} written",
        f"{record['seconds']:.1f} s",
    ]
    if record["cost"] is not None:
        parts.append(f"cost {record['cost']:.4f}")
    return " · ".join(parts)


def _counted(number: int, one: str, more: str = "") -> str:
    return f"{number:,} {one if number == 1 else more or one + 's'}"
