"""Which item states which fact: the passages, captions, slides, report pages and videos of one world.

Every textual fact is stated in exactly one item of the whole corpus, so that evidence is necessary; entities are named in
several items, so that finding the right one takes the right words. Holds the arrangement only: questions are made in
``templates/``, images are drawn in ``render.py``, files are written in ``writers/``.
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from assets.miniature.lexicon import SEASONS
from assets.miniature.world import HOPS, Device, MiniatureWorld, Person, Scene, named

_Value = TypeVar("_Value", str, int)

REPORT_DIALS = slice(8, 11)  # devices whose dial is in the report; device 11's is nowhere
REPORT_GOODS = slice(0, 3)  # workshops whose trade is in the report
REPORT_SCANS = slice(0, 2)  # workshops whose staff is on a scanned page
REPORT_DOORS = slice(2, 3)  # places whose door is in the report; place 3's is nowhere
WEBQA_DOORS = slice(0, 2)  # places whose door is among the WebQA images
VIDEO_WORKSHOPS = slice(0, 2)  # workshops with a three-minute video
HOWTO_DEVICES, SINGLE_DEVICES, CROSS_DEVICES = slice(0, 4), slice(4, 8), slice(8, 12)
"""Devices in the videos of WikiHowQA, SyntheticQA and XVBench."""
NEWS_PER_NAME = 3
NEWS_SUBJECTS = (  # of teams, workshops, people, devices, places: the other wordings of ``templates/``
    ("head", "creator", "yield"),
    ("age", "store", "staff", "chief", "trade", "movie"),
    ("employer", "role", "card", "home"),
    ("builder", "material", "place", "gauge", "movie", "making"),
    ("region", "gate"),
)


class EvidenceKey(NamedTuple):
    """Names an item before its dataset's parser gives it an id: ``EvidenceKey("webqa", "badge:Belodu")``."""

    dataset: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldPassage:
    """A paragraph or snippet. Sentences after the first carry their own leading space."""

    key: EvidenceKey
    title: str
    sentences: tuple[str, ...]

    @property
    def text(self) -> str:
        """The sentences in one string."""
        return "".join(self.sentences)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldImage:
    """A still image: ``kind`` badge | door | dial | chart | table | text, and whom or what it shows."""

    key: EvidenceKey
    kind: str
    name: str
    caption: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldVideo:
    """A video: ``id`` has eleven letters; ``speech`` is its whole transcript."""

    id: str
    name: str
    scenes: tuple[Scene, ...]
    speech: str


def hotpotqa_passages(world: MiniatureWorld) -> tuple[WorldPassage, ...]:
    """One paragraph a team, person, device and workshop."""
    facts = [(t.name, f"{t.name} is a team.", f" The leader of {t.name} is {t.leader}.") for t in world.teams]
    facts += [(p.name, f"{p.name} is a person.", f" {p.name} works at {p.workshop}.") for p in world.people]
    facts += [
        (d.name, f"{d.name} is a device.", f" The maker of {d.name} is {d.workshop}.") for d in world.devices
    ]
    facts += [(w.name, f"{w.name} is a workshop.", f" {w.name} opened in {w.year}.") for w in world.workshops]
    return tuple(
        WorldPassage(key=EvidenceKey("hotpotqa", name), title=name, sentences=(first, second))
        for name, first, second in facts
    )


def squad_attributes(world: MiniatureWorld, entity: Person | Device) -> tuple[str, ...]:
    """Which attributes the paragraph states: job and home of a person, material and stand of a device, or one of the two.

    A quarter of the people lack the first attribute and a quarter the second; devices alike.
    """
    is_person = isinstance(entity, Person)
    both = ("job", "home") if is_person else ("material", "stand")
    order = [other.name for other in (world.people if is_person else world.devices)]
    random.Random(f"{world.salt}:{both}").shuffle(order)
    quarter = order.index(entity.name) // (len(order) // 4)
    return both if quarter > 1 else (both[1 - quarter],)


def squad_passages(world: MiniatureWorld) -> tuple[WorldPassage, ...]:
    """One paragraph a person and device, half of them with an attribute left out; then the news and the decoys."""
    facts = tuple(
        WorldPassage(
            key=EvidenceKey("squad", entity.name),
            title=entity.name,
            sentences=_squad_sentences(world, entity),
        )
        for entity in (*world.people, *world.devices)
    )
    return facts + _news(world) + _decoys(world)


def _news(world: MiniatureWorld) -> tuple[WorldPassage, ...]:
    """Three notices a name, on one subject, that answer no question: they fill the top three of a vague search.

    The subjects are the words that questions use and the rest of the corpus does not.
    """
    groups = (world.teams, world.workshops, world.people, world.devices, world.places)
    rng = random.Random(f"{world.salt}:news")
    drawn = [
        (entity.name, rng.choice(subjects), rng.sample(SEASONS, NEWS_PER_NAME))
        for subjects, group in zip(NEWS_SUBJECTS, groups, strict=True)
        for entity in group
    ]
    return tuple(
        WorldPassage(
            key=EvidenceKey("squad", f"news:{name}:{season}"),
            title=name,
            sentences=(f"The {subject} of {name} was shown in {season}.",),
        )
        for name, subject, seasons in drawn
        for season in seasons
    )


def _decoys(world: MiniatureWorld) -> tuple[WorldPassage, ...]:
    """What was so first, for each fact that a long question rests on: whoever takes it for what is so goes on to nothing.

    None where no question has more than two hops. A decoy never states what is true of its name, and no first leader works where
    the leader does.
    """
    if world.hops <= min(HOPS):
        return ()
    rng = random.Random(f"{world.salt}:decoys")
    workshops = {workshop.name for workshop in world.workshops}
    staff = {name: {p.name for p in world.people if p.workshop == name} for name in workshops}
    drawn: list[tuple[str, str]] = []
    for team in world.teams:
        strangers = _without(staff, named(world.people, team.leader).workshop)
        leaders = sorted(set().union(*(staff[name] for name in strangers)))
        drawn.append((team.name, f"The first leader of {team.name} is {rng.choice(leaders)}."))
    for person in world.people:
        employer = rng.choice(_without(workshops, person.workshop))
        drawn.append((person.name, f"The first employer of {person.name} is {employer}."))
    for device in world.devices:
        maker = rng.choice(_without(workshops, device.workshop))
        drawn.append((device.name, f"The first maker of {device.name} is {maker}."))
    for workshop in world.workshops:
        year = rng.choice(_without(range(1900, 2000), workshop.year))
        drawn.append((workshop.name, f"The first home of {workshop.name} opened in {year}."))
    return tuple(
        WorldPassage(key=EvidenceKey("squad", f"decoy:{name}"), title=name, sentences=(sentence,))
        for name, sentence in drawn
    )


def _without(values: Iterable[_Value], true: _Value) -> list[_Value]:
    """All ``values`` but the true one, in order."""
    return sorted(value for value in values if value != true)


def _squad_sentences(world: MiniatureWorld, entity: Person | Device) -> tuple[str, ...]:
    if isinstance(entity, Person):
        stated = {
            "job": f"The job of {entity.name} is {entity.role}.",
            "home": f"{entity.name} lives in {entity.home}.",
        }
    else:
        stated = {
            "material": f"{entity.name} is made of {entity.material}.",
            "stand": f"{entity.name} stands in {entity.place}.",
        }
    first, *rest = [stated[attribute] for attribute in squad_attributes(world, entity)]
    return (first, *(f" {sentence}" for sentence in rest))


def webqa_snippets(world: MiniatureWorld) -> tuple[WorldPassage, ...]:
    """One snippet a team and place."""
    facts = [
        (t.name, f"The founder of {t.name} is {t.founder}.", f" {t.name} meets in {t.place}.")
        for t in world.teams
    ]
    facts += [
        (p.name, f"{p.name} lies in the {p.region}.", f" {p.name} is known for {p.gift}.")
        for p in world.places
    ]
    return tuple(
        WorldPassage(key=EvidenceKey("webqa", f"snippet:{name}"), title=name, sentences=(first, second))
        for name, first, second in facts
    )


def webqa_images(world: MiniatureWorld) -> tuple[WorldImage, ...]:
    """The badges of all people and two doors; captions name, never describe."""
    subjects = [("badge", person.name) for person in world.people]
    subjects += [("door", place.name) for place in world.places[WEBQA_DOORS]]
    return tuple(_captioned("webqa", kind, name) for kind, name in subjects)


def deck(world: MiniatureWorld) -> tuple[WorldImage, ...]:
    """Twenty slides in the order of the deck: a chart a team, a table a workshop, a heading a device."""
    slides = [("chart", team.name, f"Output: {team.name}") for team in world.teams]
    slides += [("table", workshop.name, f"Stock: {workshop.name}") for workshop in world.workshops]
    slides += [("text", device.name, f"Notes: {device.name}") for device in world.devices]
    random.Random(f"{world.salt}:deck").shuffle(slides)
    return tuple(
        WorldImage(key=EvidenceKey("slidevqa", f"{kind}:{name}"), kind=kind, name=name, caption=heading)
        for kind, name, heading in slides
    )


def report(world: MiniatureWorld) -> tuple[WorldImage, ...]:
    """The pages of the world's report, the cover first: kind text (text layer), scan (image only), dial or door.

    Every page begins with the same running head.
    """
    head = f"{world.label} report."
    pages = [
        WorldImage(
            key=EvidenceKey("mmlongbench_doc", f"goods:{workshop.name}"),
            kind="text",
            name=workshop.name,
            caption=f"{head} The boss of {workshop.name} is {workshop.boss}. {workshop.name} sells {workshop.good}.",
        )
        for workshop in world.workshops[REPORT_GOODS]
    ]
    pages += [
        WorldImage(
            key=EvidenceKey("mmlongbench_doc", f"staff:{workshop.name}"),
            kind="scan",
            name=workshop.name,
            caption=f"{head} {workshop.name} has {workshop.workers} workers.",
        )
        for workshop in world.workshops[REPORT_SCANS]
    ]
    figures = [("dial", device.name) for device in world.devices[REPORT_DIALS]]
    figures += [("door", place.name) for place in world.places[REPORT_DOORS]]
    pages += [_captioned("mmlongbench_doc", kind, name, head=f"{head} ") for kind, name in figures]
    random.Random(f"{world.salt}:report").shuffle(pages)
    cover = WorldImage(
        key=EvidenceKey("mmlongbench_doc", f"cover:{world.label}"),
        kind="text",
        name=world.label,
        caption=head,
    )
    return (cover, *pages)


def _captioned(dataset: str, kind: str, name: str, *, head: str = "") -> WorldImage:
    caption = f"{head}{kind.capitalize()} of {name}."
    return WorldImage(key=EvidenceKey(dataset, f"{kind}:{name}"), kind=kind, name=name, caption=caption)


def workshop_videos(world: MiniatureWorld) -> tuple[WorldVideo, ...]:
    """The three-minute videos of LVBench."""
    return tuple(
        WorldVideo(id=f"{w.name}_film", name=w.name, scenes=w.scenes, speech=f"Film of {w.name}.")
        for w in world.workshops[VIDEO_WORKSHOPS]
    )


def howto_videos(world: MiniatureWorld) -> tuple[WorldVideo, ...]:
    """The one-minute videos of WikiHowQA, whose speech names the steps."""
    return tuple(
        _howto(device, "To build {} first {}, then {}, last {}.".format(device.name, *device.steps))
        for device in world.devices[HOWTO_DEVICES]
    )


def single_videos(world: MiniatureWorld) -> tuple[WorldVideo, ...]:
    """The one-minute videos of SyntheticQA."""
    return tuple(_howto(device, f"Video of {device.name}.") for device in world.devices[SINGLE_DEVICES])


def cross_videos(world: MiniatureWorld) -> tuple[WorldVideo, ...]:
    """The one-minute videos of XVBench."""
    return tuple(_howto(device, f"Video of {device.name}.") for device in world.devices[CROSS_DEVICES])


def _howto(device: Device, speech: str) -> WorldVideo:
    return WorldVideo(id=f"{device.name}_make", name=device.name, scenes=device.scenes, speech=speech)
