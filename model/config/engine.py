"""How a model lies on the devices, which of its weights are trained, and what the devices are.

Holds choices and their validation only; ``model/training/engine.py`` makes DeepSpeed's dictionary of them, ``lora.py`` the
adapters, ``planning.py`` the memory and time they need.
"""

import math
from dataclasses import dataclass

ATTENTIONS = ("sdpa", "eager", "flash_attention_2", "flash_attention_3")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lora:
    """Shape of the adapters; the update of a matrix W [out, in] is ``alpha / rank * B A``."""

    rank: int = 16
    """Rows of A and columns of B."""
    alpha: int = 32
    """Numerator of the scale."""
    dropout: float = 0.0
    """Share of an adapter's inputs that is dropped in training."""
    targets: tuple[str, ...] = (
        "q_proj",
        "k_proj",
        "v_proj",
        "o_proj",
        "gate_proj",
        "up_proj",
        "down_proj",
    )
    """Names of linear layers; those of the language model only, the vision tower calls its own otherwise."""

    def __post_init__(self) -> None:
        if self.rank < 1 or self.alpha <= 0 or not 0 <= self.dropout < 1 or not self.targets:
            raise ValueError(f"adapters out of range: {self}")

    @property
    def scale(self) -> float:
        """What ``B A`` is multiplied by."""
        return self.alpha / self.rank


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineConfig:
    """How the model is laid out over the ranks."""

    zero_stage: int = 2
    """0 replicates everything, 2 shards optimiser and gradients, 3 shards the weights too."""
    bf16: bool = False
    """Weights and activations in bfloat16 with fp32 master weights; False keeps all in fp32."""
    offload_optimizer: bool = False
    """Keep optimiser and master weights in host memory (ZeRO-2 and 3 on GPUs)."""
    gradient_checkpointing: bool = False
    """Recompute activations of the transformer layers in the backward pass."""
    lora: Lora | None = None
    """Train adapters of this shape and nothing else; None trains the weights themselves."""
    train_vision: bool = True
    """Train the vision tower too; with adapters it never is."""
    temperature: float = 1.0
    """Of sampling during rollouts, and of the distributions in the ratio."""
    recompute: bool | None = None
    """Take the log-probabilities that ratios start from out of the trainer, once an update, not out of the sampler; None: in
    bfloat16, where the two differ by more than the clip allows. It costs one forward pass of what is trained."""
    sampler_cap: float = 2.0
    """Most that a segment counts for having been drawn too rarely, where log-probabilities are recomputed."""
    persist_below: int = 100_000
    """ZeRO-3: parameters with fewer values than this stay on every rank."""
    attention: str = "sdpa"
    """Of the trainer: ``sdpa``, ``eager``, ``flash_attention_2`` or ``flash_attention_3`` (its package and a GPU). The decoding
    loop in this process wants one of the first two; with flash attention servers roll out."""
    liger: bool = False
    """Liger's fused norms and rotations, if liger-kernel and a GPU are there."""

    def __post_init__(self) -> None:
        if self.zero_stage not in (0, 1, 2, 3):
            raise ValueError(f"zero_stage must be 0, 1, 2 or 3, got {self.zero_stage}")
        if self.zero_stage == 0 and (self.bf16 or self.offload_optimizer):
            raise ValueError("bf16 and optimiser offload need master weights, which ZeRO stage 1 to 3 keep")
        if self.lora is not None and self.zero_stage == 3:
            raise ValueError(
                "adapters are small enough for every rank: choose ZeRO stage 0, 1 or 2 with them"
            )
        if not 1 <= self.sampler_cap < math.inf:
            raise ValueError(f"sampler_cap must be at least 1, got {self.sampler_cap}")
        if self.attention not in ATTENTIONS:
            raise ValueError(f"unknown attention {self.attention!r}; known: {', '.join(ATTENTIONS)}")
        if not 0 < self.temperature < math.inf:
            raise ValueError(f"temperature must be positive, got {self.temperature}")

    @property
    def recomputes(self) -> bool:
        """Whether ratios start from the trainer's log-probabilities."""
        return self.bf16 if self.recompute is None else self.recompute


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """Equal devices. Peaks are the makers' figures for dense bf16 and memory bandwidth."""

    name: str
    devices: int
    """How many there are."""
    memory_gib: float
    """Of one device."""
    teraflops: float
    """Operations a second of one device, in 10^12."""
    gigabytes_per_s: float
    """Memory bandwidth of one device, in 10^9 bytes."""

    def __post_init__(self) -> None:
        if min(self.devices, self.memory_gib, self.teraflops, self.gigabytes_per_s) <= 0:
            raise ValueError(f"devices need a count, memory, a peak and a bandwidth above 0: {self}")
