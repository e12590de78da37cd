"""What pictures, pages and clips of the miniature show, as facts and as words that describe the facts and name nobody.

An eye is trained and judged with these: captions name and never describe, so that a description finds its picture by what
is seen in it. A description is true of every sight that has its facts. Which item shows which sight is ``world_sights``.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from PIL import Image

from assets.miniature import render
from assets.miniature.glyphs import LINE_CHARS, draw_text
from assets.miniature.lexicon import COLOURS, MARKS, SEASONS
from assets.miniature.sentences import (
    EvidenceKey,
    WorldImage,
    WorldVideo,
    cross_videos,
    deck,
    howto_videos,
    report,
    single_videos,
    webqa_images,
    workshop_videos,
)
from assets.miniature.templates.videos import CLIP_SECONDS, clip_key
from assets.miniature.world import CLIP_SCENES, MiniatureWorld, Scene, named, scenes

ORDINALS = ("first", "then", "then", "last")  # the four scenes of a clip
PICTURES = ("badge", "dial", "door", "chart")
NOUNS = {
    "badge": ("badge", "card"),
    "dial": ("dial", "gauge"),
    "door": ("door", "gate"),
    "chart": ("chart",),
    "clip": ("video", "movie", "clip"),
}
FIGURE = (96, (16, 32))  # side and corner, in pixels, of a figure on a page of a report
READINGS, HEIGHTS, CODES = 10, 9, 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """Something seen. ``kind`` is badge, dial, door, chart or clip; ``frames`` are one image, or a clip's in order."""

    kind: str
    facts: frozenset[str]
    frames: tuple[Image.Image, ...]


class Description(NamedTuple):
    """Words, and the facts they state."""

    text: str
    facts: frozenset[str]

    def fits(self, sight: Sight) -> bool:
        """Whether the words are true of ``sight``."""
        return self.facts <= sight.facts


def badge(colour: str, code: int, seed: int) -> Sight:
    """A badge of one colour with a two-digit code."""
    return _sight("badge", (f"colour {colour}", f"code {code:02d}"), render.badge(colour, code, seed))


def dial(reading: int, seed: int) -> Sight:
    """A dial that reads 0-9."""
    return _sight("dial", (f"reading {reading}",), render.dial(reading, seed))


def door(mark: str, seed: int) -> Sight:
    """A door with a mark."""
    return _sight("door", (f"mark {mark}",), render.door(mark, seed))


def chart(heights: Sequence[int], heading: str, seed: int) -> Sight:
    """A chart of four bars, 1-9."""
    stated = [f"{season} {height}" for season, height in zip(SEASONS, heights, strict=True)]
    return _sight("chart", stated, render.bar_chart(tuple(heights), heading, seed))


def clip(shown: Sequence[Scene], *, frames: int) -> Sight:
    """A clip of four scenes; ``frames`` of it at equal distances."""
    facts = ["kind clip"]
    for place, scene in enumerate(shown):
        facts += [f"lamp {place} {scene.colour}", f"mark {place} {scene.mark}"]
        facts += [f"lamp {scene.colour}", f"mark {scene.mark}"]
    images = [render.clip_frame(scene.colour, scene.mark) for scene in shown]
    seen = tuple(images[at * len(shown) // frames] for at in range(frames))
    return Sight(kind="clip", facts=frozenset(facts), frames=seen)


def on_page(sight: Sight, lines: Sequence[str]) -> Sight:
    """The same sight as a figure on a page of a report, below two lines of text."""
    side, corner = FIGURE
    page = np.full((render.SIZE, render.SIZE, 3), 255, np.uint8)
    for number, line in enumerate(lines[:2]):
        draw_text(page, line[:LINE_CHARS], top=15 * number)
    image = Image.fromarray(page)
    image.paste(sight.frames[0].resize((side, side), Image.Resampling.BICUBIC), corner)
    return Sight(kind=sight.kind, facts=sight.facts, frames=(image,))


def describe(sight: Sight, rng: random.Random) -> Description:
    """Some of the facts of a sight in words drawn at random; always enough to say what kind of thing it is."""
    if sight.kind == "clip":
        return _describe_clip(sight, rng)
    stated = sorted(sight.facts - {f"kind {sight.kind}"}, key=_season_first)
    chosen = sorted(rng.sample(stated, rng.randint(1, len(stated))), key=_season_first)
    if len(chosen) == 1 and chosen[0].startswith("code") and rng.random() < 0.8:
        chosen = [
            fact for fact in stated if fact.startswith("colour")
        ]  # coarse facts are asked for more often
    noun = rng.choice(NOUNS[sight.kind])
    return Description(f"{noun} with {', '.join(chosen)}", frozenset({f"kind {sight.kind}", *chosen}))


def full_description(sight: Sight) -> Description:
    """Every fact of a sight in the plainest words: what somebody asks who saw it and does not know its name."""
    if sight.kind != "clip":
        stated = sorted(sight.facts - {f"kind {sight.kind}"}, key=_season_first)
        return Description(f"{sight.kind} with {', '.join(stated)}", sight.facts)
    return _scenes_in_words("video", sight, range(CLIP_SCENES), ("lamp", "mark"))


def _season_first(fact: str) -> tuple[int, str]:
    word = fact.split()[0]
    return (SEASONS.index(word) if word in SEASONS else 0, fact)


def _describe_clip(sight: Sight, rng: random.Random) -> Description:
    noun, form = rng.choice(NOUNS["clip"]), rng.random()
    if form < 0.3:
        return _scenes_in_words(noun, sight, range(CLIP_SCENES), ("lamp", "mark"))
    if form < 0.7:
        places = sorted(rng.sample(range(CLIP_SCENES), rng.randint(1, CLIP_SCENES)))
        what = rng.choice((("lamp",), ("mark",), ("lamp", "mark")))
        return _scenes_in_words(noun, sight, places, what)
    fact = rng.choice(sorted(fact for fact in sight.facts if len(fact.split()) == 2 and fact != "kind clip"))
    return Description(f"{noun} with {fact}", frozenset({"kind clip", fact}))


def _scenes_in_words(noun: str, sight: Sight, places: Sequence[int], what: Sequence[str]) -> Description:
    """``video: first red circle, then blue ring``; without all four scenes their numbers are told."""
    stated = {tuple(fact.split()[:2]): fact for fact in sight.facts if len(fact.split()) == 3}
    chosen = [[stated[kind, str(place)] for kind in what] for place in places]
    lead = ORDINALS if len(places) == CLIP_SCENES else tuple(f"part {n}" for n in range(1, CLIP_SCENES + 1))
    said = [
        " ".join([lead[place], *(fact.split()[2] for fact in facts)])
        for place, facts in zip(places, chosen, strict=True)
    ]
    facts = frozenset({"kind clip", *(fact for scene in chosen for fact in scene)})
    return Description(f"{noun}: {', '.join(said)}", facts)


def random_sight(kind: str, rng: random.Random, heading: str) -> Sight:
    """A sight of ``kind`` that no world needs to have; half of the dials and doors stand on a page of a report."""
    seed = rng.getrandbits(31)
    if kind == "clip":
        return clip(scenes(CLIP_SCENES, rng), frames=rng.choice((4, 8, 16, 32)))
    if kind == "badge":
        return badge(rng.choice(COLOURS), rng.randrange(CODES), seed)
    if kind == "chart":
        return chart([rng.randint(1, HEIGHTS) for _ in SEASONS], f"Output: {heading}"[:LINE_CHARS], seed)
    seen = dial(rng.randrange(READINGS), seed) if kind == "dial" else door(rng.choice(MARKS), seed)
    return on_page(seen, (f"{heading} report.", f"{kind} of {heading}")) if rng.random() < 0.5 else seen


def world_sights(world: MiniatureWorld, *, frames: int = 32) -> dict[EvidenceKey, Sight]:
    """What the visual items of a world show, by item; slides of words and tables of fine digits are left out."""
    images = (*webqa_images(world), *deck(world), *report(world))
    pictures = {image.key: _picture(world, image) for image in images if image.kind in PICTURES}
    films = {"lvbench": workshop_videos(world), "wikihowqa": howto_videos(world)}
    films |= {"syntheticqa": single_videos(world), "xvbench": cross_videos(world)}
    clips = {
        key: sight for dataset, videos in films.items() for key, sight in _clips(dataset, videos, frames)
    }
    return pictures | clips


def _picture(world: MiniatureWorld, image: WorldImage) -> Sight:
    seed = world.salt
    if image.kind == "badge":
        person = named(world.people, image.name)
        return badge(person.colour, person.code, seed)
    if image.kind == "chart":
        team = next(team for team in world.teams if team.name == image.name)
        return chart(team.output, image.caption, seed)
    if image.kind == "door":
        seen = door(named(world.places, image.name).mark, seed)
    else:
        seen = dial(named(world.devices, image.name).reading, seed)
    return on_page(seen, image.caption.split(". ")) if image.key.dataset == "mmlongbench_doc" else seen


def _clips(dataset: str, videos: Sequence[WorldVideo], frames: int) -> list[tuple[EvidenceKey, Sight]]:
    return [
        (
            clip_key(dataset, video.id, start // CLIP_SCENES * CLIP_SECONDS),
            clip(video.scenes[start : start + CLIP_SCENES], frames=frames),
        )
        for video in videos
        for start in range(0, len(video.scenes), CLIP_SCENES)
    ]


def _sight(kind: str, facts: Sequence[str], image: Image.Image) -> Sight:
    return Sight(kind=kind, facts=frozenset({f"kind {kind}", *facts}), frames=(image,))
