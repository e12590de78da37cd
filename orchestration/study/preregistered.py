"""The studies that are meant to see whether credit by the graph pays, each written down before its first run.

Decisions 0027, 0037, 0039 and 0040. Holds their options only. A change of any of them is another study, and says so.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from model.config.reward import RewardWeights
from orchestration.recipes.miniature import READABLE
from orchestration.recipes.options import MiniatureWorlds
from orchestration.study.options import Study

ARMS = ("gspo", "ggpo", "prune_at_random", "ggpo_literal", "prune_positives", "prune_negatives")
ENDPOINT = (
    "area under avg@4 at temperature 1 on unseen worlds at updates 0, 10 and 20, GGPO minus GSPO, "
    "paired by seed and question"
)


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
        worlds=MiniatureWorlds(train=48, val=4, test=8, questions=8),
    )


ONSET_ARMS = ("gspo", "ggpo", "ggpo_half_answers")
ONSET_SEEDS = (4, 5, 6, 7)
"""None of which was run before: what is confirmed was seen with seeds 0 to 3."""
ONSET_UPDATES = 10
ONSET_ENDPOINT = (
    "share of right rollouts at temperature 1 over updates 1 to 10, each question before it is learnt from, GGPO minus GSPO, "
    "paired by seed, update and question, Student's interval over seeds; then GGPO with half answers minus GGPO"
)

CONFIRMATION_ARMS = ("gspo", "ggpo")
CONFIRMATION_SEEDS = (8, 9, 10, 11, 12, 13, 14, 15)
"""None of which was run before; eight, for the spread of three points a seed that the study of the onset met with."""
CONFIRMATION_ENDPOINT = (
    "share of right rollouts at temperature 1 over updates 1 to 10, each question before it is learnt from, GGPO minus GSPO, "
    "paired by seed, update and question, Student's interval over seeds"
)

CHAINS_HOPS = 4
CHAINS_SEEDS = (16, 17, 18, 19)
"""None of which was run before. The endpoint is that of the confirmation."""


def onset(
    root: Path, *, checkpoint: str = "searching", only: tuple[str, ...] = (), parallel: int = 2
) -> Study:
    """The first half of the first study's runs, with other seeds: before the plateau, where credit has something to hand out.

    Raises:
        ValueError: for a run that is not of it, such as one of a seed that was looked at before.
    """
    base = preregistered(root, checkpoint=checkpoint, parallel=parallel)
    return _of_seeds(base, ONSET_ARMS, ONSET_SEEDS, only)


def confirmation(
    root: Path, *, checkpoint: str = "searching", only: tuple[str, ...] = (), parallel: int = 2
) -> Study:
    """The study of the onset again, of its two first objectives, with eight seeds that nobody has looked at.

    Raises:
        ValueError: for a run that is not of it, such as one of a seed that was looked at before.
    """
    base = preregistered(root, checkpoint=checkpoint, parallel=parallel)
    return _of_seeds(base, CONFIRMATION_ARMS, CONFIRMATION_SEEDS, only)


def chains(root: Path, *, only: tuple[str, ...] = (), parallel: int = 2) -> Study:
    """The confirmation on questions of three and four hops with decoys, from the cold start that was made for them.

    Raises:
        ValueError: for a run that is not of it.
    """
    base = preregistered(root, checkpoint="chains", parallel=parallel)
    longer = replace(
        base, datasets=("hotpotqa",), worlds=replace(base.worlds, hops=CHAINS_HOPS), test_questions=60
    )
    return _of_seeds(longer, CONFIRMATION_ARMS, CHAINS_SEEDS, only)


def _of_seeds(base: Study, arms: Sequence[str], seeds: Sequence[int], only: tuple[str, ...]) -> Study:
    """The first ten updates of these runs alone, at the rates of the whole."""
    names = tuple(f"{arm}-{seed}" for seed in seeds for arm in arms)
    if others := [name for name in only if name not in names]:
        raise ValueError(f"the study has no run {others[0]!r}; its runs are {', '.join(names)}")
    return replace(
        base,
        only=only or names,
        arms=tuple(arms),
        seeds=max(seeds) + 1,
        updates=ONSET_UPDATES,
        decay_updates=base.updates,
    )


WRITTEN_DOWN = {
    "preregistered": preregistered,
    "onset": onset,
    "confirmation": confirmation,
    "chains": chains,
}
"""By the flag of ``vimrag study ggpo``, in the order in which they were written down."""
