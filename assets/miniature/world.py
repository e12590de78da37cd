"""Invented worlds: entities with unseen names, their textual, visual and temporal facts, and who is related to whom.

Holds facts only. Which dataset states which fact is decided by ``sentences.py`` (each textual fact is stated in exactly one
item of the corpus), questions are drawn by ``questions.py``, how pixels look by ``render.py``.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Protocol, TypeVar

from assets.miniature.lexicon import (
    COLOURS,
    GIFTS,
    GOODS,
    MARKS,
    MATERIALS,
    REGIONS,
    ROLES,
    STEPS,
    names,
)

TEAMS, WORKSHOPS, PEOPLE, DEVICES, PLACES = 4, 4, 8, 12, 4  # entities of one world
NAMES_PER_WORLD = 1 + TEAMS + WORKSHOPS + PEOPLE + DEVICES + PLACES
SCENE_SECONDS = 15
CLIP_SCENES = 4  # scenes of one 60-second clip
WORKSHOP_CLIPS = 3  # clips of one video of a workshop
STEPS_PER_DEVICE = 3
HOPS = (2, 3, 4)  # searches of the longest question about passages


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Fifteen seconds of a video: a lamp of one colour above one mark."""

    colour: str
    mark: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """``leader`` and ``founder`` are people, ``place`` is where it meets, ``output`` the bar heights (1-9) by season."""

    name: str
    leader: str
    founder: str
    place: str
    output: tuple[int, int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """``workshop`` employs, ``home`` is a place; ``colour`` and ``code`` (0-99) stand on the badge alone."""

    name: str
    workshop: str
    role: str
    home: str
    colour: str
    code: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """``reading`` (0-9) shows on the dial alone, ``scenes`` in the clip alone."""

    name: str
    workshop: str
    material: str
    place: str
    reading: int
    steps: tuple[str, ...]
    scenes: tuple[Scene, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """``stock`` holds two-digit numbers of iron, wood, glass, stone; ``scenes`` are twelve over three minutes."""

    name: str
    boss: str
    year: int
    workers: int
    good: str
    stock: tuple[int, int, int, int]
    scenes: tuple[Scene, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """``mark`` is drawn on the door alone."""

    name: str
    region: str
    gift: str
    mark: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MiniatureWorld:
    """Everything one seed invents for world ``number`` of a split. Names are unique over all worlds of a seed.

    ``label`` names its deck and its report; ``salt`` seeds what is arranged (page order, omissions) rather than true. ``hops``
    are the searches of the longest question that its passages answer; above two they hold decoys as well.
    """

    split: str
    number: int
    label: str
    salt: int
    teams: tuple[Team, ...]
    workshops: tuple[Workshop, ...]
    people: tuple[Person, ...]
    devices: tuple[Device, ...]
    places: tuple[Place, ...]
    hops: int = 2

    @property
    def key(self) -> str:
        """Names the world in ids, for example ``train-0003``."""
        return f"{self.split}-{self.number:04d}"


class _HasName(Protocol):
    @property
    def name(self) -> str: ...


_Named = TypeVar("_Named", bound=_HasName)


def named(entities: tuple[_Named, ...], name: str) -> _Named:
    """The one of ``entities`` that has this name. Raises ``KeyError`` for a stranger."""
    for entity in entities:
        if entity.name == name:
            return entity
    raise KeyError(name)


def worlds(split: str, count: int, *, seed: int, hops: int = 2) -> Iterator[MiniatureWorld]:
    """The first ``count`` worlds of a split, each a pure function of (seed, split, number); ``hops`` changes no fact.

    Raises:
        ValueError: when the split has too few names for ``count`` worlds, or for ``hops`` that no question has.
    """
    if hops not in HOPS:
        raise ValueError(f"the longest question has one of {HOPS} hops, got {hops}")
    supply = names(split, seed=seed)
    for number in range(count):
        entity_names = tuple(islice(supply, NAMES_PER_WORLD))
        if len(entity_names) < NAMES_PER_WORLD:
            raise ValueError(f"split {split!r} has names for {number} worlds only, {count} were requested")
        world = _world(split, number, entity_names, random.Random(f"{seed}:{split}:{number}"))
        yield replace(world, hops=hops)


def _world(split: str, number: int, entity_names: tuple[str, ...], rng: random.Random) -> MiniatureWorld:
    label, *rest = entity_names
    supply = iter(rest)
    teams, workshops, people, devices, places = (
        tuple(islice(supply, size)) for size in (TEAMS, WORKSHOPS, PEOPLE, DEVICES, PLACES)
    )
    return MiniatureWorld(
        split=split,
        number=number,
        label=label,
        salt=rng.getrandbits(32),
        teams=_teams(teams, people, places, rng),
        workshops=_workshops(workshops, people, rng),
        people=_people(people, workshops, places, rng),
        devices=_devices(devices, workshops, places, rng),
        places=_places(places, rng),
    )


def _teams(
    entity_names: tuple[str, ...], people: tuple[str, ...], places: tuple[str, ...], rng: random.Random
) -> tuple[Team, ...]:
    """Leaders and founders are distinct people, so that no answer can be guessed from a popular one."""
    drawn = rng.sample(people, 2 * len(entity_names))
    meetings = rng.sample(places, len(entity_names))
    return tuple(
        Team(
            name=name,
            leader=drawn[2 * i],
            founder=drawn[2 * i + 1],
            place=meetings[i],
            output=tuple(rng.randint(1, 9) for _ in range(4)),  # type: ignore[arg-type]
        )
        for i, name in enumerate(entity_names)
    )


def _workshops(
    entity_names: tuple[str, ...], people: tuple[str, ...], rng: random.Random
) -> tuple[Workshop, ...]:
    bosses = rng.sample(people, len(entity_names))
    years = rng.sample(range(1900, 2000), len(entity_names))
    return tuple(
        Workshop(
            name=name,
            boss=bosses[i],
            year=years[i],
            workers=rng.randint(10, 99),
            good=rng.choice(GOODS),
            stock=tuple(rng.randint(10, 99) for _ in range(4)),  # type: ignore[arg-type]
            scenes=scenes(CLIP_SCENES * WORKSHOP_CLIPS, rng),
        )
        for i, name in enumerate(entity_names)
    )


def _people(
    entity_names: tuple[str, ...], workshops: tuple[str, ...], places: tuple[str, ...], rng: random.Random
) -> tuple[Person, ...]:
    """Two people a workshop and two codes never equal; two of the eight share a colour, so that both answers can be asked."""
    codes = rng.sample(range(100), len(entity_names))
    colours = [rng.choice(COLOURS) for _ in entity_names[:-1]]
    colours.append(rng.choice(colours))
    rng.shuffle(colours)
    homes = rng.sample(workshops * 2, len(entity_names))
    return tuple(
        Person(
            name=name,
            workshop=homes[i],
            role=rng.choice(ROLES),
            home=rng.choice(places),
            colour=colours[i],
            code=codes[i],
        )
        for i, name in enumerate(entity_names)
    )


def _devices(
    entity_names: tuple[str, ...], workshops: tuple[str, ...], places: tuple[str, ...], rng: random.Random
) -> tuple[Device, ...]:
    """Device i is built by workshop i modulo 4. Four devices in a row differ in reading, and two of them begin alike."""
    readings = [reading for _ in range(0, len(entity_names), 4) for reading in rng.sample(range(10), 4)]
    clips = [scenes(CLIP_SCENES, rng) for _ in entity_names]
    for first in range(0, len(entity_names), 4):
        same, changed = rng.sample(range(first, first + 4), 2)
        clips[changed] = scenes(CLIP_SCENES, rng, first=clips[same][0].colour)
    return tuple(
        Device(
            name=name,
            workshop=workshops[i % len(workshops)],
            material=rng.choice(MATERIALS),
            place=rng.choice(places),
            reading=readings[i],
            steps=tuple(rng.sample(STEPS, STEPS_PER_DEVICE)),
            scenes=clips[i],
        )
        for i, name in enumerate(entity_names)
    )


def _places(entity_names: tuple[str, ...], rng: random.Random) -> tuple[Place, ...]:
    gifts = rng.sample(GIFTS, len(entity_names))
    return tuple(
        Place(name=name, region=rng.choice(REGIONS), gift=gifts[i], mark=rng.choice(MARKS))
        for i, name in enumerate(entity_names)
    )


def scenes(count: int, rng: random.Random, *, first: str | None = None) -> tuple[Scene, ...]:
    """``count`` scenes; the four of one clip never repeat a colour or a mark, so that order can be asked about.

    ``first`` fixes the colour that every clip begins with.
    """
    drawn: list[Scene] = []
    for _ in range(0, count, CLIP_SCENES):
        colours, marks = rng.sample(COLOURS, CLIP_SCENES), rng.sample(MARKS, CLIP_SCENES)
        if first is not None:
            colours = [first, *[colour for colour in colours if colour != first]][:CLIP_SCENES]
        drawn += [Scene(colour=c, mark=m) for c, m in zip(colours, marks, strict=True)]
    return tuple(drawn[:count])
