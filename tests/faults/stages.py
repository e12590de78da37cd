"""The stages of data, as production does them, and the corpora they are about.

An invented corpus is a number: ``texts(n)`` draws words, so that the text of each item finds this very item in an index of
that corpus and in no other. ``shift_of`` tells which corpus an index holds by the digest that its manifest names.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory

from assets.corpus.build import build_corpus
from assets.corpus.item import Item
from assets.index.build import build_index
from assets.index.published import corpora, current_index, open_index, roll_back
from assets.index.retention import UNFINISHED_S, collect
from assets.index.search import Index
from assets.index.settings import IndexSettings
from assets.parsers.types import ParseContext
from infra.storage import manifest
from infra.storage.root import Storage
from tests.assets.small_corpus import CountingEmbedder, item, write_corpus
from tests.faults.orders import Order

ITEMS = 24
ASKED = 6  # items whose own text is searched for
DATASET = "slidevqa"  # of the raw folders: pages, so that there are shards
WORDS = [f"word{number}" for number in range(60)]


def stage(order: Order) -> Callable[[], object]:
    """What the process of the order does."""
    storage, options = Storage(order.root), dict(order.options)
    if order.stage in ("corpus", "shards"):
        return partial(build_raw, storage, Path(options["raw"]))
    if order.stage in ("index", "publish"):
        return partial(build, storage, order.store, corpus=options.get("corpus"))
    if order.stage == "promote":
        return partial(roll_back, storage, options["version"])
    if order.stage == "gc":
        return partial(gc, storage, young=options.get("young", False))
    if order.stage == "rebuild":
        return partial(write, storage, options["corpus"])
    if order.stage == "reindex":
        return partial(
            reindex, storage, order.store, options["corpus"], own=options.get("embedder") == "default"
        )
    raise ValueError(f"unknown stage {order.stage!r}")


def texts(corpus: int) -> list[Item]:
    """The items of an invented corpus; their order differs from corpus to corpus, their ids do not."""
    draw = random.Random(corpus)
    items = [item(f"t{n:03d}", " ".join(draw.choices(WORDS, k=12))) for n in range(ITEMS)]
    draw.shuffle(items)
    return items


def write(storage: Storage, corpus: int) -> None:
    """Publish it as the current one of the dataset."""
    write_corpus(storage, texts(corpus))


def build_raw(storage: Storage, raw: Path) -> None:
    """The corpus and the shards of the raw folder."""
    build_corpus(raw, storage, datasets=[DATASET], settings=ParseContext(ocr=None))


def build(storage: Storage, store: str, *, corpus: int | None = None, keep_s: float = 3600.0) -> str:
    """Index what is there, or the invented corpus, which is published before."""
    if corpus is not None:
        write(storage, corpus)
    settings = IndexSettings(store=store, keep_s=keep_s)
    return build_index(storage, settings, embedder=CountingEmbedder()).version


def gc(storage: Storage, *, young: bool = False) -> None:
    """Collect all that is not in use; of versions that were never used also the young ones, unless they are to stay."""
    collect(storage, keep_s=0.0, unfinished_s=UNFINISHED_S if young else 0.0)


def reindex(storage: Storage, store: str, corpus: int, *, own: bool) -> None:
    """A nightly index in a hurry: nothing old is kept but what must be. With its ``own`` embedder, not the cheap one."""
    write(storage, corpus)
    settings = IndexSettings(store=store, keep_s=0.0)
    build_index(storage, settings, embedder=None if own else CountingEmbedder())
    gc(storage)


def opened(storage: Storage, reader: str | None = None) -> Index:
    """The index in use."""
    return open_index(storage, embedder=CountingEmbedder(), reader=reader)


def wrong_answers(storage: Storage, index: Index) -> list[str]:
    """Items of the corpus the index was built from that are not found first by their own text, or found twice."""
    digest = corpora(storage, index.version).get("toy")
    corpus = next((n for n in range(10) if digest_of(n) == digest), None)
    if corpus is None:
        return [f"index {index.version} was built from corpus {digest}, which nobody wrote"]
    asked = texts(corpus)[:ASKED]
    hits = index.rank_many([each.text for each in asked], 3)
    return [
        f"index {index.version}: {each.id} is found as {[hit.id for hit in found]}"
        for each, found in zip(asked, hits, strict=True)
        if not found or found[0].id != each.id or len({hit.id for hit in found}) != len(found)
    ]


@cache
def digest_of(corpus: int) -> str:
    """Of the manifest of an invented corpus, wherever it is written."""
    with TemporaryDirectory() as folder:
        storage = Storage(folder)
        write(storage, corpus)
        return manifest.digest(manifest.read(storage, "corpus/toy"))


def current_version(storage: Storage) -> str:
    """Of the index in use; "" if there is none."""
    pointer = current_index(storage)
    return pointer.version if pointer else ""
