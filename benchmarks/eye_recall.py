"""What an eye adds to an index: recall of pictures and clips with and without it, and the weights of the fusion.

Writes invented worlds, builds their corpus with the real parsers, and indexes it with LanceDB: once with the words of
pictures, pages and clips taken away, without an eye and with one, and once with them. One JSON line a result::

    python benchmarks/eye_recall.py --eye ROOT/models/miniature_eye --split test --worlds 4

Two sets of queries: *sights* (what somebody asks who saw a thing and knows no name; right is every item of which the words
are true) and the miniature's own *questions* (right is their gold evidence). Both are asked in the whole index.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np

from assets.corpus import tables
from assets.corpus.build import build_corpus
from assets.corpus.item import Item, Modality
from assets.corpus.read import built_datasets, read_items, read_questions, same_content
from assets.index.analysis import analyse
from assets.index.build import build_index
from assets.index.published import current_index, open_store
from assets.index.retrieval import counts
from assets.index.search import PAIR_WEIGHT
from assets.index.settings import IndexSettings, embedders_of
from assets.index.spaces import Embedders
from assets.miniature.build import write_miniature
from assets.miniature.sights import Sight, full_description, world_sights
from assets.miniature.world import MiniatureWorld
from infra.embedders.config import embedder_config
from infra.storage import manifest
from infra.storage.publication import publish
from infra.storage.root import Storage
from infra.vector_stores.fusion import HybridSettings, join
from infra.vector_stores.types import (
    CLIP_SPACE,
    IMAGE_SPACE,
    TEXT_SPACE,
    StoreHit,
    TextQuery,
)
from orchestration.embedding.eye_recall import chance_of_one

K = 5
DEPTH = HybridSettings().depth
RESAMPLES = 2_000
WORDS = "words"
SPACES = (WORDS, TEXT_SPACE, IMAGE_SPACE, CLIP_SPACE)
WEIGHTS = (0.2, 0.3, 0.4, 0.5)
DISTANCES = (
    (-9.0, -8.0),
    (1.0, 2.5),
    (1.0, 3.0),
    (1.5, 2.5),
    (1.5, 3.0),
    (2.0, 3.0),
)  # the first trusts words always
Rankings = Mapping[str, list[list[StoreHit]]]
"""Space -> of each query its best rows."""


class Query(NamedTuple):
    """``right`` are ids of which any will do (sights), or of which every one counts its share (questions)."""

    kind: str
    text: str
    right: frozenset[str]
    any_will_do: bool

    def found(self, hits: Sequence[StoreHit], same: Mapping[str, str]) -> float:
        """In the first ``K``, copies counted once."""
        first = list(dict.fromkeys(same.get(hit.id, hit.id) for hit in hits))[:K]
        number = len(self.right & set(first))
        return float(bool(number)) if self.any_will_do else number / len(self.right)

    def chance(self, num_items: int) -> float:
        """Of ``K`` items drawn at random."""
        return chance_of_one(len(self.right), num_items, K) if self.any_will_do else min(1.0, K / num_items)


class Corpus(NamedTuple):
    """A root whose corpus is built, what is asked of it, and its copies: item -> the one that stands for all."""

    storage: Storage
    queries: list[Query]
    same: dict[str, str]
    num_items: int


def build(folder: Path, split: str, worlds: int, seed: int, per_dataset: int) -> Corpus:
    seen: dict[str, Sight] = {}

    def note(world: MiniatureWorld, item_ids: Mapping) -> None:
        seen.update({item_ids[key]: sight for key, sight in world_sights(world).items()})

    write_miniature(
        folder / "raw",
        seed=seed,
        worlds_by_split={split: worlds},
        questions_per_dataset=per_dataset,
        on_world=note,
    )
    storage = Storage(folder / "root")
    build_corpus(folder / "raw", storage)
    names = built_datasets(storage)
    items = [item for name in names for item in read_items(storage, name)]
    same = same_content(storage, names) | {alias: item.id for item in items for alias in item.aliases}
    sights = {same.get(item_id, item_id): sight for item_id, sight in seen.items()}
    queries = list(_sight_queries(sights))
    for name in names:
        modality = {item.id: item.modality for item in items}
        for question in read_questions(storage, name):
            if counts(question):
                gold = frozenset(same.get(id_, id_) for id_ in question.gold)
                kinds = sorted({str(modality[id_]) for id_ in gold})
                queries.append(Query(f"question: {'+'.join(kinds)}", question.text, gold, False))
    return Corpus(storage, queries, same, len({same.get(item.id, item.id) for item in items}))


def _sight_queries(sights: Mapping[str, Sight]) -> Iterator[Query]:
    for sight in sights.values():
        words = full_description(sight)
        right = frozenset(id_ for id_, other in sights.items() if words.fits(other))
        yield Query(f"sight: {sight.kind}", words.text, right, True)


def stripped(corpus: Corpus, folder: Path) -> Corpus:
    """The same without the titles and words of whatever is no text."""
    shutil.copytree(corpus.storage.local_path() or "", folder)
    storage = Storage(folder)
    for name in built_datasets(storage):
        before = manifest.read(storage, f"corpus/{name}")
        items, questions = list(read_items(storage, name)), list(read_questions(storage, name))
        with publish(
            storage, f"corpus/{name}", producer="benchmark", params={}, inputs=dict(before.inputs)
        ) as made:
            with tables.TableWriter(made.open("items.parquet"), tables.ITEMS) as table:
                for item in items:
                    table.write(tables.item_row(_without_words(item)))
            with tables.TableWriter(made.open("questions.parquet"), tables.QUESTIONS) as table:
                for question in questions:
                    table.write(tables.question_row(question))
    shutil.rmtree(folder / "index", ignore_errors=True)
    return corpus._replace(storage=storage)


def _without_words(item: Item) -> Item:
    return item if item.modality is Modality.TEXT else replace(item, title="", text="")


def rankings(corpus: Corpus, settings: IndexSettings) -> Rankings:
    """Index the corpus and ask everything in every space."""
    build_index(corpus.storage, settings)
    pointer = current_index(corpus.storage)
    assert pointer is not None
    store, embedders = open_store(corpus.storage, pointer), embedders_of(settings)
    texts = [query.text for query in corpus.queries]
    worded = [TextQuery(*analyse(text), PAIR_WEIGHT) for text in texts]
    found = {WORDS: store.search_texts(worded, limit=DEPTH)}
    for space in embedders.spaces:
        found[space] = store.search_vectors(space, _encoded(embedders, space, texts), limit=DEPTH)
    return found


def _encoded(embedders: Embedders, space: str, texts: Sequence[str]) -> np.ndarray:
    return embedders.spaces[space].encode_queries(texts)


def scores(
    corpus: Corpus, found: Rankings, used: Sequence[str] = SPACES, settings: HybridSettings | None = None
) -> np.ndarray:
    """``[Q]``, what is found of each query when some of the rankings are joined."""
    spaces = [space for space in used if space in found and space != WORDS]
    outcomes = []
    for at, query in enumerate(corpus.queries):
        worded = found[WORDS][at] if WORDS in used else []
        near = {space: found[space][at] for space in spaces}
        outcomes.append(query.found(join(worded, near, settings or HybridSettings()), corpus.same))
    return np.array(outcomes)


def by_kind(corpus: Corpus, found: np.ndarray) -> dict[str, dict[str, float]]:
    """Of each kind of query: how many, found, and by chance."""
    kinds = np.array([query.kind for query in corpus.queries])
    chance = np.array([query.chance(corpus.num_items) for query in corpus.queries])
    return {
        kind: {
            "queries": int((kinds == kind).sum()),
            "found": round(float(found[kinds == kind].mean()), 3),
            "chance": round(float(chance[kinds == kind].mean()), 3),
        }
        for kind in sorted(set(kinds))
    }


def interval(differences: np.ndarray) -> list[float]:
    """95 % bootstrap interval of the mean of paired differences."""
    drawn = np.random.default_rng(0).choice(differences, size=(RESAMPLES, len(differences)))
    return [round(float(bound), 3) for bound in np.quantile(drawn.mean(axis=1), (0.025, 0.975))]


PARTS = {
    "words": (WORDS,),
    "text vectors": (TEXT_SPACE,),
    "words + text vectors": (WORDS, TEXT_SPACE),
    "looks": (IMAGE_SPACE, CLIP_SPACE),
}
"""What the whole is compared with."""


def compare(corpus: Corpus, found: Rankings) -> Iterator[dict[str, object]]:
    """The default weights against each part, on the sights and on the questions."""
    is_sight = np.array([query.any_will_do for query in corpus.queries])
    whole = scores(corpus, found)
    yield {"variant": "hybrid", **means(whole, is_sight), "kinds": by_kind(corpus, whole)}
    for name, used in PARTS.items():
        part = scores(corpus, found, used)
        gains = {
            f"hybrid_minus_{of}": {
                "mean": round(float((whole - part)[mask].mean()), 3),
                "interval": interval((whole - part)[mask]),
            }
            for of, mask in (("sights", is_sight), ("questions", ~is_sight))
        }
        yield {"variant": name, **means(part, is_sight), **gains}


def means(found: np.ndarray, is_sight: np.ndarray) -> dict[str, float]:
    return {
        "sights": round(float(found[is_sight].mean()), 3),
        "questions": round(float(found[~is_sight].mean()), 3),
    }


def grid(corpus: Corpus, found: Rankings) -> Iterator[dict[str, object]]:
    """Weight of the looks, and how far the best row of the words has to stand out, beside 0.5 for words and 0.5 for meaning."""
    is_sight = np.array([query.any_will_do for query in corpus.queries])
    for weight, (vague, clear) in product(WEIGHTS, DISTANCES):
        settings = HybridSettings(looks_weight=weight, vague=vague, clear=clear)
        found_share = means(scores(corpus, found, settings=settings), is_sight)
        yield {"looks": weight, "vague": vague, "clear": clear, **found_share}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--eye", required=True, help="folder of an embedder that sees")
    parser.add_argument("--split", default="test")
    parser.add_argument("--worlds", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--questions", type=int, default=8, help="of a world in each dataset, about")
    parser.add_argument(
        "--grid", action="store_true", help="try weights; for worlds that are not reported on"
    )
    arguments = parser.parse_args()
    blind, seeing = IndexSettings(), IndexSettings(vision=embedder_config(arguments.eye))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        whole = build(folder, arguments.split, arguments.worlds, arguments.seed, arguments.questions)
        facts = {"split": arguments.split, "worlds": arguments.worlds, "items": whole.num_items}
        if arguments.grid:
            for line in grid(whole, rankings(whole, seeing)):
                print(json.dumps(facts | line), flush=True)
            return
        bare = stripped(whole, folder / "bare")
        for name, settings in (("without", blind), ("with", seeing)):
            found = by_kind(bare, scores(bare, rankings(bare, settings)))
            print(json.dumps(facts | {"words_of_pictures": False, "eye": name, "kinds": found}), flush=True)
        for line in compare(whole, rankings(whole, seeing)):
            print(json.dumps(facts | {"words_of_pictures": True} | line), flush=True)


if __name__ == "__main__":
    main()
