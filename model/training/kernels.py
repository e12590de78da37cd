"""Attention and fused kernels of libraries, asked for by name and refused with the reason where they are not there.

None of them is ours: SDPA is torch's, flash attention Tri Dao's, fused norms and rotations Liger's. Liger's patch of Qwen3-VL is
found by name (``apply_liger_kernel_to_qwen3_vl``, Liger 0.6.3 and later); its fused loss is left out, since the trainer never
computes all logits (``logprobs.py``).
"""

import importlib
import importlib.util
import inspect
from typing import Any

import torch

FLASH = {"flash_attention_2": "flash_attn", "flash_attention_3": "flash_attn_interface"}
LIGER = "apply_liger_kernel_to_qwen3_vl"


def attention_missing(name: str) -> str:
    """Why that attention cannot be used here; empty where it can."""
    if name not in FLASH:
        return ""
    if not torch.cuda.is_available():
        return f"{name} needs a GPU, and this process has none"
    module = FLASH[name]
    return "" if importlib.util.find_spec(module) else f"{name} needs the package {module}"


def liger_missing() -> str:
    """Why Liger's kernels cannot be used here; empty where they can."""
    if importlib.util.find_spec("liger_kernel") is None:
        return "Liger's kernels need the package liger-kernel"
    if not torch.cuda.is_available():
        return "Liger's kernels are Triton's and need a GPU"
    if not hasattr(importlib.import_module("liger_kernel.transformers"), LIGER):
        return "this liger-kernel has no Qwen3-VL; 0.6.3 and later do"
    return ""


def use_kernels(model: Any, *, attention: str, liger: bool) -> None:
    """Switches ``model`` to what is asked for, in place.

    Raises:
        ValueError: if it is not there; the message says what is missing.
    """
    if reason := attention_missing(attention):
        raise ValueError(f"attention {attention!r} cannot be used: {reason}; take 'sdpa'")
    if attention != model.config.get_text_config()._attn_implementation:
        model.set_attn_implementation(attention)
    if liger:
        if reason := liger_missing():
            raise ValueError(f"{reason}; leave `liger` off")
        patch = getattr(importlib.import_module("liger_kernel.transformers"), LIGER)
        wanted = {"cross_entropy": False, "fused_linear_cross_entropy": False, "model": model}
        patch(
            **{name: value for name, value in wanted.items() if name in inspect.signature(patch).parameters}
        )
