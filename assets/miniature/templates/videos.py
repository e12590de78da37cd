"""Questions of LVBench, WikiHowQA, SyntheticQA and XVBench: what clips show, in which order, and which page tells which clip.

Templates only; each takes a world and a random source and returns one question.
"""

import random
from itertools import permutations

from assets.miniature.lexicon import COLOURS, LETTERS, MARKS
from assets.miniature.plans import PlannedHop, PlannedQuestion
from assets.miniature.sentences import (
    CROSS_DEVICES,
    HOWTO_DEVICES,
    REPORT_DIALS,
    SINGLE_DEVICES,
    VIDEO_WORKSHOPS,
    EvidenceKey,
)
from assets.miniature.templates.wording import Wording, about, even_draw, visual_hop, with_choices, worded
from assets.miniature.world import CLIP_SCENES, SCENE_SECONDS, Device, MiniatureWorld

CLIP_SECONDS = SCENE_SECONDS * CLIP_SCENES
BORDER_S = 2  # seconds around a change of scene that no question asks about
FIRST_S, LAST_S = SCENE_SECONDS / 2, CLIP_SECONDS - SCENE_SECONDS / 2


def clip_key(dataset: str, video: str, start_s: int = 0) -> EvidenceKey:
    """The clip of a video that starts at ``start_s``."""
    return EvidenceKey(dataset, f"clip:{video}:{start_s}")


def lamp_at(world: MiniatureWorld, rng: random.Random) -> PlannedQuestion:
    """The lamp at a moment of a video, four choices."""
    return _at(world, rng, what="lamp", values=COLOURS)


def mark_at(world: MiniatureWorld, rng: random.Random) -> PlannedQuestion:
    """The mark at a moment of a video, four choices."""
    return _at(world, rng, what="mark", values=MARKS)


def _at(world: MiniatureWorld, rng: random.Random, *, what: str, values: tuple[str, ...]) -> PlannedQuestion:
    workshop = rng.choice(world.workshops[VIDEO_WORKSHOPS])
    scene = rng.randrange(len(workshop.scenes))
    moment = scene * SCENE_SECONDS + rng.randrange(BORDER_S, SCENE_SECONDS - BORDER_S + 1)
    shown = workshop.scenes[scene].colour if what == "lamp" else workshop.scenes[scene].mark
    choices = rng.sample([value for value in values if value != shown], len(LETTERS) - 1)
    place = rng.randrange(len(LETTERS))
    choices.insert(place, shown)
    key = clip_key("lvbench", f"{workshop.name}_film", moment // CLIP_SECONDS * CLIP_SECONDS)
    shown_s = moment % CLIP_SECONDS // SCENE_SECONDS * SCENE_SECONDS + FIRST_S
    asks = "What colour is the lamp" if what == "lamp" else "What mark is shown"
    wording = worded(rng, "film", "movie")
    stem = f"{asks} at {moment // 60:02d}:{moment % 60:02d} in the {wording.first} of {workshop.name}?"
    return PlannedQuestion(
        dataset="lvbench",
        template=f"{what}_at",
        text=with_choices(stem, choices),
        answer=LETTERS[place],
        hops=(visual_hop(key, "film", workshop.name, wording, timestamps=(shown_s,)),),
        chance=1 / len(LETTERS),
        choices=tuple(choices),
        moment_s=moment,
    )


def steps(world: MiniatureWorld, rng: random.Random) -> PlannedQuestion:
    """The order of three steps, as spoken."""
    device = rng.choice(world.devices[HOWTO_DEVICES])
    first, second, third = device.steps
    return PlannedQuestion(
        dataset="wikihowqa",
        template="steps",
        text=f"How To Build {device.name}",
        answer=f"{first}, {second}, {third}",
        hops=(
            PlannedHop(
                queries=tuple(worded(rng, f"build {device.name}", f"making of {device.name}")),
                gold=(clip_key("wikihowqa", f"{device.name}_make"),),
                summary=f"To build {device.name} first {first}, then {second}, last {third}.",
            ),
        ),
        chance=1 / 336,  # three of eight steps in order
    )


def first_or_last(world: MiniatureWorld, rng: random.Random) -> PlannedQuestion:
    """The first or last lamp or mark of one clip."""
    device = rng.choice(world.devices[SINGLE_DEVICES])
    what, end = rng.choice(("lamp", "mark")), rng.choice(("first", "last"))
    scene = device.scenes[0 if end == "first" else -1]
    wording = worded(rng, "video", "movie")
    asks = f"What colour is the {end} lamp" if what == "lamp" else f"What is the {end} mark"
    return PlannedQuestion(
        dataset="syntheticqa",
        template=f"{end}_{what}",
        text=f"{asks} in the {wording.first} of {device.name}?",
        answer=scene.colour if what == "lamp" else scene.mark,
        hops=(_clip("syntheticqa", device, wording, (FIRST_S if end == "first" else LAST_S,)),),
        chance=1 / len(COLOURS if what == "lamp" else MARKS),
    )


def lamp_after(world: MiniatureWorld, rng: random.Random) -> PlannedQuestion:
    """The lamp that follows another in one clip."""
    device = rng.choice(world.devices[SINGLE_DEVICES])
    before = rng.randrange(CLIP_SCENES - 1)
    wording = worded(rng, "video", "movie")
    times = tuple(FIRST_S + SCENE_SECONDS * (before + step) for step in (0, 1))
    return PlannedQuestion(
        dataset="syntheticqa",
        template="lamp_after",
        text=f"What colour is the lamp after {device.scenes[before].colour} in the {wording.first} of {device.name}?",
        answer=device.scenes[before + 1].colour,
        hops=(_clip("syntheticqa", device, wording, times),),
        chance=1 / (len(COLOURS) - 1),
    )


def same_start(world: MiniatureWorld, rng: random.Random) -> PlannedQuestion:
    """Whether two clips begin with the same lamp, yes and no equally frequent."""
    alike = even_draw(world, "same_start") < 0.5
    devices = world.devices[CROSS_DEVICES]
    pairs = [
        (first, second)
        for first, second in permutations(devices, 2)
        if (first.scenes[0].colour == second.scenes[0].colour) == alike
    ]
    if not pairs:  # all four may begin alike by accident
        alike, pairs = not alike, [(devices[0], devices[1])]
    first, second = rng.choice(pairs)
    wording = worded(rng, "video", "movie")
    return PlannedQuestion(
        dataset="xvbench",
        template="same_start",
        text=f"Do the {wording.first}s of {first.name} and {second.name} start with the same colour?",
        answer="yes" if alike else "no",
        hops=tuple(_clip("xvbench", device, wording, (FIRST_S,)) for device in (first, second)),
        chance=0.5,
    )


def ends_with(world: MiniatureWorld, rng: random.Random) -> PlannedQuestion:
    """Which of two clips ends with a given lamp."""
    devices = world.devices[CROSS_DEVICES]
    pairs = [
        (first, second)
        for first, second in permutations(devices, 2)
        if first.scenes[-1].colour != second.scenes[-1].colour
    ]
    if not pairs:  # all four may end alike by accident
        return same_start(world, rng)
    pair = rng.choice(pairs)
    ending = pair[0 if even_draw(world, "ends_with") < 0.5 else 1]
    wording = worded(rng, "video", "movie")
    colour = ending.scenes[-1].colour
    return PlannedQuestion(
        dataset="xvbench",
        template="ends_with",
        text=f"Which {wording.first} ends with {colour}, {pair[0].name} or {pair[1].name}?",
        answer=ending.name,
        hops=tuple(_clip("xvbench", device, wording, (LAST_S,)) for device in pair),
        chance=0.5,
    )


def page_and_clip(world: MiniatureWorld, rng: random.Random) -> PlannedQuestion:
    """A dial on a page of the report tells which clip to open."""
    device = rng.choice(world.devices[REPORT_DIALS])
    end = rng.choice(("first", "last"))
    scene = device.scenes[0 if end == "first" else -1]
    wording = worded(rng, "dial", "gauge")
    page = PlannedHop(
        queries=about(wording, f"{world.label} report"),
        gold=(EvidenceKey("mmlongbench_doc", f"dial:{device.name}"),),
        summary=f"The dial of {device.name} reads {device.reading}.",
        visual=True,
    )
    video = worded(rng, "video", "movie")
    clip = _clip("xvbench", device, video, (FIRST_S if end == "first" else LAST_S,), depends=(0,))
    return PlannedQuestion(
        dataset="xvbench",
        template=f"page_clip_{end}",
        text=f"The {world.label} report has a {wording.first} with reading {device.reading}. "
        f"What colour is the {end} lamp in the video of its device?",
        answer=scene.colour,
        hops=(page, clip),
        chance=1 / len(COLOURS),
    )


def _clip(
    dataset: str,
    device: Device,
    wording: Wording,
    timestamps: tuple[float, ...],
    *,
    depends: tuple[int, ...] = (),
) -> PlannedHop:
    key = clip_key(dataset, f"{device.name}_make")
    return visual_hop(key, "video", device.name, wording, depends=depends, timestamps=timestamps)
