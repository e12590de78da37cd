"""A run that goes on at other learning rates is told what they were, whichever form its checkpoint recorded."""

from dataclasses import asdict, replace

from model.config.schedule import Schedule
from orchestration.recipes.options import Ggpo
from orchestration.training.ggpo_run import changed_rates

ENDED = Schedule(updates=4, decay=True)
FLAT = {
    "algorithm": "ggpo",
    "updates": 4,
    "decay": True,
    "learning_rate": 1e-6,
    "warmup_steps": 0,
    "mini_batches": 1,
}


def test_other_rates_than_those_of_the_checkpoint_are_noticed():
    for ggpo in (asdict(Ggpo(schedule=ENDED)), FLAT):
        params = {"recipe": {"ggpo": ggpo}}
        assert changed_rates(params, ENDED) == {}
        assert changed_rates(params, replace(ENDED, updates=8)) == {"updates": 4}
        assert changed_rates(params, replace(ENDED, decay=False, updates=8)) == {"decay": True}


def test_a_checkpoint_without_a_recipe_is_compared_with_nothing():
    assert changed_rates({}, ENDED) == {}
