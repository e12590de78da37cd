"""What the miniature's pictures and clips show, and descriptions that are true of it and name nobody."""

from __future__ import annotations

import random

import pytest

from assets.miniature import sights
from assets.miniature.sights import Sight, describe, full_description, random_sight, world_sights
from assets.miniature.world import MiniatureWorld, Scene, worlds

KINDS = ("badge", "dial", "door", "chart", "clip")
FOUR = (
    Scene(colour="red", mark="ring"),
    Scene(colour="blue", mark="cross"),
    Scene(colour="green", mark="bars"),
    Scene(colour="black", mark="circle"),
)


@pytest.fixture(scope="module")
def world() -> MiniatureWorld:
    return next(worlds("test", 1, seed=5))


def drawn(kind: str, seed: int) -> Sight:
    return random_sight(kind, random.Random(seed), "Belodu")


def test_a_world_shows_badges_doors_dials_charts_and_clips(world: MiniatureWorld):
    shown = world_sights(world)
    counts = {kind: sum(sight.kind == kind for sight in shown.values()) for kind in KINDS}
    # 8 people; 2 doors of WebQA and 1 of the report; 3 dials; 4 teams; 12 devices and 2 workshops of three clips
    assert counts == {"badge": 8, "dial": 3, "door": 3, "chart": 4, "clip": 18}
    assert all(len(sight.frames) == (32 if sight.kind == "clip" else 1) for sight in shown.values())


def test_facts_are_those_of_the_world(world: MiniatureWorld):
    shown = {(key.dataset, key.name): sight.facts for key, sight in world_sights(world).items()}
    person, device = world.people[0], world.devices[8]
    assert shown["webqa", f"badge:{person.name}"] == {
        "kind badge", f"colour {person.colour}", f"code {person.code:02d}",
    }  # fmt: skip
    assert shown["mmlongbench_doc", f"dial:{device.name}"] == {"kind dial", f"reading {device.reading}"}
    first = device.scenes[0]
    made = shown["xvbench", f"clip:{device.name}_make:0"]
    assert {f"lamp 0 {first.colour}", f"mark 0 {first.mark}", f"lamp {first.colour}"} <= made
    film = world.workshops[0]
    last = shown["lvbench", f"clip:{film.name}_film:120"]
    assert f"lamp 3 {film.scenes[11].colour}" in last


def test_a_clip_is_told_scene_by_scene():
    shown = sights.clip(FOUR, frames=8)
    assert (
        full_description(shown).text
        == "video: first red ring, then blue cross, then green bars, last black circle"
    )
    assert [frame.getpixel((32, 21)) for frame in shown.frames[::2]] == [
        (215, 35, 35), (40, 80, 225), (30, 150, 60), (15, 15, 15),
    ]  # fmt: skip


def test_a_chart_is_told_by_its_seasons_and_a_badge_by_colour_and_code():
    chart = sights.chart((3, 5, 9, 1), "Output: Belodu"[:14], 1)
    assert full_description(chart).text == "chart with spring 3, summer 5, autumn 9, winter 1"
    assert full_description(sights.badge("red", 7, 1)).text == "badge with code 07, colour red"


@pytest.mark.parametrize("kind", KINDS)
def test_a_description_is_true_of_what_it_describes_and_names_nobody(kind: str):
    for seed in range(60):
        sight = drawn(kind, seed)
        for description in (describe(sight, random.Random(seed)), full_description(sight)):
            assert description.fits(sight) and f"kind {kind}" in description.facts
            assert "Belodu" not in description.text and len(description.facts) > 1


def test_a_description_is_true_of_another_sight_only_with_its_facts():
    red, also_red, blue = (sights.badge(*values, 1) for values in (("red", 7), ("red", 8), ("blue", 7)))
    assert not full_description(red).fits(also_red) and not full_description(red).fits(blue)
    colour = sights.Description("badge with colour red", frozenset({"kind badge", "colour red"}))
    assert colour.fits(red) and colour.fits(also_red) and not colour.fits(blue)
    reordered = sights.clip((*FOUR[1:], FOUR[0]), frames=4)
    assert not full_description(sights.clip(FOUR, frames=4)).fits(reordered)


def test_a_page_keeps_the_facts_and_shows_the_figure():
    dial = sights.dial(3, 1)
    page = sights.on_page(dial, ("Belodu report.", "Dial of Belodu"))
    assert page.facts == dial.facts and page.frames[0].size == (128, 128)
    assert page.frames[0].getpixel((64, 80)) == dial.frames[0].resize((96, 96)).getpixel((48, 48))


def test_the_same_seed_draws_the_same():
    for kind in KINDS:
        one, other = drawn(kind, 3), drawn(kind, 3)
        assert one.facts == other.facts and one.frames[0].tobytes() == other.frames[0].tobytes()
