"""Questions of MMLongBench-Doc: pages of a report, a fifth of them unanswerable.

Templates only; each takes a world and a random source and returns one question. An unanswerable question is one of the same
template about an entity that the report leaves out, so that no wording betrays it.
"""

import random
from collections.abc import Sequence
from typing import TypeVar

from assets.miniature.lexicon import GOODS, MARKS
from assets.miniature.plans import NOT_ANSWERABLE, PlannedHop, PlannedQuestion
from assets.miniature.sentences import REPORT_DIALS, REPORT_DOORS, REPORT_GOODS, REPORT_SCANS, EvidenceKey
from assets.miniature.templates.wording import Wording, about, even_draw, worded
from assets.miniature.world import Device, MiniatureWorld

UNANSWERABLE_SHARE = 0.2
REPORT = "mmlongbench_doc"
Entity = TypeVar("Entity")


def reading(world: MiniatureWorld, rng: random.Random) -> PlannedQuestion:
    """A dial: one figure page."""
    device, known = _choice(world, rng, "reading", world.devices, REPORT_DIALS)
    wording = worded(rng, "dial", "gauge")
    return _question(
        "reading",
        text=f"What reading is on the {wording.first} of {device.name}?",
        answer=str(device.reading) if known else None,
        hops=(_dial(device, wording, known),),
        guess=1 / 10,
    )


def higher_reading(world: MiniatureWorld, rng: random.Random) -> PlannedQuestion:
    """Two dials: two figure pages."""
    present, absent = world.devices[REPORT_DIALS], world.devices[REPORT_DIALS.stop :]
    known = even_draw(world, "higher_reading") >= UNANSWERABLE_SHARE
    pair = rng.sample(present, 2) if known else [rng.choice(present), rng.choice(absent)]
    rng.shuffle(pair)
    first, second = pair
    wording = worded(rng, "dial", "gauge")
    return _question(
        "higher_reading",
        text=f"Which has the higher {wording.first} reading, {first.name} or {second.name}?",
        answer=max(first, second, key=lambda device: device.reading).name if known else None,
        hops=tuple(_dial(device, wording, device in present) for device in pair),
        guess=0.5,
    )


def workers(world: MiniatureWorld, rng: random.Random) -> PlannedQuestion:
    """A number on a scanned page."""
    workshop, known = _choice(world, rng, "workers", world.workshops, REPORT_SCANS)
    return _question(
        "workers",
        text=f"How many workers has {workshop.name}?",
        answer=str(workshop.workers) if known else None,
        hops=(
            _page(
                f"staff:{workshop.name}",
                tuple(worded(rng, f"{workshop.name} workers", f"staff of {workshop.name}")),
                f"{workshop.name} has {workshop.workers} workers.",
                known,
            ),
        ),
        guess=1 / 90,
    )


def trade(world: MiniatureWorld, rng: random.Random) -> PlannedQuestion:
    """What a workshop sells: one text page."""
    workshop, known = _choice(world, rng, "trade", world.workshops, REPORT_GOODS)
    return _question(
        "trade",
        text=f"What does {workshop.name} sell?",
        answer=workshop.good if known else None,
        hops=(
            _page(
                f"goods:{workshop.name}",
                tuple(worded(rng, f"{workshop.name} sells", f"trade of {workshop.name}")),
                f"{workshop.name} sells {workshop.good}.",
                known,
            ),
        ),
        guess=1 / len(GOODS),
    )


def boss(world: MiniatureWorld, rng: random.Random) -> PlannedQuestion:
    """Who runs a workshop: one text page."""
    workshop, known = _choice(world, rng, "boss", world.workshops, REPORT_GOODS)
    wording = worded(rng, "boss", "chief")
    return _question(
        "boss",
        text=f"Who is the {wording.first} of {workshop.name}?",
        answer=workshop.boss if known else None,
        hops=(
            _page(
                f"goods:{workshop.name}",
                about(wording, workshop.name),
                f"The boss of {workshop.name} is {workshop.boss}.",
                known,
            ),
        ),
        guess=0.0,
    )


def door(world: MiniatureWorld, rng: random.Random) -> PlannedQuestion:
    """The mark on a door: one figure page."""
    place, known = _choice(world, rng, "door", world.places, REPORT_DOORS)
    wording = worded(rng, "door", "gate")
    summary = f"The door of {place.name} is kept."
    hop = _page(f"door:{place.name}", about(wording, place.name), summary, known, visual=True)
    return _question(
        "door",
        text=f"What mark is on the {wording.first} of {place.name}?",
        answer=place.mark if known else None,
        hops=(hop,),
        guess=1 / len(MARKS),
    )


def _choice(
    world: MiniatureWorld, rng: random.Random, template: str, entities: Sequence[Entity], present: slice
) -> tuple[Entity, bool]:
    """One of the entities that the report states, or in the share of questions without an answer one that it leaves out."""
    known = even_draw(world, template) >= UNANSWERABLE_SHARE
    return rng.choice(entities[present] if known else entities[present.stop :]), known


def _dial(device: Device, wording: Wording, known: bool) -> PlannedHop:
    summary = f"The dial of {device.name} is kept."
    return _page(f"dial:{device.name}", about(wording, device.name), summary, known, visual=True)


def _page(
    name: str, queries: tuple[str, ...], summary: str, known: bool, *, visual: bool = False
) -> PlannedHop:
    if not known:
        return PlannedHop(queries=queries, gold=(), summary="Nothing found.")
    return PlannedHop(queries=queries, gold=(EvidenceKey(REPORT, name),), summary=summary, visual=visual)


def _question(
    template: str, *, text: str, answer: str | None, hops: tuple[PlannedHop, ...], guess: float
) -> PlannedQuestion:
    return PlannedQuestion(
        dataset=REPORT,
        template=template,
        text=text,
        answer=NOT_ANSWERABLE if answer is None else answer,
        hops=hops,
        chance=max(UNANSWERABLE_SHARE, (1 - UNANSWERABLE_SHARE) * guess),
    )
