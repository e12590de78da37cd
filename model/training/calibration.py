"""Measured figures in place of a plan's assumptions: the record, its file, and how it is made from a benchmark's lines.

``benchmarks/gpu/run.py`` measures; this module turns its lines into dimensionless figures (shares of a peak, a scale of the
activations) and bytes of the context, each with the device, model and mode it was seen on. ``planning.py`` reads them. Imports
neither torch nor transformers.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from model.config.engine import EngineConfig, Hardware, Lora
from model.training.model_shape import SHAPES, ModelShape

FORMAT = 1


class Quantity(StrEnum):
    """What was measured."""

    TRAINING = "training_share"  # of the device's peak, in an update
    PREFILL = "prefill_share"  # of the device's peak, in prompts
    GENERATION = "generation_share"  # of the device's bandwidth, in decoding
    CONTEXT = "context_bytes"  # of the device, before anything is allocated
    ACTIVATIONS = "activation_scale"  # measured over planned activations and logits of a micro-batch


class Basis(StrEnum):
    """How far a figure of a plan can be trusted."""

    MEASURED = "measured"  # on this device, with this model and mode
    PLANNED = "planned"  # arithmetic, with assumptions or with figures of another device or model
    UNKNOWN = "unknown"  # nothing counts it


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured figure."""

    quantity: Quantity
    value: float
    model: str = ""
    """Key of ``SHAPES``; empty for what no model changes."""
    mode: str = ""
    """``full`` or ``lora``; empty for what training does not change."""
    source: str
    """Step and part of the line it was made from."""

    def __post_init__(self) -> None:
        if not 0 < self.value < 1e15 or not self.source:
            raise ValueError(f"a measured figure is positive and says where it is from: {self}")
        if self.quantity in (Quantity.TRAINING, Quantity.PREFILL, Quantity.GENERATION) and self.value > 1.2:
            raise ValueError(f"{self.quantity} is a share of a peak, {self.value} is none: {self.source}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What one run of the benchmark measured on one device."""

    device: str = ""
    """As the driver names it, e.g. ``NVIDIA H200``."""
    figures: tuple[Figure, ...] = ()
    made_from: str = ""
    """Name and hash of the benchmark's file."""
    refused: tuple[str, ...] = ()
    """Lines whose figures cannot be: a share far above the published peak says that the peak is another device's."""
    toy: bool = False
    """Made by a dry run: well-formed, and true of nothing."""
    format: int = FORMAT

    def __post_init__(self) -> None:
        if self.format != FORMAT:
            raise ValueError(f"a calibration of format {self.format}; this version reads {FORMAT}")
        if self.figures and not self.device:
            raise ValueError("a calibration with figures names its device")

    def find(self, quantity: Quantity, *, model: str = "", mode: str = "") -> Figure | None:
        """The figure of that model and mode, else of that model, else of the largest model that has one."""
        known = [each for each in self.figures if each.quantity is quantity]
        order = list(SHAPES)

        def nearness(each: Figure) -> tuple[bool, bool, int]:
            size = order.index(each.model) if each.model in order else -1
            return (each.model == model, each.mode == mode, size)

        return max(known, key=nearness, default=None)

    def basis(self, figure: Figure | None, hardware: Hardware, *, model: str = "", mode: str = "") -> Basis:
        """``MEASURED`` only for the very device, model and mode."""
        if figure is None or not self.device or not same_device(self.device, hardware.name):
            return Basis.PLANNED
        exact = figure.model in ("", model) and figure.mode in ("", mode)
        return Basis.MEASURED if exact else Basis.PLANNED


NOTHING_MEASURED = Calibration()


def mode_of(engine: EngineConfig) -> str:
    """``lora`` where adapters are trained."""
    return "full" if engine.lora is None else "lora"


def same_device(named: str, hardware: str) -> bool:
    """Whether the driver's name and a plan's mean one product: every word of the maker's name with a digit is in both."""
    words = [word for word in named.replace("-", " ").split() if any(letter.isdigit() for letter in word)]
    return bool(words) and all(word.lower() in hardware.lower().split() for word in words[:1])


def _figure(fields: dict[str, Any]) -> Figure:
    fields["quantity"] = Quantity(fields["quantity"])
    return Figure(**fields)


def read_calibration(path: Path) -> Calibration:
    """A file that ``write_calibration`` wrote; one of a dry run is read too, ``toy`` says so.

    Raises:
        ValueError: if it is none; the message names the file and what is wrong with it.
    """
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        figures = tuple(_figure(each) for each in fields.pop("figures"))
        return Calibration(figures=figures, refused=tuple(fields.pop("refused", ())), **fields)
    except OSError as cause:
        raise ValueError(f"{path} cannot be read: {cause.strerror or cause}") from None
    except (ValueError, TypeError, KeyError, AttributeError) as cause:
        raise ValueError(
            f"{path} is no calibration ({cause}); make one with `python benchmarks/gpu/run.py`"
        ) from None


def write_calibration(path: Path, calibration: Calibration) -> None:
    """As JSON, with a new line at the end."""
    path.write_text(json.dumps(asdict(calibration), indent=1, sort_keys=True) + "\n", encoding="utf-8")


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredOn:
    """What a benchmark's lines are read against."""

    hardware: Hardware
    device: str
    """As the driver names it."""
    made_from: str
    """Name and hash of the benchmark's file."""
    toy: bool = False
    shapes: Mapping[str, ModelShape] = field(default_factory=lambda: SHAPES)


def calibrate(lines: Iterable[Mapping[str, Any]], on: MeasuredOn) -> Calibration:
    """Figures from the measured lines (``step``, ``part``, ``figures``) of a benchmark."""
    found: list[Figure] = []
    refused: list[str] = []
    for line in lines:
        if line["state"] == "measured":
            try:
                found += _figures(line["step"], str(line["part"]), line["figures"], on)
            except ValueError as cause:
                refused.append(str(cause))
    return Calibration(
        device=on.device, figures=tuple(found), made_from=on.made_from, refused=tuple(refused), toy=on.toy
    )


def _figures(step: str, part: str, figures: Mapping[str, Any], on: MeasuredOn) -> Sequence[Figure]:
    source = f"{step}: {part}"
    if step == "machine" and "context_bytes" in figures:
        return [Figure(quantity=Quantity.CONTEXT, value=float(figures["context_bytes"]), source=source)]
    model, mode = str(figures.get("model", "")), str(figures.get("mode", ""))
    if model not in on.shapes:
        return []
    shape = on.shapes[model]
    if step == "update" and part.endswith("/base"):
        share = update_flops(shape, figures) / figures["seconds"] / (on.hardware.teraflops * 1e12)
        return [Figure(quantity=Quantity.TRAINING, value=share, model=model, mode=mode, source=source)]
    if step == "update" and part.endswith("/phases"):
        scale = _activation_scale(shape, figures, mode)
        return (
            [Figure(quantity=Quantity.ACTIVATIONS, value=scale, model=model, mode=mode, source=source)]
            if scale
            else []
        )
    if step == "rollouts":
        shares = _rollout_shares(shape, figures, on.hardware)
        return [
            Figure(quantity=name, value=share, model=model, source=source) for name, share in shares.items()
        ]
    return []


def update_flops(shape: ModelShape, figures: Mapping[str, Any]) -> float:
    """Operations of an update as a plan counts them: forward, backward twice as much, and forward again for what is recomputed.

    That is once for checkpointed activations, and once where ratios start from the trainer's own log-probabilities.
    """
    passes = 4 + bool(figures.get("recomputes", True))
    length = figures["tokens"] / figures["segments"]
    return passes * figures["forward_tokens"] * shape.forward_flops(int(length) // 2)


def _rollout_shares(
    shape: ModelShape, figures: Mapping[str, Any], hardware: Hardware
) -> dict[Quantity, float]:
    flops = figures["prompt_tokens"] * shape.forward_flops(int(figures["prompt"]) // 2)
    length = figures["prompt"] + figures["steps"] / 2
    read = figures["steps"] * (2 * shape.parameters + figures["rows"] * length * shape.cache_bytes())
    return {
        Quantity.PREFILL: flops / figures["prefill_seconds"] / (hardware.teraflops * 1e12),
        Quantity.GENERATION: read / figures["decode_seconds"] / (hardware.gigabytes_per_s * 1e9),
    }


def _activation_scale(shape: ModelShape, figures: Mapping[str, Any], mode: str) -> float:
    """Measured over planned bytes of activations and logits; 0 where the peak does not show them."""
    from model.training.planning import BUCKET_VALUES, activation_bytes, logit_bytes  # it imports this module

    peaks = figures["peak_bytes"]
    most = max(peaks.get(name, 0) for name in ("forward", "backward"))
    lora = Lora(rank=int(figures.get("lora_rank", 32)))
    trained = shape.parameters if mode == "full" else shape.lora_parameters(lora.rank, lora.targets)
    bucket = 2 * BUCKET_VALUES if figures.get("engine") == "DeepSpeedEngine" else 0
    extra = (
        most - figures["held_before_bytes"] - 2 * trained - bucket
    )  # gradients come with the backward pass
    tokens = _micro_batch(figures)
    planned = activation_bytes(shape, tokens, checkpointing=True, bytes_each=2)
    planned += logit_bytes(shape, min(int(figures["logit_tokens"]), tokens))
    return max(0.0, extra / planned)


def _micro_batch(figures: Mapping[str, Any]) -> int:
    """Padded tokens of the largest micro-batch: as many of the longest segments as the budget holds."""
    longest = int(figures["longest"])
    return longest * max(1, min(int(figures["segments"]), int(figures["token_budget"]) // longest))
