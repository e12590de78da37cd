"""Recipes for the miniature: invented worlds and a tiny model, on two CPU cores."""

from dataclasses import replace

from model.config.algorithm import Algorithm
from model.config.reward import RewardWeights
from model.config.schedule import Retention, Schedule
from orchestration.recipes.cold_start import ColdStart, RejectionSampling
from orchestration.recipes.options import Ggpo, Recipe

READABLE = ("hotpotqa", "squad", "webqa", "wikihowqa", "syntheticqa", "slidevqa")
"""Datasets whose reading is reliable; LVBench, XVBench and MMLongBench-Doc are hardly read by the tiny model (docs/log.md)."""


def quickstart() -> Recipe:
    """Minutes on two cores, from the cold start that ships.

    Optimiser, clips and reward of the study that was written down beforehand (decision 0027): four steps an update, a rate that
    falls to zero. What it gains stands at the end of docs/log.md. The last weights are measured, not the best on a few validation
    questions.
    """
    base = paper_like()
    return replace(
        base,
        name="quickstart",
        ggpo=replace(
            base.ggpo,
            algorithm=Algorithm(clip_low=0.02, clip_high=0.03),
            reward=RewardWeights(judge=0.9, format=0.1),
            schedule=Schedule(updates=10, mini_batches=4, learning_rate=2e-4, warmup_steps=3, decay=True),
            retention=Retention(keep_best=False),
            questions=24,
            checkpoint_every=10,
            reproducible=False,
            ranks=2,  # two processes of one thread: of tensors this small a second thread is little help
        ),
        evaluation=replace(
            base.evaluation,
            methods=("closed_book", "vanilla", "cold_start", "ggpo", "cold_start_sampled", "ggpo_sampled"),
            workers=2,
        ),
    )


def paper_like() -> Recipe:
    """What the other recipes of the miniature start from: the verdict alone is rewarded, as in the paper, over twelve updates."""
    return Recipe(
        name="paper_like", ggpo=Ggpo(schedule=Schedule(learning_rate=3e-4, warmup_steps=2, decay=True))
    )


def miniature() -> Recipe:
    """The training study: the cold start learnt from random weights, more worlds and updates. About three hours on two cores."""
    base = paper_like()
    return replace(
        base,
        name="miniature",
        worlds=replace(base.worlds, train=32, test=8),
        cold_start=replace(base.cold_start, shipped=None),
        ggpo=replace(base.ggpo, schedule=replace(base.ggpo.schedule, updates=100)),
        evaluation=replace(base.evaluation, questions=48),
    )


def demonstrated() -> Recipe:
    """The checkpoint that ships, gone on with: each memory policy under its own instruction, with errors and their repairs."""
    base = paper_like()
    return replace(
        base,
        name="demonstrated",
        worlds=replace(base.worlds, train=16),
        cold_start=replace(base.cold_start, further=True, clean_steps=500),
        threads=1,
    )


def searching() -> Recipe:
    """A cold start that searches as noisily as real trajectories within limits that leave room, from the one that ships."""
    base = miniature()
    return replace(
        base,
        name="searching",
        limits="searching",
        datasets=READABLE,
        worlds=replace(base.worlds, train=48, val=4, test=8, questions=8),
        cold_start=ColdStart(
            further=True,
            memories=("vimrag",),
            clean_steps=0,
            steps=600,
            noise=0.85,
            repair=0.1,
            most_refused=0.02,
        ),
        threads=1,
    )


def chains() -> Recipe:
    """That cold start, gone on with where questions of passages take three and four searches and every fact has a decoy.

    Ships as ``checkpoints/chains``; what credit pays there stands in docs/log.md.
    """
    base = searching()
    return replace(
        base,
        name="chains",
        datasets=("hotpotqa", "squad", "webqa"),
        worlds=replace(base.worlds, train=24, hops=4),
        cold_start=replace(base.cold_start, shipped="searching", steps=400, noise=0.6),
    )


def rejection() -> Recipe:
    """The quickstart with a round of rejection sampling before GGPO. Not run as a whole: its parts were, see docs/training.md."""
    base = quickstart()
    return replace(base, name="rejection", cold_start=replace(base.cold_start, rejection=RejectionSampling()))


def gain() -> Recipe:
    """What gained most in docs/log.md: more worlds, larger updates, gold and form in the reward. A quarter of an hour."""
    base = paper_like()
    return replace(
        base,
        name="gain",
        worlds=replace(base.worlds, train=48, val=4, test=8, questions=8),
        ggpo=replace(
            base.ggpo,
            reward=RewardWeights(judge=0.6, format=0.1, retrieval=0.3),
            schedule=replace(base.ggpo.schedule, updates=14),
            questions=24,
            checkpoint_every=7,
            validation=8,
            reproducible=False,
        ),
        evaluation=replace(base.evaluation, methods=("cold_start", "ggpo"), questions=32),
        threads=1,
    )


def published_tiny() -> Recipe:
    """The tiny model on published data, so that the whole path is walked before a GPU hour is spent; nothing is learnt by it."""
    base = paper_like()
    schedule = replace(base.ggpo.schedule, updates=3, mini_batches=1)
    return replace(
        base,
        name="published_tiny",
        ggpo=replace(
            base.ggpo,
            algorithm=Algorithm(group_size=4),
            reward=RewardWeights(judge=0.5, format=0.2, retrieval=0.3),  # a tiny model is hardly ever right
            schedule=schedule,
            questions=4,
            checkpoint_every=1,
            validation=1,
        ),
        evaluation=replace(
            base.evaluation,
            methods=(
                "closed_book",
                "vanilla",
                "videorag",
                "universalrag",
                "react",
                "mem1",
                "memagent",
                "cold_start",
                "ggpo",
            ),
            questions=2,
        ),
        threads=1,
    )


def one_update() -> Recipe:
    """One update of the tiny model on whatever questions there are: the shortest whole path, for questions of your own."""
    base = published_tiny()
    return replace(
        base,
        name="one_update",
        ggpo=replace(
            base.ggpo, schedule=replace(base.ggpo.schedule, updates=1), questions=2, checkpoint_every=1
        ),
        evaluation=replace(base.evaluation, methods=("vanilla", "cold_start", "ggpo"), questions=4),
    )


def policies() -> Recipe:
    """The first pilot study: every memory policy with the cold start's weights on the same unseen questions; no training."""
    base = paper_like()
    every = (
        "closed_book",
        "vanilla",
        "videorag",
        "universalrag",
        "react",
        "mem1",
        "memagent",
        "vimrag_text",
        "vimrag_equal",
        "cold_start",
    )
    return replace(
        base,
        name="policies",
        worlds=replace(base.worlds, train=1, val=1, test=8),
        evaluation=replace(base.evaluation, methods=every, questions=32),
    )
