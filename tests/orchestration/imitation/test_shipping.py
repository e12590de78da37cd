"""A checkpoint among those that ship: rounded, with its card, in place of the one before."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from model.training import checkpoint
from orchestration.imitation.shipping import ship
from orchestration.joins.agents import load
from tests.orchestration.run_scene import random_checkpoint


def test_it_is_rounded_carries_its_card_and_takes_the_place_of_the_one_before(tmp_path: Path):
    first = random_checkpoint(tmp_path / "run") / "random" / "000000"
    shipped = tmp_path / "ships"
    place = ship(first, "mine", shipped=shipped)
    weights = load_file(place / "model.safetensors")
    assert {tensor.dtype for tensor in weights.values()} == {torch.bfloat16}
    assert (place / "README.md").read_text().startswith("---\nlibrary_name:") and not (
        place / "state"
    ).exists()
    found, before = load(place).model.state_dict(), load(first).model.state_dict()
    assert all(tensor.equal(before[name].bfloat16().float()) for name, tensor in found.items())
    with pytest.raises(ValueError, match=r"000000 ships already: .* has no higher number"):
        ship(first, "mine", shipped=shipped)
    later = checkpoint.save_weights(
        tmp_path / "later",
        model=load(first).model,
        tokenizer=load(first).tokenizer,
        progress=checkpoint.TrainingProgress(update=3, steps=3),
    )
    assert ship(later, "mine", shipped=shipped).name == "000003"
    assert [path.name for path in (shipped / "mine").iterdir()] == ["000003"]
