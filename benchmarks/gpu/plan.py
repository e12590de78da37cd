"""``vimrag plan`` beside what was measured: error by phase, and the calibration file that mends the next plan.

Reads the lines written so far; needs no device. Of each update the peak and the seconds, of each batch of rollouts the
same, planned twice: with the assumptions, and with the figures just measured (which then fit, and show that the file is read).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.gpu.bounded import Emit
from benchmarks.gpu.records import Record, State, read
from benchmarks.gpu.sizes import Sizes
from model.config.engine import EngineConfig, Hardware, Lora
from model.training.calibration import NOTHING_MEASURED, Calibration, MeasuredOn, calibrate, write_calibration
from model.training.planning import UpdateLoad, generation, training

STEP = "plan"
# the makers' figures, dense bf16 and bandwidth
PUBLISHED = {
    "H200": (989.0, 4800.0),
    "H100": (989.0, 3350.0),
    "A100": (312.0, 2039.0),
    "4090": (165.0, 1008.0),
}


def run(results: Path, calibration_file: Path, sizes: Sizes, emit: Emit) -> None:
    """Compares and writes the calibration."""
    lines = list(read(results))
    device, hardware = _hardware(lines)
    measured = [line for line in lines if line.state is State.MEASURED]
    if not any(line.step in ("update", "rollouts") for line in measured):
        emit(Record(step=STEP, state=State.SKIPPED, note="no update and no rollouts were measured"))
        return
    digest = hashlib.sha256(results.read_bytes()).hexdigest()[:16]
    on = MeasuredOn(
        hardware=hardware,
        device=device,
        made_from=f"{results.name} {digest}",
        shapes=sizes.shapes,
        toy=sizes.toy,
    )
    made = calibrate([asdict(line) for line in measured], on)
    write_calibration(calibration_file, made)
    emit(Record(step=STEP, part="calibration", state=State.MEASURED, figures={
        "figures": len(made.figures), "refused": len(made.refused), "device": device, "file": calibration_file.name,
    }))  # fmt: skip
    for part, figures in _errors(measured, hardware, made, sizes):
        emit(Record(step=STEP, part=part, state=State.MEASURED, figures=figures))


def _hardware(lines: Sequence[Record]) -> tuple[str, Hardware]:
    facts = next((line.figures for line in lines if line.step == "machine" and line.part == "facts"), {})
    peaks = next((line.figures for line in lines if line.step == "machine" and line.part == "peaks"), {})
    name = str(facts.get("name") or "unknown device")
    known = next((value for key, value in PUBLISHED.items() if key in name), None)
    teraflops, bandwidth = known or (
        float(peaks.get("teraflops", 1e-3)),
        float(peaks.get("gigabytes_per_s", 1.0)),
    )
    memory = float(facts.get("memory_bytes", 2**30)) / 2**30
    return name, Hardware(
        name=f"1x {name}",
        devices=1,
        memory_gib=memory,
        teraflops=max(teraflops, 1e-9),
        gigabytes_per_s=max(bandwidth, 1e-9),
    )


def _errors(
    measured: Sequence[Record], hardware: Hardware, made: Calibration, sizes: Sizes
) -> Iterator[tuple[str, dict[str, Any]]]:
    for line in measured:
        figures = line.figures
        if line.step == "update" and line.part.endswith("/base"):
            found = {"peak_bytes": float(figures["peak_bytes"]), "seconds": float(figures["seconds"])}
            planned = partial(_training, figures, hardware, sizes)
        elif line.step == "rollouts":
            peak = max(figures["prefill_peak_bytes"], figures["decode_peak_bytes"])
            seconds = figures["prefill_seconds"] + figures["decode_seconds"]
            found = {"peak_bytes": float(peak), "seconds": float(seconds)}
            planned = partial(_generation, figures, hardware, sizes)
        else:
            continue
        yield f"{line.step}/{line.part}", {**found, **_both(planned, found, made)}


def _both(
    plan: Callable[[Calibration], dict[str, float]], found: Mapping[str, float], made: Calibration
) -> dict[str, float]:
    figures: dict[str, float] = {}
    for name, known in (("planned", NOTHING_MEASURED), ("calibrated", made)):
        for quantity, value in plan(known).items():
            figures[f"{name}_{quantity}"] = round(value, 4)
            figures[f"{name}_{quantity}_error"] = (
                round(value / found[quantity] - 1, 4) if found[quantity] else 0.0
            )
    return figures


def _training(
    figures: Mapping[str, Any], hardware: Hardware, sizes: Sizes, known: Calibration
) -> dict[str, float]:
    full = figures["mode"] == "full"
    engine = EngineConfig(
        zero_stage=1,
        bf16=True,
        gradient_checkpointing=True,
        lora=None if full else Lora(rank=32, alpha=64),
        train_vision=full,
    )
    longest = int(figures["longest"])
    load = UpdateLoad(
        rollouts=int(figures["rollouts"]), segments=float(figures["segments_a_rollout"]), prompt=int(figures["prompt"]),
        generated=int(figures["generated"]), longest=longest,
        token_budget=longest * max(1, int(figures["token_budget"]) // longest), logit_tokens=int(figures["logit_tokens"]),
        concurrent=1,
    )  # fmt: skip
    phase = training(sizes.shapes[str(figures["model"])], engine, load, hardware, known)
    return {"peak_bytes": _allocated(phase.parts), "seconds": phase.seconds}


def _generation(
    figures: Mapping[str, Any], hardware: Hardware, sizes: Sizes, known: Calibration
) -> dict[str, float]:
    # nothing but the model is on the device: adapters' optimiser is left out by training none
    engine = EngineConfig(
        zero_stage=1, bf16=True, lora=Lora(rank=1, alpha=1, targets=("q_proj",)), train_vision=False
    )
    load = UpdateLoad(
        rollouts=int(figures["rows"]), segments=1, prompt=int(figures["prompt"]), generated=int(figures["steps"]),
        longest=int(figures["prompt"]), token_budget=int(figures["prompt"]), logit_tokens=1, concurrent=int(figures["rows"]),
    )  # fmt: skip
    phase = generation(sizes.shapes[str(figures["model"])], engine, load, hardware, known)
    return {"peak_bytes": _allocated(phase.parts), "seconds": phase.seconds}


def _allocated(parts: Sequence[tuple[str, float]]) -> float:
    """What torch's allocator would count: everything but the context."""
    return sum(size for name, size in parts if name != "device")
