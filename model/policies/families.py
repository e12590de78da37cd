"""The families of vision-language models that run in this process: class, patch geometry and patch embedding.

A checkpoint names its family by ``model_type`` in ``config.json``. Loading itself is done by the caller.
"""

import json
from pathlib import Path
from types import MethodType
from typing import NamedTuple, TypeAlias

from torch import Tensor, nn
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


def linear_patch_embedding(model: Qwen3VLForConditionalGeneration) -> Qwen3VLForConditionalGeneration:
    """The same model object, embedding patches by one matrix product instead of a convolution.

    The kernel covers a whole patch and never overlaps, so the convolution is a linear map of the flattened patch; on a CPU
    the product is several times faster, forward and backward. Parameters, names and checkpoints stay as they are.
    """
    embedding = model.model.visual.patch_embed
    embedding.forward = MethodType(_embed_patches, embedding)
    return model


def _embed_patches(self: nn.Module, hidden_states: Tensor) -> Tensor:
    """Embeddings [patches, width] of flattened patches [patches, 1536]."""
    projection = self.get_submodule("proj")
    assert isinstance(projection, nn.Conv3d), "Qwen-VL embeds patches by a convolution"
    kernel = projection.weight
    flat = hidden_states.view(-1, kernel[0].numel()).to(kernel.dtype)
    return nn.functional.linear(flat, kernel.view(kernel.shape[0], -1), projection.bias)
