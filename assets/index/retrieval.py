"""How well the index finds the gold evidence of the benchmark questions.

Holds the measure only. A question counts if its evidence is PRESENT and it has gold that is in the index; recall at k is the
mean over questions of the found share of their gold items. In the whole index items of equal content are one, whichever
dataset they came with: a video that two datasets ask about is found under either id.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

from assets.corpus.question import EvidenceStatus, Question
from assets.corpus.read import read_questions, same_content
from assets.index.published import current_index, open_index
from assets.index.search import Index
from infra.embedders.types import Embedder, VisionEmbedder
from infra.storage import manifest
from infra.storage.root import Storage
from infra.vector_stores.types import EVERY_ROW, RowFilter

KS = (1, 3, 5, 10)
SCOPES = ("own", "all")
MRR_DEPTH = 100  # ranks looked at; a first gold item behind them counts 0
BATCH_QUESTIONS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetRetrieval:
    """Measures of one dataset; None where no question could be counted."""

    items: int
    questions: int
    recall: Mapping[int, float | None]
    mrr: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievalReport:
    """Measures by dataset, and which index gave them."""

    scope: str
    fingerprint: str
    datasets: Mapping[str, DatasetRetrieval]
    stale: tuple[str, ...] = ()
    """Datasets whose corpus was built again since they were indexed: what is measured of them means little."""

    def to_json(self) -> dict[str, Any]:
        """As the command line prints it; recall is keyed by k as a string."""
        shown = {
            name: {
                "items": measured.items,
                "questions": measured.questions,
                "recall": {str(k): value for k, value in measured.recall.items()},
                "mrr": measured.mrr,
            }
            for name, measured in self.datasets.items()
        }
        return {
            "datasets": shown,
            "scope": self.scope,
            "fingerprint": self.fingerprint,
            "stale": list(self.stale),
        }


class _Outcome(NamedTuple):
    found_share: tuple[float, ...]  # at each k
    reciprocal_rank: float


def evaluate(
    storage: Storage,
    *,
    scope: str = "own",
    ks: Sequence[int] = KS,
    datasets: Sequence[str] | None = None,
    embedder: Embedder | None = None,
    vision: VisionEmbedder | None = None,
) -> RetrievalReport:
    """Recall and mean reciprocal rank of the index in use, for its datasets or those named.

    Args:
        storage: the root with corpus and index.
        scope: "own" searches each dataset in its own items, "all" in the whole index.
        ks: the ranks at which recall is taken, each at least 1.
        datasets: some of those in the index.
        embedder: the one of words that the index was built with, if not the default.
        vision: the one of pixels, without which pixels are not searched.

    Raises:
        ValueError: for an unknown scope, a k below 1, a dataset that is not in the index, or if there is no index.
    """
    if scope not in SCOPES:
        raise ValueError(f"unknown scope {scope!r}; known: {', '.join(SCOPES)}")
    if not ks or min(ks) < 1:
        raise ValueError(f"recall needs ranks of at least 1, got {list(ks)}")
    index = open_index(storage, embedder=embedder, vision=vision)
    pointer = current_index(storage)
    indexed = pointer.datasets if pointer else {}
    if unknown := sorted(set(datasets or ()) - set(indexed)):
        raise ValueError(f"not in the index: {', '.join(unknown)}; it has: {', '.join(indexed)}")
    same = same_content(storage, tuple(indexed)) if scope == "all" else {}
    measured = {
        name: _measure(
            storage, index, _Pool(name, RowFilter(scopes=(name,)) if scope == "own" else EVERY_ROW, same), ks
        )
        for name in datasets or indexed
    }
    return RetrievalReport(
        scope=scope,
        fingerprint=index.fingerprint,
        datasets=measured,
        stale=_stale(storage, index.version, tuple(measured)),
    )


def _stale(storage: Storage, version: str, datasets: Sequence[str]) -> tuple[str, ...]:
    indexed = manifest.read(storage, f"index/{version}").inputs
    built = {name: manifest.digest(manifest.read(storage, f"corpus/{name}")) for name in datasets}
    return tuple(name for name in datasets if indexed.get(name) != built[name])


class _Pool(NamedTuple):
    """Whose questions are asked, and among which items; ``same`` names items of equal content alike."""

    dataset: str
    where: RowFilter
    same: Mapping[str, str]


def _measure(storage: Storage, index: Index, pool: _Pool, ks: Sequence[int]) -> DatasetRetrieval:
    outcomes: list[_Outcome] = []
    depth = max(MRR_DEPTH, *ks)
    questions = read_questions(storage, pool.dataset)
    for batch in _batches(question for question in questions if counts(question)):
        ranked = index.rank_many([question.text for question in batch], depth, pool.where)
        outcomes += [
            outcome(_once([hit.id for hit in hits], pool.same), _once(question.gold, pool.same), ks)
            for question, hits in zip(batch, ranked, strict=True)
        ]
    return DatasetRetrieval(
        items=index.count(RowFilter(scopes=(pool.dataset,))),
        questions=len(outcomes),
        recall={k: _mean([outcome.found_share[at] for outcome in outcomes]) for at, k in enumerate(ks)},
        mrr=_mean([outcome.reciprocal_rank for outcome in outcomes]),
    )


def _once(ids: Sequence[str], same: Mapping[str, str]) -> list[str]:
    """The ids in order, each content once under the name that stands for it."""
    return list(dict.fromkeys(same.get(id_, id_) for id_ in ids))


def counts(question: Question) -> bool:
    """Whether retrieval can be scored on ``question``."""
    return question.evidence is EvidenceStatus.PRESENT and bool(question.gold)


def outcome(ranked_ids: Sequence[str], gold: Sequence[str], ks: Sequence[int]) -> _Outcome:
    """Found share of ``gold`` (a set) within each of the first ``ks`` ids, and 1 / rank of the first gold id."""
    wanted = set(gold)
    ranks = [rank for rank, id_ in enumerate(ranked_ids, start=1) if id_ in wanted]
    shares = tuple(sum(rank <= k for rank in ranks) / len(wanted) for k in ks)
    return _Outcome(shares, 1 / ranks[0] if ranks and ranks[0] <= MRR_DEPTH else 0.0)


def _batches(questions: Iterator[Question]) -> Iterator[list[Question]]:
    while batch := list(islice(questions, BATCH_QUESTIONS)):
        yield batch


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
