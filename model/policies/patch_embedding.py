"""The patch embedding of a Qwen-VL model as one matrix product.

Its kernel covers a whole patch and never overlaps, so the convolution is a linear map of the flattened patch; on a CPU the
product is several times faster than the convolution, forward and backward. Parameters, names and checkpoints stay as they are.
"""

from __future__ import annotations

from types import MethodType

from torch import Tensor, nn
from transformers import Qwen3VLForConditionalGeneration


def _forward(self: nn.Module, hidden_states: Tensor) -> Tensor:
    """Embeddings [patches, width] of flattened patches [patches, 1536]."""
    projection = self.get_submodule("proj")
    assert isinstance(projection, nn.Conv3d), "Qwen-VL embeds patches by a convolution"
    kernel = projection.weight
    flat = hidden_states.view(-1, kernel[0].numel()).to(kernel.dtype)
    return nn.functional.linear(flat, kernel.view(kernel.shape[0], -1), projection.bias)


def as_matrix_product(model: Qwen3VLForConditionalGeneration) -> Qwen3VLForConditionalGeneration:
    """The same model object, embedding patches by a matrix product."""
    embedding = model.model.visual.patch_embed
    embedding.forward = MethodType(_forward, embedding)
    return model
