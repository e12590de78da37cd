"""What a run needs before it is started: memory by phase of one device, and time by phase of one update.

Arithmetic over shapes; nothing is loaded. What a benchmark measured (``calibration.py``) takes the place of the assumptions,
and every figure says whether it is measured, planned or unknown. Bytes follow from what is stored: weights, gradients,
AdamW's two moments and fp32 master weights, shared out by ZeRO (arXiv 1910.02054); activations from what one layer keeps for its
backward pass. Those of a vision tower that is trained are not counted. Times are floating-point operations over a share of the
device's peak, and for generation bytes read over its bandwidth: the right order of magnitude, not a promise. Imports neither
torch nor transformers.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

from model.config.engine import EngineConfig, Hardware
from model.training.calibration import (
    NOTHING_MEASURED,
    Basis,
    Calibration,
    Figure,
    Quantity,
    mode_of,
)
from model.training.model_shape import SHAPES, ModelShape

GIB = 2**30
TRAINING_SHARE = (
    0.35  # of a device's peak that training reaches; published runs of such sizes lie between 0.3 and 0.5
)
GENERATION_SHARE = 0.5  # of a device's memory bandwidth that batched decoding reaches
FIXED_BYTES = 1.5 * GIB  # context of the device and kernels: an assumption
BUCKET_VALUES = 500_000_000  # gradients that ZeRO 1 and 2 gather before they are reduced: DeepSpeed's default
OPTIMISER_BYTES = 12  # a parameter: fp32 master weight and two fp32 moments
USABLE_SHARE = 0.9  # of a device's memory; the rest is kept free for fragments
LOGIT_COPIES = 3  # logits, their log-softmax and its gradient exist together, in fp32


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateLoad:
    """What one update works on. Lengths are in tokens, visual ones included."""

    rollouts: int
    segments: float
    """Of one rollout, the answer's included."""
    prompt: int
    """Mean of a segment's last prompt."""
    generated: int
    """Mean of what the policy wrote in a segment."""
    longest: int
    """Longest segment."""
    token_budget: int
    """Padded tokens of one micro-batch."""
    logit_tokens: int
    concurrent: int
    """Rollouts generated at once on one device."""
    pruned: float = 0.0
    """Share of the tokens that is never forwarded in training."""
    redrawn: float = 0.0
    """Rollouts made for nothing, as a share of those trained on: groups that teach nothing and are replaced."""


class PhasePlan(NamedTuple):
    """One phase on one device. ``parts`` are (what, bytes), largest first; ``seconds`` of one update."""

    name: str
    parts: tuple[tuple[str, float], ...]
    seconds: float
    measured: frozenset[str] = frozenset()
    """Parts, and ``seconds``, that rest on figures of this device with this model and mode."""
    unknown: tuple[str, ...] = ()
    """What takes memory and is in no part."""

    def basis(self, part: str) -> Basis:
        """Of a part, or of ``seconds``."""
        return Basis.MEASURED if part in self.measured else Basis.PLANNED

    @property
    def total_bytes(self) -> float:
        """Everything together."""
        return sum(size for _, size in self.parts)


def weight_bytes(engine: EngineConfig) -> int:
    """Of one weight, gradient or activation on the device."""
    return 2 if engine.bf16 else 4


def trained_parameters(shape: ModelShape, engine: EngineConfig) -> int:
    """Parameters that take gradient."""
    if engine.lora is not None:
        return shape.lora_parameters(engine.lora.rank, engine.lora.targets)
    return shape.parameters - (0 if engine.train_vision else shape.vision_parameters)


def activation_bytes(shape: ModelShape, tokens: int, *, checkpointing: bool, bytes_each: int) -> float:
    """What the language model keeps of ``tokens`` until the backward pass; attention is assumed not to keep its matrix.

    A layer keeps, in the weights' type, both norms' outputs before scaling, the inputs of its linear maps, queries and keys
    before and after rotation, values and four vectors of the feed-forward width; and in fp32 what its four norms are given.
    With checkpointing only one layer keeps them, the others their input. ``tests/model/training/test_planning.py`` measures it.
    """
    queries, keys = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    typed = 4 * shape.width + 3 * queries + 3 * keys + 4 * shape.feed_forward
    layer = tokens * (bytes_each * typed + 4 * (2 * shape.width + queries + keys))
    last_norm = tokens * shape.width * (bytes_each + 4)
    if not checkpointing:
        return float(shape.layers * layer + last_norm)
    return float(shape.layers * tokens * shape.width * bytes_each + layer + last_norm)


def logit_bytes(shape: ModelShape, tokens: int) -> float:
    """Of one chunk of loss tokens."""
    return float(tokens * shape.vocabulary * 4 * LOGIT_COPIES)


class _Measured:
    """Looks figures up for one model, mode and device, and keeps which of them were seen right there."""

    def __init__(self, calibration: Calibration, shape: ModelShape, engine: EngineConfig, hardware: Hardware):
        self._calibration, self._hardware = calibration, hardware
        self._model = next((name for name, each in SHAPES.items() if each == shape), "")
        self._mode = mode_of(engine)
        self.parts: set[str] = set()

    def value(self, quantity: Quantity, otherwise: float, *parts: str) -> float:
        """The measured figure, or ``otherwise``; ``parts`` rest on it."""
        figure: Figure | None = self._calibration.find(quantity, model=self._model, mode=self._mode)
        if figure is None:
            return otherwise
        basis = self._calibration.basis(figure, self._hardware, model=self._model, mode=self._mode)
        if basis is Basis.MEASURED:
            self.parts.update(parts)
        return figure.value


def training(
    shape: ModelShape,
    engine: EngineConfig,
    load: UpdateLoad,
    hardware: Hardware,
    calibration: Calibration = NOTHING_MEASURED,
) -> PhasePlan:
    """The optimiser steps of one update."""
    measured = _Measured(calibration, shape, engine, hardware)
    scale = measured.value(Quantity.ACTIVATIONS, 1.0, "activations", "logits")
    devices = hardware.devices
    trained = trained_parameters(shape, engine)
    shared_weights = devices if engine.zero_stage == 3 else 1
    shared_gradients = devices if engine.zero_stage >= 2 else 1
    shared_optimiser = devices if engine.zero_stage >= 1 else 1
    tokens = max(load.longest, load.token_budget)
    on_host = 0 if engine.offload_optimizer else 1
    parts = {
        "weights": shape.parameters * weight_bytes(engine) / shared_weights,
        "gradients": trained * weight_bytes(engine) / shared_gradients,
        "optimiser": on_host * trained * OPTIMISER_BYTES / shared_optimiser,
        "activations": scale
        * activation_bytes(
            shape, tokens, checkpointing=engine.gradient_checkpointing, bytes_each=weight_bytes(engine)
        ),
        "logits": scale * logit_bytes(shape, min(load.logit_tokens, tokens)),
        "bucket": float(BUCKET_VALUES * weight_bytes(engine)) if engine.zero_stage in (1, 2) else 0.0,
        "device": measured.value(Quantity.CONTEXT, FIXED_BYTES, "device"),
    }
    all_tokens = load.rollouts * load.segments * (load.prompt + load.generated) * (1 - load.pruned)
    # forward, backward twice as much, once more to recompute activations, and once for the ratios' own log-probabilities
    passes = (4 if engine.gradient_checkpointing else 3) + engine.recomputes
    flops = passes * all_tokens * shape.forward_flops((load.prompt + load.generated) // 2)
    share = measured.value(Quantity.TRAINING, TRAINING_SHARE, "seconds")
    tower = engine.lora is None and engine.train_vision
    return PhasePlan(
        "training",
        _ordered(parts),
        flops / (devices * hardware.teraflops * 1e12 * share),
        frozenset(measured.parts),
        ("activations of the vision tower",) if tower else (),
    )


def generation(
    shape: ModelShape,
    engine: EngineConfig,
    load: UpdateLoad,
    hardware: Hardware,
    calibration: Calibration = NOTHING_MEASURED,
) -> PhasePlan:
    """The rollouts of one update: the whole model on every device, the optimiser where training left it."""
    measured = _Measured(calibration, shape, engine, hardware)
    length, bytes_each = load.prompt + load.generated, weight_bytes(engine)
    on_host = 0 if engine.offload_optimizer else 1
    shared_optimiser = hardware.devices if engine.zero_stage >= 1 else 1
    parts = {
        "weights": float(shape.parameters * bytes_each),
        "optimiser": on_host * trained_parameters(shape, engine) * OPTIMISER_BYTES / shared_optimiser,
        "cache": float(load.concurrent * length * shape.cache_bytes()),
        "device": measured.value(Quantity.CONTEXT, FIXED_BYTES, "device"),
    }
    calls = load.rollouts * (1 + load.redrawn) * load.segments / hardware.devices
    prompts_s = (
        calls
        * load.prompt
        * shape.forward_flops(load.prompt // 2)
        / (hardware.teraflops * 1e12 * measured.value(Quantity.PREFILL, TRAINING_SHARE, "prompts"))
    )
    # every step of a batch reads all weights and the cache of every row once
    read = shape.parameters * bytes_each + load.concurrent * length * shape.cache_bytes()
    steps = math.ceil(calls / load.concurrent) * load.generated
    share = measured.value(Quantity.GENERATION, GENERATION_SHARE, "decoding")
    decoding_s = steps * read / (hardware.gigabytes_per_s * 1e9 * share)
    if measured.parts >= {"prompts", "decoding"}:  # seconds are the sum of both
        measured.parts.add("seconds")
    return PhasePlan("rollouts", _ordered(parts), prompts_s + decoding_s, frozenset(measured.parts))


class ResourcePlan(NamedTuple):
    """What one recipe needs. ``fits`` compares the larger phase with a device's memory."""

    phases: tuple[PhasePlan, ...]
    host_bytes: float
    fits: bool

    @property
    def peak_bytes(self) -> float:
        """Of one device, over all phases."""
        return max(phase.total_bytes for phase in self.phases)

    @property
    def seconds(self) -> float:
        """Of one update."""
        return sum(phase.seconds for phase in self.phases)


def resource_plan(
    shape: ModelShape,
    engine: EngineConfig,
    load: UpdateLoad,
    hardware: Hardware,
    calibration: Calibration = NOTHING_MEASURED,
) -> ResourcePlan:
    """Both phases of an update on ``hardware``; a tenth of a device's memory is kept free for fragments."""
    phases = (
        generation(shape, engine, load, hardware, calibration),
        training(shape, engine, load, hardware, calibration),
    )
    peak = max(phase.total_bytes for phase in phases)
    return ResourcePlan(phases, host_bytes(shape, engine), peak <= USABLE_SHARE * hardware.memory_gib * GIB)


def host_bytes(shape: ModelShape, engine: EngineConfig) -> float:
    """Main memory that offloading takes, over all devices of a node."""
    return float(trained_parameters(shape, engine) * OPTIMISER_BYTES) if engine.offload_optimizer else 0.0


def _ordered(parts: dict[str, float]) -> tuple[tuple[str, float], ...]:
    return tuple(sorted(((name, size) for name, size in parts.items() if size), key=lambda part: -part[1]))
