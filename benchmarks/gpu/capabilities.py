"""What this machine has: device, versions, and the libraries that a step can do with or without.

Asked before use, so that a step degrades and says so instead of failing.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
from typing import Any

LIBRARIES = ("torch", "transformers", "tokenizers", "safetensors", "peft", "deepspeed", "cachetools", "flash_attn",
             "liger_kernel", "kernels", "triton", "numpy", "pillow")  # fmt: skip
NEEDED = ("torch", "transformers", "tokenizers", "numpy", "PIL", "cachetools", "pydantic")


def version(name: str) -> str | None:
    """Of an installed distribution; None where it is not there."""
    try:
        return importlib.metadata.version(name.replace("_", "-"))
    except importlib.metadata.PackageNotFoundError:
        return None


def has(module: str) -> bool:
    """Whether a module can be found, without importing it."""
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def missing() -> list[str]:
    """Modules without which nothing runs."""
    return [name for name in NEEDED if not has(name)]


def libraries() -> dict[str, Any]:
    """Versions by name, None where absent; reads metadata only."""
    found = {name: version(name) for name in LIBRARIES}
    return {"python": platform.python_version(), **found}


def device_facts() -> dict[str, Any]:
    """Name and memory of the device that torch would use. Touches the device: only in a step's own process."""
    import torch

    if not torch.cuda.is_available():
        return {
            "device": "cpu",
            "name": platform.processor() or platform.machine(),
            "threads": torch.get_num_threads(),
        }
    properties = torch.cuda.get_device_properties(0)
    return {
        "device": "cuda",
        "name": properties.name,
        "memory_bytes": properties.total_memory,
        "multiprocessors": properties.multi_processor_count,
        "capability": f"{properties.major}.{properties.minor}",
        "cuda": torch.version.cuda,
    }


def attentions() -> dict[str, str]:
    """Attention implementations of transformers: "" where usable here, else why not."""
    from model.config.engine import ATTENTIONS
    from model.training.kernels import attention_missing

    return {name: attention_missing(name) for name in ATTENTIONS}


def liger() -> str:
    """Empty where Liger's kernels can be used here, else why not."""
    from model.training.kernels import liger_missing

    return liger_missing()
