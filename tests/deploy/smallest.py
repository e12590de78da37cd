"""The smallest run of the whole platform, as a launchpad says it: fields of a recipe that are changed."""

SMALLEST = {
    "worlds": {"train": 1, "val": 1, "test": 1, "questions": 2},
    "ggpo": {
        "algorithm": {"group_size": 2},
        "schedule": {"updates": 1},
        "questions": 2,
        "checkpoint_every": 1,
        "validation": 1,
    },
    "evaluation": {"methods": ["cold_start", "ggpo"], "questions": 1},
    "max_tokens": 32,
    "threads": 1,
}
