"""Corpora of a few invented items, and an embedder that costs nothing and tells what it was asked."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from assets.corpus import tables
from assets.corpus.item import Item, Modality
from assets.corpus.question import Question
from infra.embedders.types import TEXT_ONLY
from infra.storage.publication import publish
from infra.storage.root import Storage
from infra.vector_stores.types import Vectors


class CountingEmbedder:
    """Bags of words hashed to 64 buckets; keeps what it was asked to embed."""

    dim, space, modalities = 64, "bags", TEXT_ONLY

    def __init__(self, name: str = "bags") -> None:
        self.fingerprint = hashlib.sha256(name.encode()).hexdigest()
        self.documents: list[str] = []

    def encode_documents(self, texts: Sequence[str]) -> Vectors:
        self.documents += texts
        return self.encode_queries(texts)

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        vectors = np.full((len(texts), self.dim), 1e-3, dtype=np.float32)
        for row, text in enumerate(texts):
            for word in re.findall(r"\w+", text.lower()):
                vectors[row, int(hashlib.sha256(word.encode()).hexdigest(), 16) % self.dim] += 1
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def item(native: str, text: str, *, dataset: str = "toy", **fields: object) -> Item:
    values: dict[str, object] = {
        "id": f"{dataset}:text:{native}",
        "dataset": dataset,
        "modality": Modality.TEXT,
        "content_hash": hashlib.sha256(text.encode()).hexdigest(),
        "title": native,
        "text": text,
    }
    return Item(**(values | fields))


def write_corpus(
    storage: Storage, items: Sequence[Item], questions: Sequence[Question] = (), *, dataset: str = "toy"
) -> None:
    made: dict[str, Any] = {"producer": "test", "params": {}, "inputs": {}, "versioned": True}
    with publish(storage, f"corpus/{dataset}", **made) as corpus:
        corpus.counts.update({"items": len(items), "questions": len(questions)})
        with tables.TableWriter(corpus.open("items.parquet"), tables.ITEMS) as table:
            for one in items:
                table.write(tables.item_row(one))
        with tables.TableWriter(corpus.open("questions.parquet"), tables.QUESTIONS) as table:
            for one in questions:
                table.write(tables.question_row(one))
