"""Prompts through the model: padding, the state of the last token, its first ``dim`` values, unit length.

Differentiable: the embedder calls it without gradient, training with one.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from infra.embedders.qwen_vl.pixels import TEMPORAL_PATCH
from infra.embedders.qwen_vl.prompts import Prompt, TokenKind


def pooled(model: nn.Module, prompts: Sequence[Prompt], *, dim: int) -> Tensor:
    """Unit vectors ``[B, dim]`` of ``B`` prompts of one kind, float32, on the model's device."""
    device = next(model.parameters()).device
    batch = {name: value.to(device) for name, value in collate(prompts).items()}
    states_BLW = model(**batch, use_cache=False).last_hidden_state
    return last_token_vectors(states_BLW, batch["attention_mask"], dim=dim)


def last_token_vectors(states_BLW: Tensor, mask_BL: Tensor, *, dim: int) -> Tensor:
    """``h[b, last(b), :dim] / |h[b, last(b), :dim]|`` with ``last(b)`` the last position that is no padding, ``[B, dim]``."""
    positions_L = torch.arange(mask_BL.shape[1], device=mask_BL.device)
    last_B = (positions_L * mask_BL).argmax(dim=1)
    rows_B = torch.arange(len(last_B), device=mask_BL.device)
    return nn.functional.normalize(states_BLW[rows_B, last_B, :dim].float(), dim=-1)


def collate(prompts: Sequence[Prompt]) -> dict[str, Tensor]:
    """Arguments of a Qwen-VL for prompts of one kind, padded on the right, where causal attention never looks.

    Raises:
        ValueError: for prompts of several kinds.
    """
    (kind,) = (
        {prompt.kind for prompt in prompts} if len({prompt.kind for prompt in prompts}) == 1 else (None,)
    )
    if kind is None:
        raise ValueError("one batch holds texts, images or clips, never several of them")
    width = max(len(prompt.ids) for prompt in prompts)
    ids_BL = torch.zeros(len(prompts), width, dtype=torch.long)
    mask_BL = torch.zeros_like(ids_BL)
    kinds_BL = torch.zeros(len(prompts), width, dtype=torch.int)
    for row, prompt in enumerate(prompts):
        ids_BL[row, : len(prompt.ids)] = torch.tensor(prompt.ids)
        mask_BL[row, : len(prompt.ids)] = 1
        if prompt.placeholder is not None:
            kinds_BL[row] = (ids_BL[row] == prompt.placeholder).int() * int(kind)
    batch = {"input_ids": ids_BL, "attention_mask": mask_BL, "mm_token_type_ids": kinds_BL}
    return batch if kind is TokenKind.TEXT else batch | _pixels(prompts, kind)


def _pixels(prompts: Sequence[Prompt], kind: TokenKind) -> dict[str, Tensor]:
    shown: list[Any] = [prompt.patches for prompt in prompts]
    values = torch.cat([torch.from_numpy(patches.values) for patches in shown])
    grids = torch.tensor([patches.grid for patches in shown], dtype=torch.long)
    if kind is TokenKind.IMAGE:
        return {"pixel_values": values, "image_grid_thw": grids}
    clips = {"pixel_values_videos": values, "video_grid_thw": grids}
    steps_s = [TEMPORAL_PATCH * prompt.frame_interval_s for prompt in prompts if prompt.frame_interval_s]
    return clips | {"second_per_grid_ts": torch.tensor(steps_s)} if steps_s else clips
