"""Questions of HotpotQA and SQuAD: facts that passages state.

Templates only; each takes a world and a random source and returns one question. The longer questions of HotpotQA are asked in
worlds whose passages hold decoys.
"""

import random

from assets.miniature.lexicon import MATERIALS, ROLES
from assets.miniature.plans import NOT_ANSWERABLE, PlannedHop, PlannedQuestion
from assets.miniature.sentences import EvidenceKey, squad_attributes
from assets.miniature.templates.wording import Wording, about, even_draw, worded
from assets.miniature.world import Device, MiniatureWorld, Person, Team, Workshop, named

UNANSWERABLE_SHARE = 0.25  # of SQuAD's questions
YEARS = 100


def leader_works(world: MiniatureWorld, rng: random.Random) -> PlannedQuestion:
    """Bridge: team -> person -> workshop."""
    team = rng.choice(world.teams)
    person = named(world.people, team.leader)
    leader, wording = _leader(team, rng)
    return PlannedQuestion(
        dataset="hotpotqa",
        template="leader_works",
        text=f"Where does the {wording.first} of {team.name} work?",
        answer=person.workshop,
        hops=(leader, _works(person, rng, depends=(0,))),
        chance=0.0,
    )


def maker_opened(world: MiniatureWorld, rng: random.Random) -> PlannedQuestion:
    """Bridge: device -> workshop -> year."""
    device = rng.choice(world.devices)
    workshop = named(world.workshops, device.workshop)
    maker, wording = _maker(device, rng)
    return PlannedQuestion(
        dataset="hotpotqa",
        template="maker_opened",
        text=f"When did the {wording.first} of {device.name} open?",
        answer=str(workshop.year),
        hops=(maker, _opened(workshop, rng, depends=(0,))),
        chance=1 / YEARS,
    )


def opened_first(world: MiniatureWorld, rng: random.Random) -> PlannedQuestion:
    """Comparison of two years."""
    first, second = sorted(rng.sample(world.workshops, 2), key=lambda workshop: workshop.year)
    if even_draw(world, "opened_first") < 0.5:
        first, second = second, first
    wording = worded(rng, "opened first", "is older")
    return PlannedQuestion(
        dataset="hotpotqa",
        template="opened_first",
        text=f"Which {wording.first}, {first.name} or {second.name}?",
        answer=min(first, second, key=lambda workshop: workshop.year).name,
        hops=(_opened(first, rng), _opened(second, rng)),
        chance=0.5,
    )


def leader_works_opened(world: MiniatureWorld, rng: random.Random) -> PlannedQuestion:
    """Three searches: team -> person -> workshop -> year."""
    team = rng.choice(world.teams)
    person = named(world.people, team.leader)
    workshop = named(world.workshops, person.workshop)
    leader, wording = _leader(team, rng)
    return PlannedQuestion(
        dataset="hotpotqa",
        template="leader_works_opened",
        text=f"When did the employer of the {wording.first} of {team.name} open?",
        answer=str(workshop.year),
        hops=(leader, _works(person, rng, depends=(0,)), _opened(workshop, rng, depends=(1,))),
        chance=1 / YEARS,
    )


def makers_opened_first(world: MiniatureWorld, rng: random.Random) -> PlannedQuestion:
    """Four searches, a comparison at the ends of two bridges: device -> workshop -> year, twice."""
    workshops = rng.sample(world.workshops, 2)
    devices = [
        rng.choice([device for device in world.devices if device.workshop == workshop.name])
        for workshop in workshops
    ]
    (first, wording), (second, _) = (_maker(device, rng) for device in devices)
    return PlannedQuestion(
        dataset="hotpotqa",
        template="makers_opened_first",
        text=f"Which {wording.first} opened first, of {devices[0].name} or of {devices[1].name}?",
        answer=min(workshops, key=lambda workshop: workshop.year).name,
        hops=(
            first,
            second,
            _opened(workshops[0], rng, depends=(0,)),
            _opened(workshops[1], rng, depends=(1,)),
        ),
        chance=0.0,
    )


def _leader(team: Team, rng: random.Random) -> tuple[PlannedHop, Wording]:
    wording = worded(rng, "leader", "head")
    hop = PlannedHop(
        queries=about(wording, team.name),
        gold=(EvidenceKey("hotpotqa", team.name),),
        summary=f"The leader of {team.name} is {team.leader}.",
    )
    return hop, wording


def _works(person: Person, rng: random.Random, *, depends: tuple[int, ...]) -> PlannedHop:
    return PlannedHop(
        queries=tuple(worded(rng, f"{person.name} works at", f"employer of {person.name}")),
        gold=(EvidenceKey("hotpotqa", person.name),),
        summary=f"{person.name} works at {person.workshop}.",
        depends=depends,
    )


def _maker(device: Device, rng: random.Random) -> tuple[PlannedHop, Wording]:
    wording = worded(rng, "maker", "builder")
    hop = PlannedHop(
        queries=about(wording, device.name),
        gold=(EvidenceKey("hotpotqa", device.name),),
        summary=f"The maker of {device.name} is {device.workshop}.",
    )
    return hop, wording


def _opened(workshop: Workshop, rng: random.Random, *, depends: tuple[int, ...] = ()) -> PlannedHop:
    return PlannedHop(
        queries=tuple(worded(rng, f"{workshop.name} opened in", f"age of {workshop.name}")),
        gold=(EvidenceKey("hotpotqa", workshop.name),),
        summary=f"{workshop.name} opened in {workshop.year}.",
        depends=depends,
    )


def person_attribute(world: MiniatureWorld, rng: random.Random) -> PlannedQuestion:
    """A person's job or home, or one that the paragraph leaves out."""
    person, attribute, stated = _squad_choice(world, rng, world.people)
    assert isinstance(person, Person)
    if attribute == "job":
        wording = worded(rng, "job", "role")
        text, queries = f"What is the {wording.first} of {person.name}?", about(wording, person.name)
        answer, summary, guess = person.role, f"The job of {person.name} is {person.role}.", 1 / len(ROLES)
    else:
        text = f"Where does {person.name} live?"
        queries = tuple(worded(rng, f"{person.name} lives in", f"home of {person.name}"))
        answer, summary, guess = person.home, f"{person.name} lives in {person.home}.", 0.0
    return _squad(attribute, person.name, text, queries, (answer, summary) if stated else None, guess)


def device_attribute(world: MiniatureWorld, rng: random.Random) -> PlannedQuestion:
    """A device's material or place, or one that the paragraph leaves out."""
    device, attribute, stated = _squad_choice(world, rng, world.devices)
    assert isinstance(device, Device)
    if attribute == "material":
        text = f"What is {device.name} made of?"
        queries = tuple(worded(rng, f"{device.name} made of", f"material of {device.name}"))
        answer, summary = device.material, f"{device.name} is made of {device.material}."
        guess = 1 / len(MATERIALS)
    else:
        text = f"Where does {device.name} stand?"
        queries = tuple(worded(rng, f"{device.name} stands in", f"place of {device.name}"))
        answer, summary, guess = device.place, f"{device.name} stands in {device.place}.", 0.0
    return _squad(attribute, device.name, text, queries, (answer, summary) if stated else None, guess)


def _squad_choice(
    world: MiniatureWorld, rng: random.Random, entities: tuple[Person, ...] | tuple[Device, ...]
) -> tuple[Person | Device, str, bool]:
    """An entity, one of its attributes and whether its paragraph states it; the template is drawn before the rest."""
    attribute = rng.choice(("job", "home") if isinstance(entities[0], Person) else ("material", "stand"))
    stated = rng.random() >= UNANSWERABLE_SHARE
    fitting = [entity for entity in entities if (attribute in squad_attributes(world, entity)) == stated]
    return rng.choice(fitting), attribute, stated


def _squad(
    template: str,
    name: str,
    text: str,
    queries: tuple[str, ...],
    stated: tuple[str, str] | None,
    guess: float,
) -> PlannedQuestion:
    gold = (EvidenceKey("squad", name),) if stated else ()
    answer, summary = stated or (NOT_ANSWERABLE, "Nothing found.")
    return PlannedQuestion(
        dataset="squad",
        template=template,
        text=text,
        answer=answer,
        hops=(PlannedHop(queries=queries, gold=gold, summary=summary),),
        chance=max(UNANSWERABLE_SHARE, (1 - UNANSWERABLE_SHARE) * guess),
    )
