"""The choices that all templates make: between two wordings of a relation, and between the sides of an even bet.

Holds these choices only. A relation has the corpus's own wording and another that the corpus never uses. A
question asked in the other words makes the first search weaker and a second search, in other words again,
worth its cost.
"""

import random
from collections.abc import Sequence
from typing import NamedTuple

from assets.miniature.lexicon import LETTERS
from assets.miniature.plans import PlannedHop
from assets.miniature.sentences import EvidenceKey
from assets.miniature.world import MiniatureWorld

OTHER_SHARE = 0.35  # of all relations are asked in the other words
GOLDEN = (5**0.5 - 1) / 2
"""Multiples modulo 1 fill the unit interval evenly over any regular choice of worlds."""


class Wording(NamedTuple):
    """``first`` is used in the question and in the first query, ``second`` in the second query."""

    first: str
    second: str


def worded(rng: random.Random, plain: str, second: str) -> Wording:
    """``plain`` (the corpus's words) first, or ``second`` first in ``OTHER_SHARE`` of the cases."""
    return Wording(second, plain) if rng.random() < OTHER_SHARE else Wording(plain, second)


def about(wording: Wording, name: str) -> tuple[str, str]:
    """Both queries for a wording that is a noun: "leader of Belodu", "head of Belodu"."""
    return f"{wording.first} of {name}", f"{wording.second} of {name}"


def visual_hop(
    key: EvidenceKey,
    what: str,
    name: str,
    wording: Wording,
    *,
    depends: tuple[int, ...] = (),
    timestamps: tuple[float, ...] = (),
) -> PlannedHop:
    """The search for ``what`` of ``name``, which only an image or a clip shows: it is kept, not told."""
    return PlannedHop(
        queries=about(wording, name),
        gold=(key,),
        summary=f"The {what} of {name} is kept.",
        depends=depends,
        visual=True,
        timestamps=timestamps,
    )


def with_choices(question: str, choices: Sequence[str]) -> str:
    """A question with its four choices, a line each."""
    lines = (f"({letter}) {choice}" for letter, choice in zip(LETTERS, choices, strict=True))
    return "\n".join((question, *lines))


def even_draw(world: MiniatureWorld, purpose: str) -> float:
    """A number in [0, 1) that is spread evenly over successive worlds, so that small builds are balanced as large ones are."""
    offset = random.Random(purpose).random()
    return (offset + GOLDEN * world.number) % 1.0
