"""Fingerprints of a policy: hashes of its weights and its tokenizer.

Policies with equal fingerprints complete alike; one optimiser step changes the fingerprint.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase


def weights_fingerprint(state: Mapping[str, Tensor]) -> str:
    """Hash (16 hex digits) of every name, type, shape and value; order of the names does not count."""
    digest = hashlib.blake2b(digest_size=8)
    for name in sorted(state):
        tensor = state[name].detach().to("cpu").contiguous()
        digest.update(f"{name}:{tensor.dtype}:{tuple(tensor.shape)};".encode())
        digest.update(tensor.flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def tokenizer_fingerprint(tokenizer: PreTrainedTokenizerBase) -> str:
    """Hash (16 hex digits) of the tokenizer's own serialisation; needs a fast tokenizer."""
    backend: Any = tokenizer.backend_tokenizer
    return hashlib.blake2b(backend.to_str().encode(), digest_size=8).hexdigest()


def policy_fingerprint(model: torch.nn.Module, tokenizer: PreTrainedTokenizerBase) -> str:
    """``<class>:<weights>:<tokenizer>``; the chat template is part of the code and needs no hash."""
    return (
        f"{type(model).__name__}:{weights_fingerprint(model.state_dict())}:{tokenizer_fingerprint(tokenizer)}"
    )
