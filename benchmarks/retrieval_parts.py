"""What each part of the default search adds: one JSON line per variant and dataset, with bootstrap intervals.

Run on a root that has a corpus and an index (``vimrag corpus build``, ``vimrag index build``)::

    python benchmarks/retrieval_parts.py --root ROOT [--datasets hotpotqa,squad] [--scope all]

``--scope all`` puts the items of every indexed dataset in the way. Vectors are taken from the index; texts are analysed
anew for each variant, in tables that live as long as the run.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from assets.corpus.item import Item
from assets.corpus.question import Question
from assets.corpus.read import read_items, read_questions
from assets.index import analysis, retrieval
from assets.index.analysis import AnalysedText, analyse
from assets.index.published import current_index, open_store
from assets.index.search import PAIR_WEIGHT
from infra.embedders.minilm import MiniLmEmbedder
from infra.storage.root import Storage
from infra.vector_stores.fusion import fuse
from infra.vector_stores.lance import LanceStore
from infra.vector_stores.types import StoreHit, TextQuery, VectorRow, Vectors, VectorStore, ranked

DEPTH = 100
RESAMPLES = 2_000
KS = (1, 3, 5, 10)
Analyser = Callable[..., AnalysedText]
Ranking = list[list[StoreHit]]


def words(*parts: str) -> AnalysedText:
    """Lower-cased words, nothing else."""
    return AnalysedText(" ".join(re.findall(r"\w+", " ".join(parts).lower())), "")


def stems_with_stop_words(*parts: str) -> AnalysedText:
    """Stems of every word."""
    kept, analysis.STOP_WORDS = analysis.STOP_WORDS, frozenset()
    try:
        return analyse(*parts)
    finally:
        analysis.STOP_WORDS = kept


def without_title(_: str, text: str = "") -> AnalysedText:
    """The default analysis of the text alone; a question has no title to leave out."""
    return analyse(text or _)


class Pool(NamedTuple):
    """Questions and everything that may be found."""

    questions: list[Question]
    items: list[Item]
    passages: dict[str, Vectors]
    query_vectors: Vectors


def by_text(pool: Pool, analyser: Analyser, pair_weight: float) -> Ranking:
    with tempfile.TemporaryDirectory() as folder:
        store = LanceStore(folder, dims={"text": pool.query_vectors.shape[1]}, payload={})
        store.upsert(
            [_row(item, analyser(item.title, item.text), pool.passages[item.id]) for item in pool.items]
        )
        store.publish()
        queries = [analyser(question.text) for question in pool.questions]
        weighted = [TextQuery(terms, pairs if pair_weight else "", pair_weight) for terms, pairs in queries]
        return store.search_texts(weighted, limit=DEPTH)


def by_vector(pool: Pool, *, passages: slice = slice(None)) -> Ranking:
    scores = np.stack(
        [(pool.query_vectors @ pool.passages[item.id][passages].T).max(axis=1) for item in pool.items], axis=1
    )
    ids = [item.id for item in pool.items]
    return [ranked(zip(ids, row.tolist(), strict=True))[:DEPTH] for row in scores]


def reciprocal_ranks(one: Iterable[StoreHit], other: Iterable[StoreHit]) -> list[StoreHit]:
    total: dict[str, float] = {}
    for hits in (one, other):
        for rank, hit in enumerate(hits, start=1):
            total[hit.id] = total.get(hit.id, 0.0) + 1 / (60 + rank)
    return ranked(total.items())


def variants(pool: Pool) -> Iterable[tuple[str, Ranking]]:
    yield "bm25 words", by_text(pool, words, 0)
    yield "bm25 stems", by_text(pool, stems_with_stop_words, 0)
    yield "bm25 stems, no stop words, no title", by_text(pool, without_title, 0)
    stems = by_text(pool, analyse, 0)
    yield "bm25 stems, no stop words", stems
    pairs = by_text(pool, analyse, PAIR_WEIGHT)
    yield "bm25 stems, no stop words, pairs", pairs
    first, best = by_vector(pool, passages=slice(1)), by_vector(pool)
    yield "vectors, first passage", first
    yield "vectors, best passage", best
    yield "reciprocal ranks (stems, first passage)", _joined(reciprocal_ranks, stems, first)
    yield "reciprocal ranks (pairs, best passage)", _joined(reciprocal_ranks, pairs, best)
    yield "scores (stems, best passage)", _joined(_half, stems, best)
    yield "scores (pairs, first passage)", _joined(_half, pairs, first)
    yield "scores (pairs, best passage): the default", _joined(_half, pairs, best)


def interval(values: Sequence[float]) -> list[float]:
    """95 % bootstrap interval of the mean."""
    drawn = np.random.default_rng(0).choice(np.array(values), size=(RESAMPLES, len(values)))
    return [round(float(bound), 3) for bound in np.quantile(drawn.mean(axis=1), (0.025, 0.975))]


def measured(pool: Pool, ranking: Ranking) -> dict[str, object]:
    outcomes = [
        retrieval.outcome([hit.id for hit in hits], question.gold, KS)
        for question, hits in zip(pool.questions, ranking, strict=True)
    ]
    recall = {
        str(k): {"mean": round(float(np.mean(shares)), 3), "interval": interval(shares)}
        for at, k in enumerate(KS)
        for shares in [[outcome.found_share[at] for outcome in outcomes]]
    }
    return {"recall": recall, "mrr": round(float(np.mean([one.reciprocal_rank for one in outcomes])), 3)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", required=True)
    parser.add_argument("--datasets", default="")
    parser.add_argument("--scope", choices=retrieval.SCOPES, default="own")
    arguments = parser.parse_args()
    storage = Storage(arguments.root)
    pointer = current_index(storage)
    if pointer is None:
        raise SystemExit(f"no index at {storage.path('index')}")
    index = open_store(storage, pointer)
    for name in arguments.datasets.split(",") if arguments.datasets else pointer.datasets:
        pool = _pool(storage, index, name, list(pointer.datasets) if arguments.scope == "all" else [name])
        for variant, ranking in variants(pool) if pool.questions else ():
            facts = {
                "dataset": name,
                "items": len(pool.items),
                "questions": len(pool.questions),
                "variant": variant,
            }
            print(json.dumps(facts | measured(pool, ranking)), flush=True)


def _pool(storage: Storage, index: VectorStore, name: str, scopes: Sequence[str]) -> Pool:
    questions = [question for question in read_questions(storage, name) if retrieval.counts(question)]
    items = [item for scope in scopes for item in read_items(storage, scope)]
    kept = index.stored([item.id for item in items])
    vectors = MiniLmEmbedder().encode_queries([question.text for question in questions])
    return Pool(questions, items, {id_: row.vectors["text"] for id_, row in kept.items()}, vectors)


def _row(item: Item, analysed: AnalysedText, vectors: Vectors) -> VectorRow:
    return VectorRow(
        id=item.id,
        scope=item.dataset,
        content_hash="",
        vectors={"text": vectors},
        terms=analysed.terms,
        pairs=analysed.pairs,
    )


def _half(one: Iterable[StoreHit], other: Iterable[StoreHit]) -> list[StoreHit]:
    return fuse([(0.5, 0.0, list(one)), (0.5, None, list(other))])


def _joined(
    join: Callable[[Iterable[StoreHit], Iterable[StoreHit]], list[StoreHit]], one: Ranking, other: Ranking
) -> Ranking:
    return [join(*pair) for pair in zip(one, other, strict=True)]


if __name__ == "__main__":
    main()
