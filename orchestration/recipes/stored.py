"""Recipes that checkpoints of earlier versions recorded, brought to today's form.

The first form told ``ggpo`` all of its options in one flat record and its algorithm by name, with what was changed of it beside.
"""

from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from typing import Any

from model.config.algorithm import ALGORITHMS, Refusals
from model.config.engine import EngineConfig, Lora
from model.config.schedule import Schedule

OVERRIDES = ("clip_low", "clip_high", "normalise_std", "denominator", "kl_coefficient", "group_size")
"""Of the algorithm's own values; None or absent left them."""


def upgraded(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """The recorded ``recipe`` with ``ggpo`` as ``orchestration.recipes.options.Ggpo`` nests it; unchanged if it has that form."""
    ggpo = recipe.get("ggpo", {})
    if not isinstance(ggpo.get("algorithm"), str):
        return _with_refusals(recipe)
    changed = {name: ggpo[name] for name in OVERRIDES if ggpo.get(name) is not None}
    rank = ggpo.get("lora_rank", 0)
    nested = {
        "algorithm": asdict(replace(ALGORITHMS[ggpo["algorithm"]], **changed)),
        "schedule": _among(Schedule, ggpo),
        "engine": {
            **_among(EngineConfig, ggpo),
            "lora": asdict(Lora(rank=rank, alpha=2 * rank)) if rank else None,
        },
        "retention": {"keep_last": ggpo.get("keep_last", 1), "every": ggpo.get("keep_every", 0)},
    }
    moved = {
        *nested["algorithm"],
        *nested["schedule"],
        *nested["engine"],
        "lora_rank",
        "keep_last",
        "keep_every",
    }
    return _with_refusals(
        {**recipe, "ggpo": {**{name: ggpo[name] for name in ggpo if name not in moved}, **nested}},
        known="refusals" in ggpo,
    )


def _with_refusals(recipe: Mapping[str, Any], *, known: bool | None = None) -> dict[str, Any]:
    """A recipe that did not know of refused replies as units of their own had them on the credit of their node."""
    algorithm = recipe.get("ggpo", {}).get("algorithm")
    if not algorithm or ("refusals" in algorithm if known is None else known):
        return dict(recipe)
    literal = {**algorithm, "refusals": Refusals.NODE.value}
    return {**recipe, "ggpo": {**recipe["ggpo"], "algorithm": literal}}


def _among(options: type[Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """What of ``values`` is a field of ``options``."""
    return {field.name: values[field.name] for field in fields(options) if field.name in values}
