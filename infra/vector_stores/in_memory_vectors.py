"""Exact nearest-row search over vectors held in memory, many queries at a time.

For collections small enough to hold; engines use it to answer rollouts without touching disk. Holds no text and no rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from infra.vector_stores.filter_columns import FilterColumns, Places
from infra.vector_stores.types import EVERY_ROW, RowFilter, StoreHit, Vectors

DECIMALS = 6  # of a cosine; what lies below depends on how many queries are multiplied at once
QUERIES_AT_ONCE = 64  # bounds the [queries, passages] score matrix


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class InMemoryVectors:
    """Rows in id order, their passages one after the other."""

    ids: tuple[str, ...]
    columns: FilterColumns
    """Of the rows in the same order."""
    starts: NDArray[np.int64]
    """``[N]``, first passage of each row"""
    vectors: Vectors
    """``[P, D]``, unit length"""

    @classmethod
    def of(
        cls,
        ids: Sequence[str],
        columns: Mapping[str, Sequence[str]],
        vectors: Sequence[Vectors],
        places: Places | None = None,
    ) -> InMemoryVectors:
        """From rows in any order; ``columns`` and ``places`` are what a ``RowFilter`` asks for."""
        order = sorted(range(len(ids)), key=ids.__getitem__)
        lengths = np.array([len(vectors[i]) for i in order], dtype=np.int64)
        return cls(
            ids=tuple(ids[i] for i in order),
            columns=FilterColumns.of(
                {name: [values[i] for i in order] for name, values in columns.items()},
                None if places is None else places[order],
            ),
            starts=np.concatenate([[0], np.cumsum(lengths)])[:-1].astype(np.int64),
            vectors=np.concatenate([vectors[i] for i in order]) if order else np.zeros((0, 0), np.float32),
        )

    def search(self, queries: Vectors, *, limit: int, where: RowFilter = EVERY_ROW) -> list[list[StoreHit]]:
        """The rows whose nearest passage has the highest cosine, best first, ties in id order."""
        if not self.ids or limit < 1:
            return [[] for _ in queries]
        outside = ~self.columns.mask(where, len(self.ids)) if where else None
        found: list[list[StoreHit]] = []
        for start in range(0, len(queries), QUERIES_AT_ONCE):
            scores_QP = queries[start : start + QUERIES_AT_ONCE] @ self.vectors.T
            scores_QN = np.maximum.reduceat(scores_QP, self.starts, axis=1).round(DECIMALS)
            if outside is not None:
                scores_QN[:, outside] = -np.inf
            found.extend(self._best(scores_N, limit) for scores_N in scores_QN)
        return found

    def _best(self, scores_N: NDArray[np.float32], limit: int) -> list[StoreHit]:
        """The row indices are in id order, so a stable sort breaks ties by id."""
        if limit < len(scores_N):
            least = -np.partition(-scores_N, limit - 1)[limit - 1]
            candidates = np.flatnonzero(scores_N >= least)
        else:
            candidates = np.arange(len(scores_N))
        best = candidates[np.argsort(-scores_N[candidates], kind="stable")][:limit]
        return [StoreHit(self.ids[i], float(scores_N[i])) for i in best if np.isfinite(scores_N[i])]
