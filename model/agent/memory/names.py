"""What the memory policies are called: for those who offer the choice and import none of them, as Dagster's definitions do."""

TRAINED = "vimrag_fixed"  # prompts of training do not depend on energies
NAMES = (
    "closed_book",
    "vanilla",
    "react",
    "mem1",
    "memagent",
    "videorag",
    "universalrag",
    "vimrag",
    "vimrag_text",
    "vimrag_equal",
    TRAINED,
    "vimrag_by_picture",
    "precaption",
    "raw_visual",
    "context_caption",
    "related_visual",
)
"""In the order of ``registry.MEMORIES``, which has exactly these."""
