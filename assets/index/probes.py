"""Questions whose answers are worked out exactly while an index is built, and asked of it before it is published.

A store answers through an index of its own, and may answer wrongly for a while, or for good, without an error. What it
answers is compared with every vector and every text that went into it; nothing is held but the best rows of each question.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from assets.index.analysis import analyse
from assets.index.spaces import Embedders
from infra.errors import VectorStoreError
from infra.vector_stores.in_memory_texts import K1, B
from infra.vector_stores.types import StoreHit, TextQuery, VectorRow, Vectors, VectorStore

PROBES = (
    "Who founded the company?",
    "In which year was the city taken?",
    "What does the table show for the last quarter?",
    "How do you fix a leaking tap?",
    "Which river flows through the capital?",
    "What percentage of people agreed in the survey?",
    "What is the person in the picture holding?",
    "When is the next launch planned?",
)
"""Fixed questions whose hits identify an index; what they ask is of no importance."""

DEPTH = 10  # hits compared
OWN_PROBES = 64  # rows searched by their own vector, the last ones that were written among them
COSINE_TOLERANCE, BM25_TOLERANCE = 2e-3, 1e-3  # of a score; the second of its size
LEAST_RECALL = 0.95  # of the nearest rows of all questions; approximate indexes miss some
PAUSE_S = 2.0


@dataclass(slots=True)
class _ExactVectors:
    """The best rows of some queries in one space, of the rows added so far."""

    queries: Vectors
    best: list[dict[str, float]] = field(default_factory=list)
    own: dict[str, Vectors] = field(default_factory=dict)

    def add(self, rows: Sequence[VectorRow], space: str) -> None:
        rows = [row for row in rows if space in row.vectors]
        if not rows:
            return
        starts = np.cumsum([0] + [len(row.vectors[space]) for row in rows])[:-1]
        scores_QP = self.queries @ np.concatenate([row.vectors[space] for row in rows]).T
        scores_QN = np.maximum.reduceat(scores_QP, starts, axis=1)
        for best, scores_N in zip(self.best, scores_QN, strict=True):
            for at in np.argsort(-scores_N)[:DEPTH]:
                best[rows[at].id] = float(scores_N[at])
            for id_ in sorted(best, key=best.__getitem__)[:-DEPTH]:
                del best[id_]
        self.own[rows[-1].id] = rows[-1].vectors[space][-1]
        if len(self.own) > OWN_PROBES:
            del self.own[next(iter(self.own))]


@dataclass(slots=True)
class _ExactTexts:
    """BM25 of one query over the rows added so far; the statistics are known at the end only, so counts are kept."""

    query: TextQuery
    counts: dict[str, tuple[Counter[str], Counter[str]]] = field(default_factory=dict)
    lengths: dict[str, tuple[int, int]] = field(default_factory=dict)

    def add(self, row: VectorRow, texts: tuple[Counter[str], Counter[str]]) -> None:
        wanted = self.query.terms.split(), self.query.pairs.split()
        counts = tuple(
            Counter({term: text[term] for term in set(terms) if term in text})
            for terms, text in zip(wanted, texts, strict=True)
        )
        if any(counts):
            self.counts[row.id] = counts[0], counts[1]
            self.lengths[row.id] = texts[0].total(), texts[1].total()

    def best(self, totals: Sequence["_Totals"]) -> list[float]:
        """The highest scores, best first."""
        scores = dict.fromkeys(self.counts, 0.0)
        for column, (terms, weight) in enumerate(
            ((self.query.terms, 1.0), (self.query.pairs, self.query.pair_weight))
        ):
            total, known = totals[column], {id_: counts[column] for id_, counts in self.counts.items()}
            for term in terms.split():
                holding = sum(term in counts for counts in known.values())
                idf = np.log1p((total.rows - holding + 0.5) / (holding + 0.5))
                for id_, counts in known.items():
                    if term in counts:
                        norm = K1 * (1 - B + B * self.lengths[id_][column] / total.mean)
                        scores[id_] += weight * idf * counts[term] * (K1 + 1) / (counts[term] + norm)
        return sorted((score for score in scores.values() if score > 0), reverse=True)[:DEPTH]


@dataclass(slots=True)
class _Totals:
    """Rows that have any term, and the number of their terms."""

    rows: int = 0
    terms: int = 0

    @property
    def mean(self) -> float:
        return max(self.terms / max(self.rows, 1), 1e-9)


class ProbeSet:
    """The probes of one build."""

    def __init__(self, embedders: Embedders, *, pair_weight: float) -> None:
        self._spaces = {
            space: _ExactVectors(embedder.encode_queries(PROBES), [{} for _ in PROBES])
            for space, embedder in embedders.spaces.items()
        }
        self._texts = [_ExactTexts(TextQuery(*analyse(probe), pair_weight)) for probe in PROBES]
        self._totals = _Totals(), _Totals()
        self._ids = 0

    def add(self, rows: Sequence[VectorRow]) -> None:
        """Take rows into account, each once."""
        self._ids += len(rows)
        for space, exact in self._spaces.items():
            exact.add(rows, space)
        for row in rows:
            texts = Counter(row.terms.split()), Counter(row.pairs.split())
            for total, counts in zip(self._totals, texts, strict=True):
                total.rows += bool(counts)
                total.terms += counts.total()
            for exact in self._texts:
                exact.add(row, texts)

    def check(
        self, store: VectorStore, *, wait_s: float, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        """Ask the store, again for ``wait_s`` while it does not answer like the reference.

        Raises:
            VectorStoreError: that names the first probe whose answer stays wrong.
        """
        deadline = time.monotonic() + wait_s
        while fault := next(self._faults(store), None):
            if time.monotonic() + PAUSE_S > deadline:
                raise VectorStoreError(f"the new index does not answer like the exact reference: {fault}")
            sleep(PAUSE_S)

    def _faults(self, store: VectorStore) -> Iterator[str]:
        if (rows := store.count()) != self._ids:
            yield f"it has {rows} rows of {self._ids}"
        for space, exact in self._spaces.items():
            yield from self._vector_faults(store, space, exact)
        answers = store.search_texts([exact.query for exact in self._texts], limit=DEPTH)
        for probe, exact, hits in zip(PROBES, self._texts, answers, strict=True):
            wanted, scores = exact.best(self._totals), [hit.score for hit in hits]
            if len(scores) != len(wanted) or not np.allclose(scores, wanted, rtol=BM25_TOLERANCE):
                yield f"words of {probe!r} score {_shown(scores)}, exactly {_shown(wanted)}"

    def _vector_faults(self, store: VectorStore, space: str, exact: _ExactVectors) -> Iterator[str]:
        found = num_best = 0
        for hits, best in zip(
            store.search_vectors(space, exact.queries, limit=DEPTH), exact.best, strict=True
        ):
            least = min(best.values(), default=0.0) - COSINE_TOLERANCE
            found += min(sum(hit.score >= least for hit in hits), len(best))
            num_best += len(best)
        if num_best and found / num_best < LEAST_RECALL:
            yield f"of the {num_best} nearest {space} rows of {len(PROBES)} questions it gives {found}"
        if exact.own:
            vectors = np.stack(list(exact.own.values()))
            answers = store.search_vectors(space, vectors, limit=DEPTH)
            missing = [
                id_ for id_, hits in zip(exact.own, answers, strict=True) if not _finds_itself(id_, hits)
            ]
            if len(missing) > (1 - LEAST_RECALL) * len(exact.own):
                yield (
                    f"{len(missing)} of {len(exact.own)} rows, {missing[0]!r} among them, are not found by their own "
                    f"{space} vector"
                )


def _finds_itself(id_: str, hits: Sequence[StoreHit]) -> bool:
    """Whether a search by a row's own vector gives it, or so many equal ones that it need not be among them."""
    is_among = id_ in {hit.id for hit in hits} or len(hits) == DEPTH
    return is_among and hits[0].score >= 1 - COSINE_TOLERANCE


def _shown(scores: Sequence[float]) -> str:
    return "[" + ", ".join(f"{score:.3f}" for score in scores[:3]) + (", ...]" if len(scores) > 3 else "]")
