"""What an embedder reads, how fast it is here, and what a corpus would cost with it.

Holds measuring and arithmetic; which items a corpus has is counted by the caller. What is embedded for the measure is drawn
here: passages of words, a page of lines, frames with a moving square.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from PIL import Image

from infra.embedders.endpoint import EndpointEmbedder
from infra.embedders.types import Embedder, Modality, sees
from infra.progress import ProgressListener, silent

PASSAGE = " ".join(f"word{number}" for number in range(96))
PAGE_PX, FRAME_PX, FRAMES = (1224, 1584), (448, 448), 8  # a letter page at 144 dpi; a small video
LARGEST_BATCH = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class ModalitySpeed:
    """How fast one kind of input is embedded on this machine."""

    items_per_s: float
    tokens_per_item: float | None = None
    """As a server counts them; None where it is not paid for by the token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedderCheck:
    """What an embedder was found to be."""

    space: str
    dim: int
    fingerprint: str
    modalities: tuple[str, ...]
    start_s: float
    """Until the first vector: loading, or a probe of the server."""
    speed: Mapping[str, ModalitySpeed]


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusCost:
    """What embedding a corpus takes. ``left_out`` are inputs that the embedder does not read."""

    items: Mapping[str, int]
    left_out: Mapping[str, int]
    minutes: float
    tokens: int | None
    money: float | None


def check_embedder(
    embedder: Embedder, *, seconds: float = 3.0, progress: ProgressListener = silent
) -> EmbedderCheck:
    """Load or reach the embedder and embed for about ``seconds`` of each kind that it reads.

    Raises:
        EmbedderError: as the embedder does.
    """
    progress("load", 0, 1)
    began = time.perf_counter()
    embedder.encode_documents([PASSAGE])
    start_s = time.perf_counter() - began
    progress("load", 1, 1)
    speed = {
        Modality.TEXT.value: _speed(embedder, embedder.encode_documents, lambda n: f"{n} {PASSAGE}", seconds)
    }
    if sees(embedder):
        speed[Modality.IMAGE.value] = _speed(embedder, embedder.encode_images, _page, seconds)
    if sees(embedder, Modality.VIDEO):
        speed[Modality.VIDEO.value] = _speed(embedder, embedder.encode_clips, _clip, seconds)
    return EmbedderCheck(
        space=embedder.space,
        dim=embedder.dim,
        fingerprint=embedder.fingerprint,
        modalities=tuple(modality.value for modality in Modality if modality in embedder.modalities),
        start_s=start_s,
        speed=speed,
    )


def corpus_cost(check: EmbedderCheck, items: Mapping[str, int], *, price: float | None = None) -> CorpusCost:
    """Time, tokens and money of embedding ``items`` inputs of each modality; ``price`` is that of a million tokens."""
    read = {kind: count for kind, count in items.items() if kind in check.speed}
    seconds = sum(count / check.speed[kind].items_per_s for kind, count in read.items())
    counted = [(count, check.speed[kind].tokens_per_item) for kind, count in read.items()]
    tokens = sum(count * (each or 0.0) for count, each in counted)
    is_counted = any(each is not None for _, each in counted)
    return CorpusCost(
        items=read,
        left_out={kind: count for kind, count in items.items() if kind not in check.speed and count},
        minutes=seconds / 60,
        tokens=round(tokens) if is_counted else None,
        money=tokens * price / 1_000_000 if is_counted and price is not None else None,
    )


def to_json(record: EmbedderCheck | CorpusCost) -> dict[str, Any]:
    """All fields, as the command line prints them."""
    return asdict(record)


def _speed(
    embedder: Embedder, encode: Callable[[Sequence[Any]], Any], draw: Callable[[int], Any], seconds: float
) -> ModalitySpeed:
    """Batches of growing size until the time is spent; the largest one counts."""
    drawn, size, began = 0, 1, time.perf_counter()
    while True:
        inputs = [draw(drawn + number) for number in range(size)]
        tokens, at = _tokens(embedder), time.perf_counter()
        encode(inputs)
        now = time.perf_counter()
        drawn += size
        if now - began >= seconds or size == LARGEST_BATCH:
            spent = None if tokens is None else ((_tokens(embedder) or 0) - tokens) / size
            return ModalitySpeed(items_per_s=size / max(now - at, 1e-9), tokens_per_item=spent)
        size = min(LARGEST_BATCH, size * 4)


def _tokens(embedder: Embedder) -> int | None:
    return embedder.usage.prompt_tokens if isinstance(embedder, EndpointEmbedder) else None


def _page(number: int) -> Image.Image:
    """A white page with dark lines, another for each number."""
    page = np.full((PAGE_PX[1], PAGE_PX[0]), 250, np.uint8)
    rng = np.random.default_rng(number)
    for top in range(60, PAGE_PX[1] - 60, 36):
        for left in range(80, PAGE_PX[0] - 160, 90):
            page[top : top + 14, left : left + int(rng.integers(20, 80))] = rng.integers(0, 90)
    return Image.fromarray(page).convert("RGB")


def _clip(number: int) -> list[Image.Image]:
    """Frames with a square that moves, another for each number."""
    frames = []
    for step in range(FRAMES):
        frame = np.full((*FRAME_PX, 3), (number * 37) % 200, np.uint8)
        left = 20 + step * 40
        frame[200:260, left : left + 60] = (250, 80, 40)
        frames.append(Image.fromarray(frame))
    return frames
