"""Shapes of Qwen3-VL models as numbers: how many parameters, how large a cached token, how much work a token is.

Facts of the published configurations (Qwen/Qwen3-VL-2B-Instruct, -4B- and -8B-, ``config.json``); a test builds each model
without memory and compares. Imports neither torch nor transformers, so that a plan costs nothing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

PATCH_VALUES = 3 * 2 * 16 * 16  # colours x frames of a temporal patch x patch height x patch width
MERGED = 4  # patches of one visual token


@dataclass(frozen=True, slots=True, kw_only=True)
class VisionShape:
    """The vision tower."""

    layers: int
    width: int
    feed_forward: int
    positions: int = 2304
    deepstack: int = 3
    """Layers whose features are merged into the language model too."""

    def parameters(self, out_width: int) -> int:
        """All parameters, with mergers into a language model of ``out_width``."""
        width, inner = self.width, MERGED * self.width
        embedding = PATCH_VALUES * width + width + self.positions * width
        attention = width * 3 * width + 3 * width + width * width + width
        feed_forward = 2 * width * self.feed_forward + self.feed_forward + width
        layer = 4 * width + attention + feed_forward
        merger = inner * inner + inner + inner * out_width + out_width
        return embedding + self.layers * layer + (merger + 2 * width) + self.deepstack * (merger + 2 * inner)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelShape:
    """A Qwen3-VL."""

    name: str
    layers: int
    width: int
    feed_forward: int
    heads: int
    kv_heads: int
    head_dim: int
    vocabulary: int
    tied: bool
    """Whether input and output embeddings are one matrix."""
    vision: VisionShape = field(default_factory=lambda: VISION_24)

    @property
    def layer_matrices(self) -> dict[str, tuple[int, int]]:
        """(out, in) of the linear maps of one layer of the language model, by their names."""
        queries, keys = self.heads * self.head_dim, self.kv_heads * self.head_dim
        return {
            "q_proj": (queries, self.width),
            "k_proj": (keys, self.width),
            "v_proj": (keys, self.width),
            "o_proj": (self.width, queries),
            "gate_proj": (self.feed_forward, self.width),
            "up_proj": (self.feed_forward, self.width),
            "down_proj": (self.width, self.feed_forward),
        }

    @property
    def embedding_parameters(self) -> int:
        """Input embedding, and the output one where it is apart."""
        return self.vocabulary * self.width * (1 if self.tied else 2)

    @property
    def vision_parameters(self) -> int:
        """The vision tower with its mergers."""
        return self.vision.parameters(self.width)

    @property
    def parameters(self) -> int:
        """All parameters, tied ones once."""
        matrices = sum(rows * columns for rows, columns in self.layer_matrices.values())
        norms = 2 * self.width + 2 * self.head_dim
        language = self.layers * (matrices + norms) + self.width
        return self.embedding_parameters + language + self.vision_parameters

    def lora_parameters(self, rank: int, targets: tuple[str, ...]) -> int:
        """Parameters of adapters ``B [out, rank] A [rank, in]`` of the named maps, over all layers."""
        sizes = (self.layer_matrices[name] for name in targets)
        return self.layers * rank * sum(rows + columns for rows, columns in sizes)

    def cache_bytes(self, bytes_each: int = 2) -> int:
        """Keys and values of one token."""
        return 2 * self.layers * self.kv_heads * self.head_dim * bytes_each

    def forward_flops(self, context: int) -> float:
        """Floating-point operations of one token behind ``context`` others: 2 a weight, and attention over the context."""
        weights = self.parameters - self.vocabulary * self.width  # looking a token up is no multiplication
        return 2.0 * weights + 4.0 * self.layers * self.heads * self.head_dim * context


VISION_24 = VisionShape(layers=24, width=1024, feed_forward=4096)
VISION_27 = VisionShape(layers=27, width=1152, feed_forward=4304)
QWEN3_VL_2B = ModelShape(
    name="Qwen/Qwen3-VL-2B-Instruct",
    layers=28,
    width=2048,
    feed_forward=6144,
    heads=16,
    kv_heads=8,
    head_dim=128,
    vocabulary=151_936,
    tied=True,
)
QWEN3_VL_4B = ModelShape(
    name="Qwen/Qwen3-VL-4B-Instruct",
    layers=36,
    width=2560,
    feed_forward=9728,
    heads=32,
    kv_heads=8,
    head_dim=128,
    vocabulary=151_936,
    tied=True,
)
QWEN3_VL_8B = ModelShape(
    name="Qwen/Qwen3-VL-8B-Instruct",
    layers=36,
    width=4096,
    feed_forward=12_288,
    heads=32,
    kv_heads=8,
    head_dim=128,
    vocabulary=151_936,
    tied=False,
    vision=VISION_27,
)
_TEXT_FIELDS = {
    "num_hidden_layers": "layers",
    "hidden_size": "width",
    "intermediate_size": "feed_forward",
    "num_attention_heads": "heads",
    "num_key_value_heads": "kv_heads",
    "head_dim": "head_dim",
    "vocab_size": "vocabulary",
}
_VISION_FIELDS = {
    "depth": "layers",
    "hidden_size": "width",
    "intermediate_size": "feed_forward",
    "num_position_embeddings": "positions",
}


def differences(shape: ModelShape, config: Mapping[str, Any]) -> Iterator[str]:
    """What a model's ``config.json`` says otherwise than the shape, as ``layers 36 for 28``; what it leaves out is not told."""
    if config.get("tie_word_embeddings", shape.tied) != shape.tied:
        yield f"tied embeddings {config['tie_word_embeddings']} for {shape.tied}"
    parts = (
        ("", "text_config", _TEXT_FIELDS, shape),
        ("vision ", "vision_config", _VISION_FIELDS, shape.vision),
    )
    for part, section, names, known in parts:
        told: Mapping[str, Any] = config.get(section) or {}
        for name, field_ in names.items():
            expected = getattr(known, field_)
            if told.get(name, expected) != expected:
                yield f"{part}{field_.replace('_', ' ')} {told[name]} for {expected}"


SHAPES = {"qwen3-vl-2b": QWEN3_VL_2B, "qwen3-vl-4b": QWEN3_VL_4B, "qwen3-vl-8b": QWEN3_VL_8B}
