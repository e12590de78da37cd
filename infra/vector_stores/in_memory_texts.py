"""Exact BM25 over analysed texts held in memory, with the statistics of the scopes that are searched.

Full-text indexes know one length average and one frequency per term for the whole collection, so that long pages in it
change how short paragraphs are ranked among themselves. Here both are those of the searched scopes. Holds no text and no rows.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from threading import Lock
from typing import TypeAlias

import numpy as np
from cachetools import LRUCache
from numpy.typing import NDArray

from infra.vector_stores.filter_columns import FilterColumns, Places
from infra.vector_stores.types import EVERY_ROW, RowFilter, StoreHit, TextQuery, ranked

K1 = 1.2
B = 0.75
CACHED_FILTERS = 64

_Statistics: TypeAlias = tuple[NDArray[np.bool_], tuple[NDArray[np.float64], NDArray[np.float64]]]
"""The rows inside a filter, and the length norms of terms and pairs there."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Postings:
    """Which rows hold which term, and how often; the rows of term t are ``rows[starts[t]:starts[t + 1]]``."""

    terms: dict[str, int]
    starts: NDArray[np.int64]
    rows: NDArray[np.int32]
    counts: NDArray[np.float32]
    lengths: NDArray[np.float32]
    """``[N]``, terms of each row"""

    @classmethod
    def of(cls, texts: Sequence[str]) -> Postings:
        """Of texts whose terms are separated by spaces; the index of a text is its row."""
        terms: dict[str, int] = {}
        term_of, row_of, count_of = array("q"), array("i"), array("f")
        for row, text in enumerate(texts):
            for term, count in Counter(text.split()).items():
                term_of.append(terms.setdefault(term, len(terms)))
                row_of.append(row)
                count_of.append(count)
        flat = np.frombuffer(term_of, np.int64) if term_of else np.zeros(0, np.int64)
        order = np.argsort(flat, kind="stable")
        return cls(
            terms=terms,
            starts=np.searchsorted(flat[order], np.arange(len(terms) + 1)),
            rows=np.array(row_of, np.int32)[order],
            counts=np.array(count_of, np.float32)[order],
            lengths=np.array([text.count(" ") + 1 if text else 0 for text in texts], np.float32),
        )

    def scores(
        self, text: str, *, inside: NDArray[np.bool_], norms: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """``[N]`` BM25 of ``text``, of use for rows ``inside`` only; ``norms`` as ``length_norms`` gives them."""
        total = np.zeros(len(self.lengths))
        inside = inside & (self.lengths > 0)
        num_rows = int(inside.sum())
        for term, times in Counter(text.split()).items():
            if (at := self.terms.get(term)) is None:
                continue
            span = slice(self.starts[at], self.starts[at + 1])
            rows, counts = self.rows[span], self.counts[span]
            num_with = int(inside[rows].sum())
            idf = np.log1p((num_rows - num_with + 0.5) / (num_with + 0.5))
            total[rows] += times * idf * counts * (K1 + 1) / (counts + norms[rows])
        return total

    def length_norms(self, inside: NDArray[np.bool_]) -> NDArray[np.float64]:
        """``[N]`` K1 * (1 - B + B * length / mean length inside); rows without a term are left out of the mean."""
        inside = inside & (self.lengths > 0)
        mean = float(self.lengths[inside].mean()) if inside.any() else 0.0
        return K1 * (1 - B + B * self.lengths.astype(np.float64) / max(mean, 1e-9))


@dataclass(frozen=True, kw_only=True, eq=False)
class InMemoryTexts:
    """The analysed texts of some rows."""

    ids: tuple[str, ...]
    columns: FilterColumns
    terms: Postings
    pairs: Postings

    @classmethod
    def of(
        cls,
        ids: Sequence[str],
        columns: Mapping[str, Sequence[str]],
        terms: Sequence[str],
        pairs: Sequence[str],
        places: Places | None = None,
    ) -> InMemoryTexts:
        """From columns of equal length; ``columns`` and ``places`` are what a ``RowFilter`` asks for."""
        return cls(
            ids=tuple(ids),
            columns=FilterColumns.of(columns, places),
            terms=Postings.of(terms),
            pairs=Postings.of(pairs),
        )

    def search(
        self, queries: Sequence[TextQuery], *, limit: int, where: RowFilter = EVERY_ROW
    ) -> list[list[StoreHit]]:
        """Rows with a common term, of highest BM25, best first, ties in id order."""
        inside, norms = self._within(where)
        return [self._best(query, limit, inside, norms) for query in queries]

    def _best(
        self,
        query: TextQuery,
        limit: int,
        inside: NDArray[np.bool_],
        norms: tuple[NDArray[np.float64], NDArray[np.float64]],
    ) -> list[StoreHit]:
        scores_N = self.terms.scores(query.terms, inside=inside, norms=norms[0])
        if query.pairs:
            scores_N += query.pair_weight * self.pairs.scores(query.pairs, inside=inside, norms=norms[1])
        candidates = np.flatnonzero((scores_N > 0) & inside)
        if limit < len(candidates):
            least = -np.partition(-scores_N[candidates], limit - 1)[limit - 1]
            candidates = candidates[scores_N[candidates] >= least]
        return ranked((self.ids[at], float(scores_N[at])) for at in candidates)[:limit]

    def _within(self, where: RowFilter) -> _Statistics:
        with self._lock:
            if (known := self._known.get(where)) is None:
                inside = self.columns.mask(where, len(self.ids))
                norms = self.terms.length_norms(inside), self.pairs.length_norms(inside)
                known = self._known[where] = inside, norms
        return known

    @cached_property
    def _known(self) -> LRUCache[RowFilter, _Statistics]:
        """What ``_within`` has answered; a corpus has few scopes, and a person asks one file again and again."""
        return LRUCache(CACHED_FILTERS)

    @cached_property
    def _lock(self) -> Lock:
        return Lock()
