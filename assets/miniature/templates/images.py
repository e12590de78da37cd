"""Questions of WebQA and SlideVQA: facts that badges, doors, charts and tables show.

Templates only; each takes a world and a random source and returns one question.
"""

import random
from collections.abc import Callable, Sequence
from itertools import permutations
from typing import TypeVar

from assets.miniature.lexicon import COLOURS, GOODS, MARKS, REGIONS, SEASONS
from assets.miniature.plans import PlannedHop, PlannedQuestion
from assets.miniature.sentences import WEBQA_DOORS, EvidenceKey
from assets.miniature.templates.wording import Wording, about, even_draw, visual_hop, worded
from assets.miniature.world import MiniatureWorld, Person, Team, Workshop, named

_Entity = TypeVar("_Entity")


def badge_colour(world: MiniatureWorld, rng: random.Random) -> PlannedQuestion:
    """One image, coarse."""
    person, wording = rng.choice(world.people), worded(rng, "badge", "card")
    return PlannedQuestion(
        dataset="webqa",
        template="badge_colour",
        text=f"What colour is the {wording.first} of {person.name}?",
        answer=person.colour,
        hops=(_badge(person, wording),),
        chance=1 / len(COLOURS),
    )


def badge_code(world: MiniatureWorld, rng: random.Random) -> PlannedQuestion:
    """One image, fine."""
    person, wording = rng.choice(world.people), worded(rng, "badge", "card")
    return PlannedQuestion(
        dataset="webqa",
        template="badge_code",
        text=f"What code is on the {wording.first} of {person.name}?",
        answer=f"{person.code:02d}",
        hops=(_badge(person, wording),),
        chance=1 / 100,
    )


def founder_code(world: MiniatureWorld, rng: random.Random) -> PlannedQuestion:
    """A snippet, then an image, fine."""
    team = rng.choice(world.teams)
    person = named(world.people, team.founder)
    wording = worded(rng, "founder", "creator")
    founder = PlannedHop(
        queries=about(wording, team.name),
        gold=(EvidenceKey("webqa", f"snippet:{team.name}"),),
        summary=f"The founder of {team.name} is {person.name}.",
    )
    return PlannedQuestion(
        dataset="webqa",
        template="founder_code",
        text=f"What code is on the badge of the {wording.first} of {team.name}?",
        answer=f"{person.code:02d}",
        hops=(founder, _badge(person, worded(rng, "badge", "card"), depends=(0,))),
        chance=1 / 100,
    )


def same_colour(world: MiniatureWorld, rng: random.Random) -> PlannedQuestion:
    """Two images, yes or no, drawn so that both are equally frequent."""
    alike = even_draw(world, "same_colour") < 0.5
    pairs = [
        (first, second)
        for first, second in permutations(world.people, 2)
        if (first.colour == second.colour) == alike
    ]
    first, second = rng.choice(pairs)
    wording = worded(rng, "badge", "card")
    return PlannedQuestion(
        dataset="webqa",
        template="same_colour",
        text=f"Do the {wording.first}s of {first.name} and {second.name} have the same colour?",
        answer="yes" if alike else "no",
        hops=(_badge(first, wording), _badge(second, wording)),
        chance=0.5,
    )


def meeting_region(world: MiniatureWorld, rng: random.Random) -> PlannedQuestion:
    """Two snippets: team -> place -> region."""
    team = rng.choice(world.teams)
    place = named(world.places, team.place)
    lies = PlannedHop(
        queries=tuple(worded(rng, f"{place.name} lies in", f"region of {place.name}")),
        gold=(EvidenceKey("webqa", f"snippet:{place.name}"),),
        summary=f"{place.name} lies in the {place.region}.",
        depends=(0,),
    )
    return PlannedQuestion(
        dataset="webqa",
        template="meeting_region",
        text=f"In which region does {team.name} meet?",
        answer=place.region,
        hops=(_meets(team, rng), lies),
        chance=1 / len(REGIONS),
    )


def meeting_door(world: MiniatureWorld, rng: random.Random) -> PlannedQuestion:
    """A snippet, then an image: team -> place -> mark."""
    doors = {place.name: place for place in world.places[WEBQA_DOORS]}
    team = rng.choice([team for team in world.teams if team.place in doors])
    place = doors[team.place]
    key = EvidenceKey("webqa", f"door:{place.name}")
    door = visual_hop(key, "door", place.name, worded(rng, "door", "gate"), depends=(0,))
    return PlannedQuestion(
        dataset="webqa",
        template="meeting_door",
        text=f"What mark is on the door where {team.name} meets?",
        answer=place.mark,
        hops=(_meets(team, rng), door),
        chance=1 / len(MARKS),
    )


def _meets(team: Team, rng: random.Random) -> PlannedHop:
    return PlannedHop(
        queries=tuple(worded(rng, f"{team.name} meets in", f"home of {team.name}")),
        gold=(EvidenceKey("webqa", f"snippet:{team.name}"),),
        summary=f"{team.name} meets in {team.place}.",
    )


def _badge(person: Person, wording: Wording, *, depends: tuple[int, ...] = ()) -> PlannedHop:
    key = EvidenceKey("webqa", f"badge:{person.name}")
    return visual_hop(key, "badge", person.name, wording, depends=depends)


def season_output(world: MiniatureWorld, rng: random.Random) -> PlannedQuestion:
    """One bar of one chart, coarse."""
    team, season, wording = rng.choice(world.teams), rng.randrange(4), worded(rng, "output", "yield")
    return PlannedQuestion(
        dataset="slidevqa",
        template="season_output",
        text=f"What was the {SEASONS[season]} {wording.first} of {team.name}?",
        answer=str(team.output[season]),
        hops=(_chart(team, wording),),
        chance=1 / 9,
    )


def higher_output(world: MiniatureWorld, rng: random.Random) -> PlannedQuestion:
    """The same bar of two charts."""
    first, second, season = _unequal(world, rng, "higher_output", world.teams, lambda team: team.output)
    wording = worded(rng, "output", "yield")
    return PlannedQuestion(
        dataset="slidevqa",
        template="higher_output",
        text=f"Which had the higher {SEASONS[season]} {wording.first}, {first.name} or {second.name}?",
        answer=max(first, second, key=lambda team: team.output[season]).name,
        hops=(_chart(first, wording), _chart(second, wording)),
        chance=0.5,
    )


def stock(world: MiniatureWorld, rng: random.Random) -> PlannedQuestion:
    """One cell of one table, fine."""
    workshop, good, wording = rng.choice(world.workshops), rng.randrange(4), worded(rng, "stock", "store")
    return PlannedQuestion(
        dataset="slidevqa",
        template="stock",
        text=f"How much {GOODS[good]} is in the {wording.first} of {workshop.name}?",
        answer=str(workshop.stock[good]),
        hops=(_table(workshop, wording),),
        chance=1 / 90,
    )


def more_stock(world: MiniatureWorld, rng: random.Random) -> PlannedQuestion:
    """The same cell of two tables, fine."""
    first, second, good = _unequal(world, rng, "more_stock", world.workshops, lambda shop: shop.stock)
    wording = worded(rng, "stock", "store")
    return PlannedQuestion(
        dataset="slidevqa",
        template="more_stock",
        text=f"Which has more {GOODS[good]} in {wording.first}, {first.name} or {second.name}?",
        answer=max(first, second, key=lambda workshop: workshop.stock[good]).name,
        hops=(_table(first, wording), _table(second, wording)),
        chance=0.5,
    )


def _unequal(
    world: MiniatureWorld,
    rng: random.Random,
    template: str,
    entities: Sequence[_Entity],
    numbers: Callable[[_Entity], Sequence[int]],
) -> tuple[_Entity, _Entity, int]:
    """Two entities and a place where their numbers differ; the first has more in half of the worlds."""
    first_wins = even_draw(world, template) < 0.5
    unequal = [
        (first, second, place)
        for first, second in permutations(entities, 2)
        for place, (one, other) in enumerate(zip(numbers(first), numbers(second), strict=True))
        if one != other and (one > other) == first_wins
    ]
    return rng.choice(unequal)


def _chart(team: Team, wording: Wording) -> PlannedHop:
    return visual_hop(EvidenceKey("slidevqa", f"chart:{team.name}"), "output chart", team.name, wording)


def _table(workshop: Workshop, wording: Wording) -> PlannedHop:
    key = EvidenceKey("slidevqa", f"table:{workshop.name}")
    return visual_hop(key, "stock table", workshop.name, wording)
