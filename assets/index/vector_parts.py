"""Vectors of items ahead of the index: part by part of the tables of items, on any engine, kept until the index is there.

The vectors of a part are one file below ``index/.vectors``, named by what they are made from: a build that was killed goes on
behind the last finished part, whatever engine continues it. Which items need new vectors is decided by ``build.py``.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from assets.corpus.item import Item
from assets.corpus.media import ShardMedia
from assets.corpus.read import ItemRange, read_range
from assets.index.analysis import ANALYSIS_VERSION
from assets.index.spaces import Embedders, content_hash, encode
from infra.errors import EmbedderError
from infra.progress import ProgressListener
from infra.storage.root import Storage
from infra.vector_stores.types import UNIT_TOLERANCE, Vectors
from infra.workers.local import WorkerEngine

FOLDER = "index/.vectors"


class VectorPart(NamedTuple):
    """A range of items in one space, the positions within it of those that need vectors, and the name of the file of these."""

    range: ItemRange
    space: str
    wanted: tuple[int, ...]
    name: str


def part_of(
    range_: ItemRange, items: Sequence[Item], space: str, wanted: Sequence[int], embedders: Embedders
) -> VectorPart:
    """The part of ``items``, which are those of the range."""
    hashes = [content_hash(items[at]) for at in wanted]
    made_from = [embedders.fingerprints[space], space, ANALYSIS_VERSION, hashes]
    name = hashlib.sha256(json.dumps(made_from).encode()).hexdigest() + ".npz"
    return VectorPart(range_, space, tuple(wanted), name)


def embed(
    storage: Storage,
    parts: Sequence[VectorPart],
    corpora: Mapping[str, str],
    embedders: Embedders,
    engine: WorkerEngine,
    progress: ProgressListener,
) -> None:
    """Make the files of all parts that are not there yet; ``corpora`` are the versions that they are of.

    Raises:
        EmbedderError, EngineError: as embedder and engine do; what is finished is kept.
    """
    total, finished = sum(len(part.wanted) for part in parts), storage.sizes(FOLDER)
    missing = {part.name: part for part in parts if part.wanted and part.name not in finished}
    done = total - sum(len(part.wanted) for part in missing.values())
    if total:
        progress("embed", done, total)
    for count in engine.run(partial(_Embedding, storage, corpora, embedders), list(missing.values())):
        done += count
        progress("embed", done, total)


def read(storage: Storage, part: VectorPart, dim: int) -> list[Vectors]:
    """The vectors ``[passages, dim]`` of each wanted item, in order; ``ValueError`` if the file is damaged."""
    if not part.wanted:
        return []
    path = f"{FOLDER}/{part.name}"
    try:
        with np.load(io.BytesIO(storage.read_bytes(path)), allow_pickle=False) as file:
            vectors_PD, lengths = file["vectors"], file["lengths"]
    except (ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise ValueError(f"damaged {storage.path(path)}: {error}; remove it and build again") from error
    if len(lengths) != len(part.wanted) or vectors_PD.shape != (lengths.sum(), dim):
        raise ValueError(f"damaged {storage.path(path)}: shape {vectors_PD.shape}; remove it and build again")
    return np.split(vectors_PD, np.cumsum(lengths)[:-1])


class _Embedding:
    """What a worker does: a part to its file."""

    def __init__(self, storage: Storage, corpora: Mapping[str, str], embedders: Embedders) -> None:
        self._storage, self._embedders = storage, embedders
        self._media = ShardMedia(storage, corpora)

    def __call__(self, part: VectorPart) -> int:
        items = read_range(self._storage, part.range)
        wanted = [items[at] for at in part.wanted]
        vectors = encode(part.space, wanted, self._embedders, self._media)
        _refuse_wrong(part, wanted, vectors, self._embedders.dims[part.space])
        target = io.BytesIO()
        lengths = np.array([len(matrix) for matrix in vectors], np.int64)
        np.savez(target, vectors=np.concatenate(vectors), lengths=lengths)
        self._storage.write_bytes(f"{FOLDER}/{part.name}", target.getvalue())
        return len(part.wanted)


def _refuse_wrong(part: VectorPart, items: Sequence[Item], vectors: Sequence[Vectors], dim: int) -> None:
    """``EmbedderError`` that names the first item whose vectors no index may hold."""
    for item, matrix in zip(items, vectors, strict=True):
        if matrix.shape[1:] != (dim,):
            reason = f"has shape {matrix.shape}, not [passages, {dim}]"
        elif not np.isfinite(matrix).all():
            reason = "is not finite"
        elif (np.abs(np.linalg.norm(matrix, axis=1) - 1) > UNIT_TOLERANCE).any():
            reason = "is not of length 1"
        else:
            continue
        raise EmbedderError(f"the embedder of {part.space} gave {item.id!r} a vector that {reason}")
