"""Single facts and single pictures with unseen names, for models that must learn to look before they learn to search.

Plain values only, drawn anew from a random generator and tied to no world; a launch script turns them into lessons. Statements,
captions and questions are those of ``sentences.py`` and ``asking/``, so that what is learnt here carries over.
"""

from __future__ import annotations

import random
from typing import NamedTuple

from PIL import Image

from assets.miniature import render
from assets.miniature.lexicon import COLOURS, GOODS, MARKS, NAME_SYLLABLES, SEASONS, SYLLABLES
from assets.miniature.world import CLIP_SCENES, SCENE_SECONDS, scenes

NAME_RELATIONS = (
    ("The leader of {0} is {1}.", "Who is the leader of {0}?"),
    ("The founder of {0} is {1}.", "Who is the founder of {0}?"),
    ("The maker of {0} is {1}.", "Who is the maker of {0}?"),
    ("The boss of {0} is {1}.", "Who is the boss of {0}?"),
    ("{0} works at {1}.", "Where does {0} work?"),
    ("{0} meets in {1}.", "Where does {0} meet?"),
    ("{0} stands in {1}.", "Where does {0} stand?"),
)  # (statement, question) of relations between two names


class View(NamedTuple):
    """A pictured item: title, (picture, seconds or None) in order, (question, answer) pairs, and all it shows in one line."""

    title: str
    pictures: tuple[tuple[Image.Image, float | None], ...]
    facts: tuple[tuple[str, str], ...]
    reading: str


def random_name(rng: random.Random) -> str:
    """A name of three different syllables; most of them no world uses."""
    return "".join(rng.sample(SYLLABLES, NAME_SYLLABLES)).capitalize()


def _badge(name: str, rng: random.Random) -> View:
    colour, code = rng.choice(COLOURS), rng.randrange(100)
    picture = render.badge(colour, code, rng.getrandbits(32))
    facts = (
        (f"What colour is the badge of {name}?", colour),
        (f"What code is on the badge of {name}?", f"{code:02d}"),
    )
    return View(f"Badge of {name}.", ((picture, None),), facts, f"{colour} {code:02d}")


def _dial(name: str, rng: random.Random) -> View:
    reading = rng.randrange(10)
    facts = ((f"What reading is on the dial of {name}?", str(reading)),)
    return View(f"Dial of {name}.", ((render.dial(reading, rng.getrandbits(32)), None),), facts, str(reading))


def _door(name: str, rng: random.Random) -> View:
    mark = rng.choice(MARKS)
    facts = ((f"What mark is on the door of {name}?", mark),)
    return View(f"Door of {name}.", ((render.door(mark, rng.getrandbits(32)), None),), facts, mark)


def _chart(name: str, rng: random.Random) -> View:
    output = tuple(rng.randint(1, 9) for _ in SEASONS)
    heading = f"Output: {name}"
    facts = tuple(
        (f"What was the {season} output of {name}?", str(height))
        for season, height in zip(SEASONS, output, strict=True)
    )
    picture = render.bar_chart(output, heading, rng.getrandbits(32))
    return View(heading, ((picture, None),), facts, " ".join(map(str, output)))


def _table(name: str, rng: random.Random) -> View:
    stock = tuple(rng.randint(10, 99) for _ in GOODS)
    heading = f"Stock: {name}"
    facts = tuple(
        (f"How much {good} is in the stock of {name}?", str(number))
        for good, number in zip(GOODS, stock, strict=True)
    )
    picture = render.table(stock, heading, rng.getrandbits(32))
    return View(heading, ((picture, None),), facts, " ".join(map(str, stock)))


def _clip(name: str, rng: random.Random) -> View:
    shown = scenes(CLIP_SCENES, rng)
    frames = tuple(
        (render.clip_frame(scene.colour, scene.mark), (place + 0.5) * SCENE_SECONDS)
        for place, scene in enumerate(shown)
    )
    before = rng.randrange(CLIP_SCENES - 1)
    facts = (
        (f"What colour is the first lamp in the video of {name}?", shown[0].colour),
        (f"What colour is the last lamp in the video of {name}?", shown[-1].colour),
        (f"What is the first mark in the video of {name}?", shown[0].mark),
        (f"What is the last mark in the video of {name}?", shown[-1].mark),
        (
            f"What colour is the lamp after {shown[before].colour} in the video of {name}?",
            shown[before + 1].colour,
        ),
    )
    reading = " ".join(f"{scene.colour} {scene.mark}" for scene in shown)
    return View(f"Video of {name}.", frames, facts, reading)


KINDS = {
    _badge: 5,
    _table: 4,
    _chart: 3,
    _dial: 2,
    _door: 2,
    _clip: 4,
}  # weights: what is hard to read comes more often


def view(rng: random.Random) -> View:
    """A random pictured item."""
    draw = rng.choices(list(KINDS), weights=list(KINDS.values()))[0]
    return draw(random_name(rng), rng)
