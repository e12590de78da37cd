"""The studies that are meant to see whether credit by the graph pays, each written down before its first run.

Decisions 0027, 0037, 0039 and 0040, which have their endpoints. Holds their options only. A change of any of them is another
study, and says so.
"""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from model.config.reward import RewardWeights
from orchestration.recipes.miniature import READABLE
from orchestration.recipes.options import MiniatureWorlds
from orchestration.study.options import Study

ARMS = ("gspo", "ggpo", "prune_at_random", "ggpo_literal", "prune_positives", "prune_negatives")
WORLDS = MiniatureWorlds(train=48, val=4, test=8, questions=8)


def preregistered(
    root: Path, *, checkpoint: str = "searching", only: tuple[str, ...] = (), parallel: int = 2
) -> Study:
    """The study; ``checkpoint`` is the cold start of recipe ``searching``, which has to ship before the first run."""
    return Study(
        root=root,
        only=only,
        arms=ARMS,
        seeds=4,
        parallel=parallel,
        updates=20,
        questions=16,
        group_size=8,
        mini_batches=4,
        clips=(0.02, 0.03),
        learning_rate=2e-4,
        warmup_steps=3,
        temperature=1.0,
        test_questions=20,
        samples=4,
        curve_every=10,
        checkpoint=checkpoint,
        limits="searching",
        datasets=READABLE,
        reward=RewardWeights(judge=0.9, format=0.1),
        worlds=WORLDS,
    )


ONSET_ARMS = ("gspo", "ggpo", "ggpo_half_answers")
ONSET_SEEDS = (4, 5, 6, 7)
"""None of which was run before: what is confirmed was seen with seeds 0 to 3."""
ONSET_UPDATES = 10

CONFIRMATION_ARMS = ("gspo", "ggpo")
CONFIRMATION_SEEDS = (8, 9, 10, 11, 12, 13, 14, 15)
"""None of which was run before; eight, for the spread of three points a seed that the study of the onset met with."""

CHAINS_SEEDS = (16, 17, 18, 19)
"""None of which was run before. The endpoint is that of the confirmation."""


def first_updates(
    root: Path,
    *,
    arms: tuple[str, ...],
    seeds: tuple[int, ...],
    only: tuple[str, ...] = (),
    parallel: int = 2,
    **changed: Any,
) -> Study:
    """The first ten updates of the first study, at its rates, with these objectives and seeds; ``changed`` are other options.

    Raises:
        ValueError: for a run that is not of it, such as one of a seed that was looked at before.
    """
    base = preregistered(root, parallel=parallel)
    names = tuple(f"{arm}-{seed}" for seed in seeds for arm in arms)
    if others := [name for name in only if name not in names]:
        raise ValueError(f"the study has no run {others[0]!r}; its runs are {', '.join(names)}")
    return replace(
        base,
        only=only or names,
        arms=arms,
        seeds=max(seeds) + 1,
        updates=ONSET_UPDATES,
        decay_updates=base.updates,
        **changed,
    )


onset = partial(first_updates, arms=ONSET_ARMS, seeds=ONSET_SEEDS)
"""Before the plateau, where credit has something to hand out."""
confirmation = partial(first_updates, arms=CONFIRMATION_ARMS, seeds=CONFIRMATION_SEEDS)
"""The same again, of its two first objectives."""
chains = partial(
    first_updates,
    arms=CONFIRMATION_ARMS,
    seeds=CHAINS_SEEDS,
    checkpoint="chains",
    datasets=("hotpotqa",),
    worlds=replace(WORLDS, hops=4),
    test_questions=60,
)
"""The confirmation on questions of three and four hops with decoys, from the cold start that was made for them."""

WRITTEN_DOWN = {
    "preregistered": preregistered,
    "onset": onset,
    "confirmation": confirmation,
    "chains": chains,
}
"""By the flag of ``vimrag study ggpo``, in the order in which they were written down."""
