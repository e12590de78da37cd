"""How often an embedder finds by a description what it describes, against chance. Pictures alone: no text is embedded."""

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from assets.miniature.sights import Sight, full_description, world_sights
from assets.miniature.world import worlds
from infra.embedders.types import VisionEmbedder

DEPTH = 5


class SightRecall(NamedTuple):
    """Of the sights of one kind: the share found within the first five, and what drawing five at random would find."""

    queries: int
    found: float
    chance: float


def held_out_sights(split: str, count: int, *, seed: int) -> dict[str, Sight]:
    """What the first ``count`` worlds of a split show, by dataset and name."""
    return {
        f"{key.dataset}:{key.name}": sight
        for world in worlds(split, count, seed=seed)
        for key, sight in world_sights(world).items()
    }


def recall_by_kind(embedder: VisionEmbedder, sights: Mapping[str, Sight]) -> dict[str, SightRecall]:
    """For each kind, every sight is asked for among all by all it shows; any sight of which that is true counts.

    Raises:
        ValueError: for fewer sights than ``DEPTH``.
    """
    shown = list(sights.values())
    if len(shown) < DEPTH:
        raise ValueError(f"recall at {DEPTH} needs {DEPTH} sights at least, got {len(shown)}")
    descriptions = [full_description(sight) for sight in shown]
    documents = _documents(embedder, shown)
    scores = embedder.encode_queries([description.text for description in descriptions]) @ documents.T
    best = np.argsort(-scores, axis=1, kind="stable")[:, :DEPTH]
    outcomes: dict[str, list[tuple[bool, float]]] = {}
    for sight, description, places in zip(shown, descriptions, best, strict=True):
        found = any(description.fits(shown[place]) for place in places)
        fitting = sum(description.fits(other) for other in shown)
        outcomes.setdefault(sight.kind, []).append((found, chance_of_one(fitting, len(shown), DEPTH)))
    return {
        kind: SightRecall(len(rows), *(float(np.mean(column)) for column in zip(*rows, strict=True)))
        for kind, rows in sorted(outcomes.items())
    }


def chance_of_one(fitting: int, total: int, drawn: int) -> float:
    """``1 - C(total - fitting, drawn) / C(total, drawn)``: that a random draw holds one of the fitting.

    >>> chance_of_one(1, 10, 5)
    0.5
    """
    return 1 - math.comb(total - fitting, drawn) / math.comb(total, drawn)


def _documents(embedder: VisionEmbedder, shown: list[Sight]) -> np.ndarray:
    """``[N, dim]`` in the order of ``shown``."""
    vectors = np.zeros((len(shown), embedder.dim), dtype=np.float32)
    clips = [at for at, sight in enumerate(shown) if sight.kind == "clip"]
    images = [at for at, sight in enumerate(shown) if sight.kind != "clip"]
    vectors[clips] = embedder.encode_clips([shown[at].frames for at in clips])
    vectors[images] = embedder.encode_images([shown[at].frames[0] for at in images])
    return vectors
