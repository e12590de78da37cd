"""Draws the questions of a world: every dataset's templates in turn, no question twice.

Holds the drawing only; the templates are in ``templates/``, the records in ``plans.py``.
"""

import random
from collections.abc import Callable, Sequence

from assets.miniature.plans import PlannedQuestion
from assets.miniature.templates import documents, images, passages, videos
from assets.miniature.world import MiniatureWorld

Template = Callable[[MiniatureWorld, random.Random], PlannedQuestion]
TEMPLATES: dict[str, tuple[Template, ...]] = {
    "hotpotqa": (passages.leader_works, passages.maker_opened, passages.opened_first),
    "squad": (passages.person_attribute, passages.device_attribute),
    "webqa": (
        images.founder_code,
        images.badge_colour,
        images.same_colour,
        images.meeting_region,
        images.badge_code,
        images.meeting_door,
    ),
    "slidevqa": (images.season_output, images.stock, images.higher_output, images.more_stock),
    "mmlongbench_doc": (
        documents.reading,
        documents.workers,
        documents.higher_reading,
        documents.trade,
        documents.door,
        documents.boss,
    ),
    "lvbench": (videos.lamp_at, videos.mark_at),
    "wikihowqa": (videos.steps,),
    "syntheticqa": (videos.first_or_last, videos.lamp_after),
    "xvbench": (videos.page_and_clip, videos.same_start, videos.ends_with),
}
LONG: dict[int, tuple[Template, ...]] = {
    3: (passages.leader_works_opened,),
    4: (passages.leader_works_opened, passages.makers_opened_first),
}
"""What HotpotQA asks instead, by the hops of a world's longest question."""
DRAWS = 20  # attempts to draw a new question, before a template is left out


def questions(world: MiniatureWorld, *, per_dataset: int) -> dict[str, tuple[PlannedQuestion, ...]]:
    """``per_dataset`` questions of each dataset, fewer where a world holds no more.

    Raises:
        ValueError: if ``per_dataset`` is below 1.
    """
    if per_dataset < 1:
        raise ValueError(f"a world needs at least one question a dataset, got {per_dataset}")
    templates = {**TEMPLATES, "hotpotqa": LONG.get(world.hops, TEMPLATES["hotpotqa"])}
    return {dataset: _draw(world, dataset, templates[dataset], per_dataset) for dataset in templates}


def _draw(
    world: MiniatureWorld, dataset: str, templates: Sequence[Template], count: int
) -> tuple[PlannedQuestion, ...]:
    """Templates take turns, starting with another one in every world, so that few questions still cover all of them."""
    rng = random.Random(f"{world.salt}:{dataset}:questions")
    drawn: dict[str, PlannedQuestion] = {}
    for turn in range(count):
        template = templates[(world.number * count + turn) % len(templates)]
        for _ in range(DRAWS):
            question = template(world, rng)
            if question.text not in drawn:
                drawn[question.text] = question
                break
    return tuple(drawn.values())
