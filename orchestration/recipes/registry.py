"""The recipes by name."""

from collections.abc import Callable

from orchestration.recipes import gpu, miniature
from orchestration.recipes.options import Recipe

RECIPES: dict[str, Callable[[], Recipe]] = {
    make.__name__: make
    for make in (
        miniature.quickstart,
        miniature.miniature,
        miniature.demonstrated,
        miniature.searching,
        miniature.chains,
        miniature.gain,
        miniature.policies,
        miniature.published_tiny,
        miniature.one_update,
        miniature.rejection,
        gpu.qwen3_vl_2b_24gb,
        gpu.qwen3_vl_4b_24gb,
        gpu.qwen3_vl_8b_80gb,
        gpu.qwen3_vl_8b_8x80gb,
        gpu.qwen3_vl_8b_16x80gb,
    )
}


def recipe(name: str) -> Recipe:
    """The recipe called ``name``; ``ValueError`` names those there are."""
    if name not in RECIPES:
        raise ValueError(f"unknown recipe {name!r}; known: {', '.join(RECIPES)}")
    return RECIPES[name]()
