"""An eye as what it differs by from the policy it was trained from: small enough to ship.

Of each matrix the difference is kept as two factors of low rank in bfloat16; of vectors, and of rows that the policy has not,
all of it. ``unpack`` adds it up again in float64, so that the weights do not depend on the machine.
"""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from infra.storage.atomic import replacing
from model.training import checkpoint
from orchestration.embedding.eye_folder import write_eye_folder

FILE = "delta.safetensors"
LEFT, RIGHT, WHOLE, ADDED = ".left", ".right", ".whole", ".added"
WEIGHTS = "model.safetensors"


def pack(base: Mapping[str, Tensor], trained: Mapping[str, Tensor], *, rank: int) -> dict[str, Tensor]:
    """The difference of two sets of weights; ``trained`` may have more rows.

    Raises:
        ValueError: if the names differ.
    """
    if set(base) != set(trained):
        raise ValueError(f"other weights than the base: {sorted(set(base) ^ set(trained))[:3]}")
    packed: dict[str, Tensor] = {}
    for name, start in base.items():
        end = trained[name].double()
        if len(end) > len(start):
            packed[name + ADDED] = end[len(start) :].bfloat16()
        difference = end[: len(start)] - start.double()
        matrix_RC = difference.reshape(len(difference), -1)
        rows, columns = matrix_RC.shape
        if difference.ndim < 2 or rank * (rows + columns) >= matrix_RC.numel():
            packed[name + WHOLE] = difference.bfloat16()
            continue
        left, strengths, right = torch.linalg.svd(matrix_RC, full_matrices=False)
        share = strengths[:rank].sqrt()
        packed[name + LEFT] = (left[:, :rank] * share).bfloat16()
        packed[name + RIGHT] = (right[:rank] * share[:, None]).bfloat16()
    return {name: tensor.contiguous() for name, tensor in packed.items()}


def unpack(base: Mapping[str, Tensor], packed: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights again, in bfloat16.

    Raises:
        ValueError: if a difference is missing or of another shape than its weight.
    """
    return {name: _added(name, start.double(), packed).bfloat16() for name, start in base.items()}


def _added(name: str, start: Tensor, packed: Mapping[str, Tensor]) -> Tensor:
    try:
        if name + WHOLE in packed:
            difference = packed[name + WHOLE].double()
        else:
            difference = packed[name + LEFT].double() @ packed[name + RIGHT].double()
        end = start + difference.reshape(start.shape)
    except (KeyError, RuntimeError) as error:
        raise ValueError(f"the packed eye does not fit its base at {name}: {error}") from error
    return torch.cat([end, packed[name + ADDED].double()]) if name + ADDED in packed else end


def write_packed(eye: Path, base: Path, target: Path, *, rank: int) -> None:
    """Pack the eye in folder ``eye``, trained from the latest checkpoint in ``base``, into the folder ``target``."""
    packed = pack(_weights(base), load_file(eye / WEIGHTS), rank=rank)
    target.mkdir(parents=True, exist_ok=True)
    save_file(packed, target / FILE, metadata={"format": "pt"})


def write_unpacked(packed: Path, base: Path, folder: Path) -> None:
    """Write the eye that was packed into ``packed`` to ``folder``, where it is whole or not at all.

    Raises:
        ValueError: if there is no checkpoint in ``base``, or it is not the one the eye was trained from.
    """
    weights = unpack(_weights(base), load_file(packed / FILE))
    with replacing(folder) as staging:
        model = write_eye_folder(staging, base, seed=0)
        model.bfloat16().save_pretrained(staging)  # its configuration; the weights are written over
        save_file(
            {name: tensor.contiguous() for name, tensor in weights.items()},
            staging / WEIGHTS,
            metadata={"format": "pt"},
        )


def _weights(base: Path) -> dict[str, Tensor]:
    source = checkpoint.latest(base)
    if source is None:
        raise ValueError(f"no checkpoint of a tiny Qwen3-VL in {base}")
    return load_file(source / WEIGHTS)
