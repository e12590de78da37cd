"""The study that is meant to see whether credit by the graph pays, written down before its first run (decision 0027).

Holds its options only. A change of any of them is another study, and says so.
"""

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
