"""Several kinds of search become one ranking: words, their meaning, and looks.

Words and meaning are the *text side*; the spaces of pictures, which one embedder fills, are the *looks*, and a row looks as
near as its nearest vector in any of them. How much the text side counts against the looks is seen from the words: where the
best row stands out from the others it is trusted, where many rows match alike (``badge`` and ``red`` on a hundred pages) it is
not. Without looks this changes nothing.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from infra.vector_stores.types import (
    EVERY_ROW,
    TEXT_SPACE,
    RowFilter,
    StoreHit,
    TextQuery,
    Vectors,
    VectorStore,
    ranked,
)

JUDGED = 10  # hits from which it can be said whether the best one stands out


class HybridSettings(NamedTuple):
    """How the kinds of search are joined. Measured by ``benchmarks/eye_recall.py``; only ratios of weights matter."""

    depth: int = 100
    """Candidates taken from each of them."""
    text_weight: float = 0.5
    """Of the words' score."""
    meaning_weight: float = 0.5
    """Of the cosine in the space of passages."""
    looks_weight: float = 0.3
    """Of the cosine in the spaces of pictures."""
    vague: float = 1.5
    """Standard deviations above the mean of all candidates up to which the best row of the words does not stand out."""
    clear: float = 2.5
    """From which it does."""
    least_trust: float = 0.1
    """What is left of the text side's weights where it does not."""


def hybrid(
    store: VectorStore,
    vectors: Mapping[str, Vectors],
    texts: Sequence[TextQuery],
    *,
    limit: int,
    where: RowFilter = EVERY_ROW,
    settings: HybridSettings | None = None,
) -> list[list[StoreHit]]:
    """Every kind of search for each query (a space's ``vectors`` are ``[Q, D]``), joined; the ``limit`` best rows.

    Raises:
        ValueError: if a space has not one vector per text.
    """
    for space, queries in vectors.items():
        if len(queries) != len(texts):
            raise ValueError(f"{len(queries)} {space} vectors for {len(texts)} texts")
    settings = settings or HybridSettings()
    depth = max(settings.depth, limit)
    worded = store.search_texts(texts, limit=depth, where=where)
    near = {
        space: store.search_vectors(space, queries, limit=depth, where=where)
        for space, queries in vectors.items()
    }
    return [
        join(worded[at], {space: hits[at] for space, hits in near.items()}, settings)[:limit]
        for at in range(len(texts))
    ]


def join(
    worded: Sequence[StoreHit], near: Mapping[str, Sequence[StoreHit]], settings: HybridSettings
) -> list[StoreHit]:
    """One ranking of the words' hits and those of each space."""
    seen = [hits for space, hits in near.items() if space != TEXT_SPACE]
    trust = trust_in(worded, settings) if seen else 1.0
    rankings: list[tuple[float, float | None, Sequence[StoreHit]]] = [
        (trust * settings.text_weight, 0.0, worded)
    ]
    if TEXT_SPACE in near and not _are_all_alike(near[TEXT_SPACE]):
        rankings.append((trust * settings.meaning_weight, None, near[TEXT_SPACE]))
    if seen:
        rankings.append((settings.looks_weight, None, nearest(seen)[: max(map(len, seen))]))
    return fuse(rankings)


def _are_all_alike(hits: Sequence[StoreHit]) -> bool:
    """Whether several hits have one score, as rows without words have: which of them are there is chance."""
    return len(hits) > 1 and hits[0].score == hits[-1].score


def nearest(rankings: Iterable[Sequence[StoreHit]]) -> list[StoreHit]:
    """Rows by the highest of their scores, best first, ties in id order."""
    best: dict[str, float] = {}
    for hits in rankings:
        for hit in hits:
            best[hit.id] = max(hit.score, best.get(hit.id, hit.score))
    return ranked(best.items())


def trust_in(hits: Sequence[StoreHit], settings: HybridSettings) -> float:
    """How far the best of some hits stands out from all of them, from ``least_trust`` to 1; 1 for too few to say."""
    if len(hits) < JUDGED:
        return 1.0
    scores = [hit.score for hit in hits]
    mean = sum(scores) / len(scores)
    deviation = math.sqrt(sum((score - mean) ** 2 for score in scores) / len(scores))
    distance = (max(scores) - mean) / deviation if deviation > 0 else 0.0
    share = (distance - settings.vague) / (settings.clear - settings.vague)
    return min(1.0, max(settings.least_trust, share))


def fuse(rankings: Iterable[tuple[float, float | None, Sequence[StoreHit]]]) -> list[StoreHit]:
    """Convex combination of min-max scaled scores, best first, ties in id order.

    Each ranking is ``(weight, low, hits)`` and scaled to [0, 1] by itself: from ``low`` (None: its lowest score) to its
    highest. BM25 starts at 0, which is what a row without a common term has. A row that one ranking lacks gets 0 from it;
    weights are divided by their sum. Unlike reciprocal ranks this keeps how *much* better the best row is.
    """
    rankings = list(rankings)
    weights = sum(weight for weight, _, _ in rankings) or 1.0
    total: dict[str, float] = {}
    for weight, low, hits in rankings:
        lowest = min((hit.score for hit in hits), default=0.0) if low is None else low
        span = max((hit.score for hit in hits), default=0.0) - lowest
        for hit in hits:
            scaled = (hit.score - lowest) / span if span > 0 else 1.0
            total[hit.id] = total.get(hit.id, 0.0) + weight / weights * scaled
    return ranked(total.items())
