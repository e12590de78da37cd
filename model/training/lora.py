"""Low-rank adapters: which matrices get one, and their merging into plain weights (LoRA, arXiv 2106.09685).

Adapters are injected into the model in place by peft, so that the same class runs, generates and trains. Merged weights load
with plain transformers; adapters alone are kept in the optimiser's state, from which a run goes on exactly.
"""

import re
from collections.abc import Mapping

from torch import Tensor
from transformers import PreTrainedModel

from model.config.engine import Lora

ADAPTER = "default"
_BASE = re.compile(r"^(?P<layer>.+)\.base_layer\.(?P<kind>weight|bias)$")
_LOW = re.compile(rf"^(?P<layer>.+)\.lora_(?P<side>[AB])\.{ADAPTER}\.weight$")


def attach_adapters(model: PreTrainedModel, lora: Lora) -> None:
    """Give ``model`` adapters in place; from then on nothing else takes gradient. The first output is unchanged: B is 0.

    Raises:
        ValueError: if peft is not installed, or no layer bears one of the names.
    """
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError:
        raise ValueError("adapters need peft: pip install 'vimrag[lora]'") from None
    settings = LoraConfig(
        r=lora.rank, lora_alpha=lora.alpha, lora_dropout=lora.dropout, target_modules=list(lora.targets)
    )
    inject_adapter_in_model(settings, model, adapter_name=ADAPTER)


def merged_weights(weights: Mapping[str, Tensor], *, scale: float) -> dict[str, Tensor]:
    """Plain weights under the names of a model without adapters: ``W + scale * B A`` where there are any.

    Sums are taken in float32 and rounded once to the weight's own type.
    """
    low: dict[str, dict[str, Tensor]] = {}
    for name, tensor in weights.items():
        if match := _LOW.match(name):
            low.setdefault(match["layer"], {})[match["side"]] = tensor.float()
    plain: dict[str, Tensor] = {}
    for name, tensor in weights.items():
        if _LOW.match(name):
            continue
        match = _BASE.match(name)
        if match is None:
            plain[name] = tensor
        elif match["kind"] == "bias":
            plain[f"{match['layer']}.bias"] = tensor
        else:
            sides = low[match["layer"]]
            update = sides["B"] @ sides["A"] * scale
            plain[f"{match['layer']}.weight"] = (tensor.float() + update).to(tensor.dtype)
    return plain


def adapter_weights(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The low-rank matrices alone, under the names that peft's own files use."""
    return {
        f"base_model.model.{name.replace(f'.{ADAPTER}.', '.')}": tensor
        for name, tensor in weights.items()
        if _LOW.match(name)
    }
