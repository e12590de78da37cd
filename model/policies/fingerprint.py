"""What identifies a policy: hashes of its weights, its tokenizer and its words.

Two equal fingerprints complete alike; one optimiser step gives another fingerprint.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase


def of_weights(state: Mapping[str, Tensor]) -> str:
    """Hash (16 hex digits) of every name, type, shape and value; order of the names does not count."""
    digest = hashlib.blake2b(digest_size=8)
    for name in sorted(state):
        tensor = state[name].detach().to("cpu").contiguous()
        digest.update(f"{name}:{tensor.dtype}:{tuple(tensor.shape)};".encode())
        digest.update(tensor.flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def of_tokenizer(tokenizer: PreTrainedTokenizerBase) -> str:
    """Hash (16 hex digits) of the tokenizer's own serialisation; needs a fast tokenizer."""
    backend: Any = tokenizer.backend_tokenizer
    return hashlib.blake2b(backend.to_str().encode(), digest_size=8).hexdigest()


def of_policy(model: torch.nn.Module, tokenizer: PreTrainedTokenizerBase) -> str:
    """``<class>:<weights>:<tokenizer>``; the chat template is part of the code and needs no hash."""
    return f"{type(model).__name__}:{of_weights(model.state_dict())}:{of_tokenizer(tokenizer)}"
