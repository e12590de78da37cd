"""A folder of a Qwen-VL embedder: which family it is, its settings, its fingerprint, its weights.

Weights are read from safetensors by the classes of transformers; code that a folder brings is never run. Everything but
``load_model`` works without torch.
"""

import hashlib
import json
import struct
from pathlib import Path
from types import MethodType
from typing import TYPE_CHECKING, Any, NamedTuple

from tokenizers import Tokenizer

from infra.embedders.qwen_vl.pixels import PixelNorm
from infra.embedders.qwen_vl.settings import (
    FAMILIES,
    FOLDER_INSTRUCTIONS,
    FOLDER_LIMITS,
    FamilyDefaults,
    QwenVlSettings,
)
from infra.errors import EmbedderError, boundary

if TYPE_CHECKING:
    from torch import nn

SAMPLED_BYTES = 4096  # of each tensor that the fingerprint sees
MAX_HEADER_BYTES = 100_000_000  # what the safetensors library accepts
OWN_FILE, SENTENCE_FILE = "embedder.json", "config_sentence_transformers.json"
SMALL_FILES = ("config.json", "tokenizer.json", "preprocessor_config.json", OWN_FILE, SENTENCE_FILE)
# checkpoints written by transformers before 4.52, of which GVE's are, name their towers otherwise
OLD_NAMES = {r"^visual\.": "visual.", r"^model\.(?!language_model\.|visual\.)": "language_model."}


class Checkpoint(NamedTuple):
    """What is known of a folder without its weights."""

    folder: Path
    model_type: str
    width: int  # of the hidden states
    defaults: FamilyDefaults  # of the family, with what the folder states in their place
    norm: PixelNorm


def read_checkpoint(folder: Path) -> Checkpoint:
    """The checkpoint in ``folder``.

    Raises:
        EmbedderError: if a file is missing or unreadable, or the family is unknown; the text says which.
    """
    config = _json(folder / "config.json", required=True)
    model_type = str(config.get("model_type", ""))
    if model_type not in FAMILIES:
        raise EmbedderError(
            f"{folder} holds a model of type {model_type or 'unknown'!r}; embedded with are: {', '.join(FAMILIES)}"
        )
    text_config = config.get("text_config")
    width = (text_config if isinstance(text_config, dict) else config).get("hidden_size")
    if not isinstance(width, int) or width < 1:
        raise EmbedderError(f"{folder / 'config.json'} states no hidden_size")
    for name in ("tokenizer.json", "*.safetensors"):
        if not any(folder.glob(name)):
            raise EmbedderError(f"{folder} has no {name}: download the whole model, weights as safetensors")
    defaults = _stated_defaults(folder, FAMILIES[model_type])
    stated = _json(folder / "preprocessor_config.json")
    norm = PixelNorm(
        defaults.patch_px,
        _triple(stated.get("image_mean"), defaults.image_mean),
        _triple(stated.get("image_std"), defaults.image_deviation),
    )
    return Checkpoint(folder, model_type, width, defaults, norm)


def _stated_defaults(folder: Path, defaults: FamilyDefaults) -> FamilyDefaults:
    """``defaults`` with what the folder itself states; a value of another type is an error."""
    prompts = _json(folder / SENTENCE_FILE).get("prompts")
    named = prompts if isinstance(prompts, dict) else {}
    stated: dict[str, Any] = {
        f"{role}_instruction": named[role] for role in ("query", "document") if named.get(role)
    }
    own = _json(folder / OWN_FILE)
    stated |= {name: own[name] for name in (*FOLDER_LIMITS, *FOLDER_INSTRUCTIONS) if name in own}
    for name, value in stated.items():
        is_count = isinstance(value, int) and not isinstance(value, bool) and value >= 1
        if not (is_count if name in FOLDER_LIMITS else isinstance(value, str)):
            raise EmbedderError(f"{folder}: {name} cannot be {value!r}")
    return defaults._replace(**stated)


def read_tokenizer(checkpoint: Checkpoint) -> Tokenizer:
    """The folder's tokenizer. Raises ``EmbedderError`` if it cannot be read."""
    with boundary(EmbedderError, f"read {checkpoint.folder / 'tokenizer.json'}"):
        return Tokenizer.from_file(str(checkpoint.folder / "tokenizer.json"))


def fingerprint(checkpoint: Checkpoint, settings: QwenVlSettings) -> str:
    """Hash of weights and settings, in hex, without loading the weights.

    Of the weights it sees names, types, shapes and sizes, and the first 4 KiB of every tensor: any training changes these, and
    16 GB need not be read whenever an index is opened. Device and batch size do not count.
    """
    digest = hashlib.sha256()
    for name in SMALL_FILES:
        path = checkpoint.folder / name
        digest.update(f"{name}\n".encode() + (path.read_bytes() if path.is_file() else b"") + b"\0")
    for path in sorted(checkpoint.folder.glob("*.safetensors")):
        with boundary(EmbedderError, f"read {path}"):
            digest.update(_weights_digest(path))
    counted = {
        name: getattr(settings, name)
        for name in QwenVlSettings.__slots__
        if name not in ("folder", "space", "device", "batch_tokens")
    }
    digest.update(json.dumps(counted, sort_keys=True).encode())
    return digest.hexdigest()


def _weights_digest(path: Path) -> bytes:
    with path.open("rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        if size > MAX_HEADER_BYTES:
            raise ValueError("not a safetensors file: its header is too long")
        header = file.read(size)
        digest = hashlib.sha256(header)
        tensors = json.loads(header)
        tensors.pop("__metadata__", None)
        for name in sorted(tensors):
            start, end = tensors[name]["data_offsets"]
            file.seek(8 + size + start)
            digest.update(file.read(min(SAMPLED_BYTES, end - start)))
    return digest.digest()


def load_model(checkpoint: Checkpoint, *, dtype: str, device: str) -> "nn.Module":
    """The model without its language head, in eval mode on ``device``.

    Raises:
        EmbedderError: if weights are missing or of other shapes, or they do not fit the memory.
    """
    import torch
    import transformers

    model_class: Any = getattr(transformers, checkpoint.defaults.model_class)
    with boundary(EmbedderError, f"load {checkpoint.folder}"):
        model, info = model_class.from_pretrained(
            checkpoint.folder,
            dtype=getattr(torch, dtype),
            local_files_only=True,
            use_safetensors=True,
            output_loading_info=True,
            key_mapping=OLD_NAMES if _has_old_names(checkpoint.folder) else None,
        )
        if lacking := sorted(info["missing_keys"]):
            raise ValueError(f"the folder lacks {len(lacking)} weights, for example {', '.join(lacking[:3])}")
        return linear_patch_embedding(model).to(device).eval().requires_grad_(False)


def _has_old_names(folder: Path) -> bool:
    """Whether the vision tower stands at the top level beside ``model``, as it did before transformers 4.52."""
    for path in folder.glob("*.safetensors"):
        with path.open("rb") as file:
            (size,) = struct.unpack("<Q", file.read(8))
            names = json.loads(file.read(min(size, MAX_HEADER_BYTES)))
        if any(name.startswith("model.layers.") for name in names):
            return True
    return False


def linear_patch_embedding(model: Any) -> Any:
    """The same model, embedding patches by one matrix product instead of a convolution (docs/decisions/0009).

    The kernel covers a whole patch; on a CPU the product is several times faster. Names and values of the weights stay.
    """
    embedding = model.visual.patch_embed
    embedding.forward = MethodType(_embed_patches, embedding)
    return model


def _embed_patches(self: Any, hidden_states: Any) -> Any:
    """Embeddings [patches, width] of flattened patches [patches, values]."""
    from torch.nn.functional import linear

    kernel = self.proj.weight
    flat = hidden_states.view(-1, kernel[0].numel()).to(kernel.dtype)
    return linear(flat, kernel.view(kernel.shape[0], -1), self.proj.bias)


def _json(path: Path, *, required: bool = False) -> dict[str, Any]:
    if not required and not path.is_file():
        return {}
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError) as cause:
        raise EmbedderError(f"no readable {path.name} in {path.parent}: {cause}") from cause
    if not isinstance(found, dict):
        raise EmbedderError(f"{path} holds no JSON object")
    return found


def _triple(stated: object, otherwise: tuple[float, float, float]) -> tuple[float, float, float]:
    if (
        isinstance(stated, list)
        and len(stated) == 3
        and all(isinstance(value, int | float) for value in stated)
    ):
        return float(stated[0]), float(stated[1]), float(stated[2])
    return otherwise
