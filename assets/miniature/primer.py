"""Single facts, entries and images with unseen names, for a curriculum before search.

Plain values only, drawn from a random generator and tied to no world; ``orchestration.imitation`` makes examples of them.
Statements, captions and questions are those of ``sentences.py`` and ``templates/``, so that skills carry over.
"""

import random
from collections.abc import Callable
from typing import NamedTuple

from PIL import Image

from assets.miniature import render
from assets.miniature.lexicon import (
    COLOURS,
    GIFTS,
    GOODS,
    LETTERS,
    MARKS,
    MATERIALS,
    NAME_SYLLABLES,
    REGIONS,
    ROLES,
    SEASONS,
    STEPS,
    SYLLABLES,
    reads_by_syllable,
)
from assets.miniature.templates.wording import with_choices
from assets.miniature.world import CLIP_SCENES, SCENE_SECONDS, WORKSHOP_CLIPS, Scene, scenes

NAME_RELATIONS = (
    ("The leader of {0} is {1}.", "Who is the leader of {0}?"),
    ("The founder of {0} is {1}.", "Who is the founder of {0}?"),
    ("The maker of {0} is {1}.", "Who is the maker of {0}?"),
    ("The boss of {0} is {1}.", "Who is the boss of {0}?"),
    ("{0} works at {1}.", "Where does {0} work?"),
    ("{0} meets in {1}.", "Where does {0} meet?"),
    ("{0} stands in {1}.", "Where does {0} stand?"),
)  # (statement, question) of relations between two names


class PrimerImage(NamedTuple):
    """An item with images: title, (image, seconds or None) in order, (question, answer) pairs, and all it shows in one line."""

    title: str
    images: tuple[tuple[Image.Image, float | None], ...]
    facts: tuple[tuple[str, str], ...]
    reading: str


def random_name(rng: random.Random) -> str:
    """A name of three different syllables in which no word hides; most of them no world uses."""
    while not reads_by_syllable(name := "".join(rng.sample(SYLLABLES, NAME_SYLLABLES)).capitalize()):
        pass
    return name


class PrimerStatement(NamedTuple):
    """One sentence, a question about it in the words of ``templates/``, and the answer."""

    sentence: str
    question: str
    answer: str


class PrimerEntry(NamedTuple):
    """Statements of passages about one name, and questions of the same kind that they leave open."""

    title: str
    stated: tuple[PrimerStatement, ...]
    open: tuple[str, ...]


class _Fact(NamedTuple):
    """How a fact of ``{0}`` is stated with its value ``{1}``, how it is asked for, and what values there are."""

    sentence: str
    questions: tuple[str, ...]
    value: Callable[[random.Random], str]


def _one_of(values: tuple[str, ...]) -> Callable[[random.Random], str]:
    return lambda rng: rng.choice(values)


_FACTS = {
    "team": (
        _Fact(
            "The leader of {0} is {1}.", ("Who is the leader of {0}?", "Who is the head of {0}?"), random_name
        ),
        _Fact(
            "The founder of {0} is {1}.",
            ("Who is the founder of {0}?", "Who is the creator of {0}?"),
            random_name,
        ),
        _Fact("{0} meets in {1}.", ("Where does {0} meet?",), random_name),
    ),
    "person": (
        _Fact("{0} works at {1}.", ("Where does {0} work?",), random_name),
        _Fact(
            "The job of {0} is {1}.", ("What is the job of {0}?", "What is the role of {0}?"), _one_of(ROLES)
        ),
        _Fact("{0} lives in {1}.", ("Where does {0} live?",), random_name),
    ),
    "device": (
        _Fact(
            "The maker of {0} is {1}.",
            ("Who is the maker of {0}?", "Who is the builder of {0}?"),
            random_name,
        ),
        _Fact("{0} is made of {1}.", ("What is {0} made of?",), _one_of(MATERIALS)),
        _Fact("{0} stands in {1}.", ("Where does {0} stand?",), random_name),
        _Fact(
            "To build {0} first {1}, then {2}, last {3}.",
            ("How To Build {0}",),
            lambda rng: ", ".join(rng.sample(STEPS, 3)),
        ),
    ),
    "workshop": (
        _Fact("{0} opened in {1}.", ("When did {0} open?",), lambda rng: str(rng.randrange(1900, 2000))),
        _Fact(
            "The boss of {0} is {1}.", ("Who is the boss of {0}?", "Who is the chief of {0}?"), random_name
        ),
        _Fact("{0} sells {1}.", ("What does {0} sell?",), _one_of(GOODS)),
    ),
    "place": (
        _Fact("{0} lies in the {1}.", ("What is the region of {0}?",), _one_of(REGIONS)),
        _Fact("{0} is known for {1}.", ("What is {0} known for?",), _one_of(GIFTS)),
    ),
}  # kind of name -> facts stated of it


def entry(rng: random.Random) -> PrimerEntry:
    """A random name with some of the facts of its kind; questions about the others stay open."""
    name, facts = random_name(rng), rng.choice(list(_FACTS.values()))
    num_stated = rng.randint(1, len(facts))
    drawn = rng.sample(facts, len(facts))
    stated = []
    for fact in drawn[:num_stated]:
        value = fact.value(rng)
        sentence = fact.sentence.format(name, *value.split(", "))
        stated.append(PrimerStatement(sentence, rng.choice(fact.questions).format(name), value))
    return PrimerEntry(
        name, tuple(stated), tuple(rng.choice(fact.questions).format(name) for fact in drawn[num_stated:])
    )


def _badge(name: str, rng: random.Random) -> PrimerImage:
    colour, code = rng.choice(COLOURS), rng.randrange(100)
    image = render.badge(colour, code, rng.getrandbits(32))
    return _still(
        f"Badge of {name}.",
        image,
        f"{colour} {code:02d}",
        (f"What colour is the badge of {name}?", colour),
        (f"What code is on the badge of {name}?", f"{code:02d}"),
    )


def _dial(name: str, rng: random.Random) -> PrimerImage:
    reading = rng.randrange(10)
    image = render.dial(reading, rng.getrandbits(32))
    question = f"What reading is on the dial of {name}?"
    return _still(f"Dial of {name}.", image, str(reading), (question, str(reading)))


def _door(name: str, rng: random.Random) -> PrimerImage:
    mark = rng.choice(MARKS)
    image = render.door(mark, rng.getrandbits(32))
    return _still(f"Door of {name}.", image, mark, (f"What mark is on the door of {name}?", mark))


def _chart(name: str, rng: random.Random) -> PrimerImage:
    output = tuple(rng.randint(1, 9) for _ in SEASONS)
    heading = f"Output: {name}"
    image = render.bar_chart(output, heading, rng.getrandbits(32))
    facts = (
        (f"What was the {season} output of {name}?", str(height))
        for season, height in zip(SEASONS, output, strict=True)
    )
    return _still(heading, image, " ".join(map(str, output)), *facts)


def _table(name: str, rng: random.Random) -> PrimerImage:
    stock = tuple(rng.randint(10, 99) for _ in GOODS)
    heading = f"Stock: {name}"
    image = render.table(stock, heading, rng.getrandbits(32))
    facts = (
        (f"How much {good} is in the stock of {name}?", str(number))
        for good, number in zip(GOODS, stock, strict=True)
    )
    return _still(heading, image, " ".join(map(str, stock)), *facts)


def _clip(name: str, rng: random.Random) -> PrimerImage:
    clip = scenes(CLIP_SCENES, rng)
    before = rng.randrange(CLIP_SCENES - 1)
    facts = (
        (f"What colour is the first lamp in the video of {name}?", clip[0].colour),
        (f"What colour is the last lamp in the video of {name}?", clip[-1].colour),
        (f"What is the first mark in the video of {name}?", clip[0].mark),
        (f"What is the last mark in the video of {name}?", clip[-1].mark),
        (
            f"What colour is the lamp after {clip[before].colour} in the video of {name}?",
            clip[before + 1].colour,
        ),
    )
    return _video(f"Video of {name}.", clip, facts)


def workshop_video(name: str, rng: random.Random) -> PrimerImage:
    """One minute of a workshop's video, asked about by the clock, with four choices."""
    clip, minute = scenes(CLIP_SCENES, rng), rng.randrange(WORKSHOP_CLIPS)
    facts = []
    for place, scene in enumerate(clip):
        clock = f"{minute:02d}:{place * SCENE_SECONDS + rng.randrange(2, SCENE_SECONDS - 1):02d}"
        stems = ("What colour is the lamp", scene.colour, COLOURS), ("What mark is shown", scene.mark, MARKS)
        for question, value, values in stems:
            choices = rng.sample([other for other in values if other != value], len(LETTERS) - 1)
            right = rng.randrange(len(LETTERS))
            choices.insert(right, value)
            text = with_choices(f"{question} at {clock} in the film of {name}?", choices)
            facts.append((text, LETTERS[right]))
    return _video(f"{name} film {minute:02d}:00", clip, tuple(facts))


def _still(title: str, image: Image.Image, reading: str, *facts: tuple[str, str]) -> PrimerImage:
    return PrimerImage(title, ((image, None),), facts, reading)


def _video(title: str, clip: tuple[Scene, ...], facts: tuple[tuple[str, str], ...]) -> PrimerImage:
    frames = tuple(
        (render.clip_frame(scene.colour, scene.mark), (place + 0.5) * SCENE_SECONDS)
        for place, scene in enumerate(clip)
    )
    return PrimerImage(title, frames, facts, " ".join(f"{scene.colour} {scene.mark}" for scene in clip))


# by frequency: hard ones are drawn more often
KINDS = {_badge: 5, _table: 4, _chart: 3, _dial: 2, _door: 2, _clip: 4, workshop_video: 4}


def view(rng: random.Random) -> PrimerImage:
    """A random item with images."""
    draw = rng.choices(list(KINDS), weights=list(KINDS.values()))[0]
    return draw(random_name(rng), rng)
