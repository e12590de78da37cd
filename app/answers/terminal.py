"""A rollout as a person follows it on a terminal: the reasoning while it comes, then the answer and what it rests on.

All text of models and documents is untrusted: what would control a terminal is left out.
"""

import shutil
import sys
from typing import TextIO

from app.answers.cited_text import marked
from app.answers.records import AnswerRecord, CitationRecord
from app.answers.wording import counted
from memory_graph.drawing.notes import clock
from memory_graph.drawing.terminal import MIN_WIDTH, draw_text
from model.agent.events import (
    Event,
    ModelReply,
    NodeAdded,
    Notice,
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
    """Writes the events of one rollout to standard error; nothing with ``quiet``."""

    def __init__(self, *, quiet: bool = False, out: TextIO | None = None) -> None:
        self._out, self.is_quiet = out or sys.stderr, quiet
        self._reply = ""  # that is being generated
        self._written = 0  # characters of it

    def on_event(self, event: Event) -> None:
        """Write what a person is shown of the event."""
        if self.is_quiet or isinstance(event, RolloutEnd):
            return
        if isinstance(event, TokenDelta):
            self._reply += event.text
            self._show(self._reasoning(whole=False))
        elif isinstance(event, ModelReply):
            self._reply = event.completion.text
            self._show(self._reasoning(whole=True))
            self._line("" if self._written else None)
            self._reply, self._written = "", 0
        elif line := _step(event):
            self._line(line)

    def break_off(self) -> None:
        """End the line of a reply that will not be completed."""
        self._line("" if self._written else None)
        self._reply, self._written = "", 0

    def _reasoning(self, *, whole: bool) -> str:
        """What may be shown by now: all before the action, whose first characters are held back."""
        before, mark, _ = self._reply.partition(ACTION)
        if mark or whole:
            return before.rstrip()
        return before[: len(before) - len(ACTION)] if len(before) > len(ACTION) else ""

    def _show(self, reasoning: str) -> None:
        fresh = reasoning[self._written :]
        if fresh:
            self._out.write(harmless(fresh))
            self._out.flush()
            self._written = len(reasoning)

    def _line(self, text: str | None) -> None:
        if text is not None:
            self._out.write(text + "\n")
            self._out.flush()


def _step(event: Event) -> str | None:
    """One line about an event, or nothing."""
    if isinstance(event, ObservationAdded):
        hits = (
            "searched before" if event.repeated else f"{len(event.retrieved)} found, {len(event.shown)} new"
        )
        return _cut(f"  search {event.node_id} ← {', '.join(event.parents)}: {event.query}  ({hits})")
    if isinstance(event, NodeAdded):
        useful = len(event.node.items) + len(event.node.noted)
        return _cut(f"  noted  {event.node.id}: {event.node.summary or 'nothing'}  ({useful} useful)")
    if isinstance(event, Notice):
        return harmless(f"  note: {event.text}")
    if isinstance(event, ReplyRejected):
        return _cut(f"  not accepted: {event.reason}")
    return None


def harmless(text: str) -> str:
    """Without control characters, and without what turns the direction of writing."""
    return "".join(char for char in text if char.isprintable() or char in "\n\t")


def _cut(line: str) -> str:
    plain = harmless(" ".join(line.split("\n")))
    return plain if len(plain) <= LINE_CHARS else plain[: LINE_CHARS - 1] + "…"


def answer_text(answer: AnswerRecord, state: GraphState) -> str:
    """Answer, citations, graph and a line of figures, as they go to standard output."""
    columns = max(MIN_WIDTH, min(shutil.get_terminal_size((100, 24)).columns, WIDEST))
    speaks_unicode = (
        (sys.__stdout__.encoding or "").lower().replace("-", "") == "utf8" if sys.__stdout__ else True
    )
    is_terminal = sys.__stdout__ is not None and sys.__stdout__.isatty()
    graph = draw_text(
        state.graph, width=columns, colour=is_terminal, ascii=not speaks_unicode, notes=node_notes(state)
    )
    lines = [f"  {citation_line(citation)}" for citation in answer.citations]
    sources = ["", "Sources", *lines] if lines else []
    text = harmless(marked(answer)).strip() or "(no answer)"
    return "\n".join([text, *sources, "", graph, "", figures(answer)])


def plain_answer(answer: AnswerRecord) -> str:
    """Answer, citations, and a line of figures, where there is no graph at hand."""
    lines = [f"  {citation_line(citation)}" for citation in answer.citations]
    sources = ["", "Sources", *lines] if lines else []
    return "\n".join([harmless(marked(answer)).strip() or "(no answer)", *sources, "", figures(answer)])


def citation_line(citation: CitationRecord) -> str:
    """``[1] report.pdf page 3  documents:page:...``: number, title, page or times, item id."""
    return f"[{citation.number}] {citation_title(citation)}  {harmless(citation.item_id)}"


def citation_title(citation: CitationRecord) -> str:
    """``report.pdf, page 3``: the source by its name, with the page or the times in it."""
    title, page = harmless(citation.title), citation.page
    if page is not None and f"page {page}" not in title:
        title += f", page {page}"
    times = [clock(time_s) for time_s in citation.times_s]
    if times:
        title += f", at {', '.join(times)}"
    if (start_s := citation.start_s) is not None:
        title += f" of the clip from {clock(start_s)}" if times else f", clip from {clock(start_s)}"
    return title


def figures(answer: AnswerRecord) -> str:
    """``4 calls · 2 searches · 1,234 tokens read, 56 written · 12.3 s``."""
    counters, about = answer.counters, "about " if answer.tokens_estimated else ""
    parts = [
        counted(counters.model_calls, "call"),
        counted(counters.searches, "search", "searches"),
        f"{about}{counters.prompt_tokens:,} tokens read, {counters.completion_tokens:,} written",
        f"{answer.seconds:.1f} s",
    ]
    if answer.cost is not None:
        parts.append(f"cost {about}{answer.cost:.4f}")
    return " · ".join(parts)
