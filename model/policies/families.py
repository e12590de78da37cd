"""The families of vision-language models that run in this process: their class, and how they cut pictures.

A checkpoint names its family by ``model_type`` in ``config.json``. Loading itself is done by the caller.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple, TypeAlias

from transformers import Qwen2_5_VLForConditionalGeneration, Qwen3VLForConditionalGeneration

from model.policies.chat_template import QWEN2_5_VL, QWEN3_VL, PatchGeometry

VisionLanguageModel: TypeAlias = Qwen3VLForConditionalGeneration | Qwen2_5_VLForConditionalGeneration


class ModelFamily(NamedTuple):
    """One family: the class that loads its checkpoints, and what its vision tower is fed."""

    model_class: type[Qwen3VLForConditionalGeneration] | type[Qwen2_5_VLForConditionalGeneration]
    patching: PatchGeometry


FAMILIES = {
    "qwen3_vl": ModelFamily(Qwen3VLForConditionalGeneration, QWEN3_VL),
    "qwen2_5_vl": ModelFamily(Qwen2_5_VLForConditionalGeneration, QWEN2_5_VL),
}


def family(model_type: str) -> ModelFamily:
    """The family of that ``model_type``; ``ValueError`` names those there are."""
    if model_type not in FAMILIES:
        raise ValueError(f"unknown model type {model_type!r}; known: {', '.join(FAMILIES)}")
    return FAMILIES[model_type]


def family_of(checkpoint: Path) -> ModelFamily:
    """The family of a checkpoint folder.

    Raises:
        ValueError: if there is no readable ``config.json``, or an unknown family in it.
    """
    try:
        config = json.loads((checkpoint / "config.json").read_bytes())
    except (OSError, ValueError) as cause:
        raise ValueError(f"no readable config.json in {checkpoint}: {cause}") from cause
    stated = config.get("model_type") if isinstance(config, dict) else None
    return family(stated if isinstance(stated, str) else "")
