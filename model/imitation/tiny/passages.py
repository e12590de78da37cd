"""A lesson on passages: which sentence answers a question, and whether any does.

Two facts of one name differ only in their relation, so the lesson cannot be passed by the name alone. Entries come from whoever
invents them; how a lesson is used is ``curriculum.py``.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from memory_graph.actions import Answer, render
from model.imitation.oracle import NOT_ANSWERABLE
from model.imitation.supervised import SftExample
from model.imitation.tiny.curriculum import ExampleBuilder, Lesson
from model.policies.chat_template import PromptEncoder
from model.types import Message

FEW_OPEN = 2  # open questions of one example, at most


@dataclass(frozen=True, slots=True, kw_only=True)
class PassageEntry:
    """What is said of one name: (sentence, question, answer) each, and questions that nothing said answers."""

    title: str
    stated: tuple[tuple[str, str, str], ...]
    open: tuple[str, ...]


def passages(
    encoder: PromptEncoder, entry: Callable[[random.Random], PassageEntry], *, entries: int
) -> Lesson:
    """Answer every question about ``entries`` names whose sentences are shown as search results, in any order."""

    def lesson(rng: random.Random) -> SftExample:
        drawn = [entry(rng) for _ in range(entries)]
        lines = [line for each in drawn for line in _lines(each, rng)]
        rng.shuffle(lines)
        found = "".join(f"\n[{1 + place % 3}] {line}" for place, line in enumerate(lines))
        sequencer = ExampleBuilder(encoder)
        sequencer.show(encoder.turn(Message(role="tool", parts=(f"Found:{found}",))))
        for question, answer in _questions(drawn, rng):
            asked = Message(role="user", parts=(f"Question: {question}",))
            sequencer.ask(asked, render(Answer(parents=("n1",), text=answer)))
        return sequencer.example(PromptEncoder.no_pixels())

    return lesson


def _lines(entry: PassageEntry, rng: random.Random) -> list[str]:
    """One or two sentences a passage, under the name."""
    sentences, lines = [sentence for sentence, _, _ in entry.stated], []
    while sentences:
        taken = rng.randint(1, 2)
        lines.append(f"{entry.title}: {' '.join(sentences[:taken])}")
        sentences = sentences[taken:]
    return lines


def _questions(entries: Sequence[PassageEntry], rng: random.Random) -> list[tuple[str, str]]:
    asked = [(question, answer) for each in entries for _, question, answer in each.stated]
    unanswered = [(question, NOT_ANSWERABLE) for each in entries for question in each.open]
    asked += rng.sample(unanswered, min(FEW_OPEN, len(unanswered)))
    rng.shuffle(asked)
    return asked
