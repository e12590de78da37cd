"""Measured figures in a plan: they make it say what was measured, where they were measured, and nowhere else."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from model.config.engine import EngineConfig, Hardware, Lora
from model.training.calibration import (
    Basis,
    Calibration,
    Figure,
    MeasuredOn,
    Quantity,
    calibrate,
    read_calibration,
    same_device,
    write_calibration,
)
from model.training.model_shape import QWEN3_VL_2B, QWEN3_VL_8B
from model.training.planning import UpdateLoad, activation_bytes, generation, logit_bytes, training

H200 = Hardware(name="1x H200 141 GB", devices=1, memory_gib=139, teraflops=989, gigabytes_per_s=4800)
H100 = replace(H200, name="1x H100 80 GB", memory_gib=80, gigabytes_per_s=3350)
FULL = EngineConfig(zero_stage=1, bf16=True, gradient_checkpointing=True)
LORA = replace(FULL, lora=Lora(rank=32, alpha=64), train_vision=False)
LOAD = UpdateLoad(
    rollouts=4, segments=6, prompt=3990, generated=400, longest=4390, token_budget=13_170, logit_tokens=1024, concurrent=64
)  # fmt: skip
COMMON = {"model": "qwen3-vl-2b", "mode": "full", "segments": 24, "tokens": 24 * 4390}


def line(step: str, part: str, **figures: Any) -> dict[str, Any]:
    return {"step": step, "part": part, "state": "measured", "figures": figures}


def made(*lines: dict[str, Any]) -> Calibration:
    return calibrate(lines, MeasuredOn(hardware=H200, device="NVIDIA H200", made_from="gpu.jsonl 0123"))


UPDATE = line(
    "update", "qwen3-vl-2b/full/base", **COMMON, forward_tokens=24 * 4390, seconds=7.0, peak_bytes=1
)


def test_a_plan_of_the_measured_update_takes_the_measured_seconds():
    phase = training(QWEN3_VL_2B, FULL, LOAD, H200, made(UPDATE))
    assert phase.seconds == pytest.approx(7.0)
    assert phase.basis("seconds") is Basis.MEASURED
    assert training(QWEN3_VL_2B, FULL, LOAD, H200).basis("seconds") is Basis.PLANNED


@pytest.mark.parametrize(
    ("shape", "engine", "hardware"),
    [(QWEN3_VL_8B, FULL, H200), (QWEN3_VL_2B, LORA, H200), (QWEN3_VL_2B, FULL, H100)],
    ids=["another model", "another mode", "another device"],
)
def test_elsewhere_the_figure_replaces_the_guess_but_is_not_called_measured(
    shape: Any, engine: Any, hardware: Any
):
    with_figure = training(shape, engine, LOAD, hardware, made(UPDATE))
    guessed = training(shape, engine, LOAD, hardware)
    assert with_figure.basis("seconds") is Basis.PLANNED
    share = made(UPDATE).figures[0].value
    assert with_figure.seconds == pytest.approx(guessed.seconds * 0.35 / share)


def test_rollouts_are_measured_where_prompts_and_decoding_both_are():
    seen = line(
        "rollouts", "qwen3-vl-2b/64", model="qwen3-vl-2b", rows=64, prompt=2000, prompt_tokens=128_000, steps=128,
        prefill_seconds=2.0, decode_seconds=4.0,
    )  # fmt: skip
    load = replace(LOAD, rollouts=64, segments=1, prompt=2000, generated=128)
    phase = generation(QWEN3_VL_2B, LORA, load, H200, made(seen))
    assert phase.basis("seconds") is Basis.MEASURED
    assert phase.seconds == pytest.approx(
        6.0, rel=0.05
    )  # a plan reads the cache at its full length from the first token on


def test_the_scale_of_activations_brings_the_planned_peak_to_the_measured_one():
    tokens = 13_170
    planned = activation_bytes(QWEN3_VL_2B, tokens, checkpointing=True, bytes_each=2) + logit_bytes(
        QWEN3_VL_2B, 1024
    )
    held = 30_000_000_000
    seen = line(
        "update", "qwen3-vl-2b/full/phases", **COMMON, longest=4390, token_budget=16_384, logit_tokens=1024,
        held_before_bytes=held, engine="PlainEngine",
        peak_bytes={"forward": 1, "backward": held + 2 * QWEN3_VL_2B.parameters + 1.2 * planned},
    )  # fmt: skip
    phase = training(QWEN3_VL_2B, FULL, LOAD, H200, made(seen))
    plain = dict(training(QWEN3_VL_2B, FULL, LOAD, H200).parts)
    assert dict(phase.parts)["activations"] == pytest.approx(1.2 * plain["activations"])
    assert phase.basis("activations") is phase.basis("logits") is Basis.MEASURED
    assert phase.basis("weights") is Basis.PLANNED


def test_what_nothing_counts_is_unknown_and_only_where_it_happens():
    assert training(QWEN3_VL_2B, FULL, LOAD, H200).unknown == ("activations of the vision tower",)
    assert training(QWEN3_VL_2B, LORA, LOAD, H200).unknown == ()


def test_a_share_above_the_peak_is_refused_and_named():
    impossible = {**UPDATE, "figures": {**UPDATE["figures"], "seconds": 0.001}}
    found = made(impossible, UPDATE)
    assert len(found.figures) == 1
    assert "share of a peak" in found.refused[0] and "qwen3-vl-2b/full/base" in found.refused[0]


def test_a_file_is_read_as_it_was_written(tmp_path: Path):
    path = tmp_path / "c.json"
    write_calibration(path, made(UPDATE, line("machine", "peaks", context_bytes=600_000_000)))
    found = read_calibration(path)
    assert found == made(UPDATE, line("machine", "peaks", context_bytes=600_000_000))
    assert found.find(Quantity.CONTEXT) == Figure(
        quantity=Quantity.CONTEXT, value=6e8, source="machine: peaks"
    )


@pytest.mark.parametrize(
    "text", ["", "[]", '{"figures": [{"quantity": "speed"}]}', '{"figures": [], "format": 9}']
)
def test_another_file_is_refused_with_its_name(tmp_path: Path, text: str):
    path = tmp_path / "c.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"c\.json is no calibration"):
        read_calibration(path)


def test_devices_are_one_by_the_number_in_their_names():
    assert same_device("NVIDIA H200", "1x H200 141 GB")
    assert same_device("NVIDIA GeForce RTX 4090", "1x RTX 4090 24 GB")
    assert not same_device("NVIDIA H200", "1x H100 80 GB")
    assert not same_device("unknown device", "1x H100 80 GB")
    assert json.dumps(Basis.MEASURED) == '"measured"'
