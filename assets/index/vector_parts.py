"""Vectors of items ahead of the index: part by part of the tables of items, on any engine, kept until the index is there.

The vectors of a part are one file below ``index/.vectors``, named by what they are made from: a build that was killed goes on
behind the last finished part, whatever engine continues it. Which items need new vectors is decided by ``build.py``.
"""

import hashlib
import io
import json
from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from assets.corpus.item import Item
from assets.corpus.read import ItemRange, read_range
from assets.index.analysis import ANALYSIS_VERSION
from assets.index.search import content_hash, embedded_texts
from infra.embedders.minilm import Embedder
from infra.progress import ProgressListener
from infra.storage.root import Storage
from infra.vector_stores.types import Vectors
from infra.workers.local import WorkerEngine

FOLDER = "index/.vectors"


class VectorPart(NamedTuple):
    """A range of items, the positions within it of those that need vectors, and the name of the file of these."""

    range: ItemRange
    wanted: tuple[int, ...]
    name: str


def part_of(
    range_: ItemRange, items: Sequence[Item], wanted: Sequence[int], embedder: Embedder
) -> VectorPart:
    """The part of ``items``, which are those of the range."""
    made_from = [embedder.fingerprint, ANALYSIS_VERSION, [content_hash(items[at]) for at in wanted]]
    return VectorPart(
        range_, tuple(wanted), hashlib.sha256(json.dumps(made_from).encode()).hexdigest() + ".npy"
    )


def embed(
    storage: Storage,
    parts: Sequence[VectorPart],
    embedder: Embedder,
    engine: WorkerEngine,
    progress: ProgressListener,
) -> None:
    """Make the files of all parts that are not there yet.

    Raises:
        EmbedderError, EngineError: as embedder and engine do; what is finished is kept.
    """
    total, finished = sum(len(part.wanted) for part in parts), storage.sizes(FOLDER)
    missing = {part.name: part for part in parts if part.wanted and part.name not in finished}
    done = total - sum(len(part.wanted) for part in missing.values())
    if done:
        progress("embed", done, total)
    for count in engine.run(partial(_Embedding, storage, embedder), list(missing.values())):
        done += count
        progress("embed", done, total)


def read(storage: Storage, part: VectorPart, items: Sequence[Item], dim: int) -> Iterator[Vectors]:
    """The vectors ``[passages, dim]`` of each wanted item, in order; ``ValueError`` if the file is damaged."""
    if not part.wanted:
        return
    lengths = [len(embedded_texts(items[at])) for at in part.wanted]
    path = f"{FOLDER}/{part.name}"
    try:
        vectors_PD = np.load(io.BytesIO(storage.read_bytes(path)), allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ValueError(f"damaged {storage.path(path)}: {error}; remove it and build again") from error
    if vectors_PD.shape != (sum(lengths), dim):
        raise ValueError(f"damaged {storage.path(path)}: shape {vectors_PD.shape}; remove it and build again")
    yield from np.split(vectors_PD, np.cumsum(lengths)[:-1])


class _Embedding:
    """What a worker does: a part to its file."""

    def __init__(self, storage: Storage, embedder: Embedder) -> None:
        self._storage, self._embedder = storage, embedder

    def __call__(self, part: VectorPart) -> int:
        items = read_range(self._storage, part.range)
        texts = [text for at in part.wanted for text in embedded_texts(items[at])]
        target = io.BytesIO()
        np.save(target, self._embedder.encode_documents(texts), allow_pickle=False)
        self._storage.write_bytes(f"{FOLDER}/{part.name}", target.getvalue())
        return len(part.wanted)
