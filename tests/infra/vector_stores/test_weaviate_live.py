"""What a live Weaviate does to its users, one test a trap: found rows are right after writes, deletes, restarts and kills.

The exact reference is brute force over everything that was written.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import weaviate

from infra.errors import VectorStoreError
from infra.vector_stores import weaviate as adapter
from infra.vector_stores import weaviate_collections as collections
from infra.vector_stores.in_memory_texts import InMemoryTexts
from infra.vector_stores.in_memory_vectors import InMemoryVectors
from infra.vector_stores.lance import LanceStore
from infra.vector_stores.types import RowFilter, TextQuery, VectorRow, Vectors, VectorStore
from infra.vector_stores.weaviate import WeaviateStore
from infra.vector_stores.weaviate_collections import WeaviateAddress
from tests.weaviate.server import BINARY, WeaviateServer

pytestmark = [
    pytest.mark.skipif(not BINARY.is_file(), reason="no Weaviate server: `make weaviate` builds it"),
    pytest.mark.timeout(600),  # servers are started, killed and started again
]

DIM = 32
MISSED = 3  # of a thousand rows: so many the server's index misses without any fault
WORDS = [f"word{number}" for number in range(300)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WeaviateServer]:
    """One that is killed and started again; settings are those of a server that nobody tuned."""
    started = WeaviateServer(tmp_path_factory.mktemp("weaviate"))
    started.start()
    yield started
    started.stop()


@pytest.fixture
def client(server: WeaviateServer) -> Iterator[weaviate.WeaviateClient]:
    with collections.connect(server.address) as opened:
        yield opened


class Versions:
    """A collection and its generations, each with its words in a folder."""

    def __init__(self, client: weaviate.WeaviateClient, folder: Path, address: WeaviateAddress) -> None:
        self.address = address
        self.client, self.folder, self.collection = client, folder, f"T{uuid.uuid4().hex}"
        collections.create(client, self.collection, {"text": DIM})

    def store(
        self, generation: int, before: WeaviateStore | None = None, *, client: object = None
    ) -> WeaviateStore:
        words = LanceStore(str(self.folder / f"words{generation}"), dims={}, payload={"modality": str})
        return WeaviateStore(
            client if isinstance(client, weaviate.WeaviateClient) else self.client,
            words,
            collection=self.collection,
            generation=generation,
            dims={"text": DIM},
            before=before,
            address=self.address,
        )


@pytest.fixture
def collection(server: WeaviateServer, client: weaviate.WeaviateClient, tmp_path: Path) -> Iterator[Versions]:
    versions = Versions(client, tmp_path, server.address)
    yield versions
    if collections.exists(client, versions.collection):
        collections.drop(client, versions.collection)


def rows(count: int, seed: int = 0, prefix: str = "r") -> list[VectorRow]:
    """Clustered unit vectors, two passages each, and a text of common and rare words."""
    noise, draw = np.random.default_rng(seed), random.Random(seed)
    centres = noise.standard_normal((20, DIM))
    vectors = centres[noise.integers(0, 20, 2 * count)] + 0.5 * noise.standard_normal((2 * count, DIM))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return [
        VectorRow(
            id=f"{prefix}{number:05d}",
            scope="even" if number % 2 == 0 else "odd",
            content_hash=f"{seed}.{number}",
            vectors={"text": vectors[2 * number : 2 * number + 2]},
            terms=" ".join(draw.choices(WORDS, k=draw.randint(3, 30))),
        )
        for number in range(count)
    ]


def assert_like_the_reference(store: VectorStore, written: list[VectorRow], *, least: float = 0.99) -> None:
    """Vector and text search, filtered and not, against brute force over ``written``."""
    ids, columns = [row.id for row in written], {"scope": [row.scope for row in written]}
    exact = InMemoryVectors.of(ids, columns, [row.vectors["text"] for row in written])
    texts = InMemoryTexts.of(ids, columns, [row.terms for row in written], ["" for _ in written])
    queries = np.concatenate([row.vectors["text"][:1] for row in rows(20, seed=99)])
    asked = [TextQuery(" ".join(random.Random(number).sample(WORDS, 3))) for number in range(20)]
    for where in (RowFilter(), RowFilter(scopes=("odd",))):
        expected, hits = (
            exact.search(queries, limit=10, where=where),
            store.search_vectors("text", queries, limit=10, where=where),
        )
        shared = [
            len({h.id for h in one} & {h.id for h in other}) / 10
            for one, other in zip(expected, hits, strict=True)
        ]
        assert np.mean(shared) >= least
        known = {hit.id: hit.score for hit in expected[0]}
        assert all(hit.score == pytest.approx(known[hit.id], abs=1e-3) for hit in hits[0] if hit.id in known)
        for one, other in zip(
            texts.search(asked, limit=10, where=where),
            store.search_texts(asked, limit=10, where=where),
            strict=True,
        ):
            assert dict(one) == pytest.approx(dict(other), rel=1e-4)


def lost(store: WeaviateStore, written: list[VectorRow]) -> list[str]:
    """The rows that are not found by their own vector."""
    with ThreadPoolExecutor(4) as pool:
        answers = list(
            pool.map(lambda row: store.search_vectors("text", row.vectors["text"][:1], limit=5)[0], written)
        )
    return [
        row.id for row, hits in zip(written, answers, strict=True) if row.id not in {hit.id for hit in hits}
    ]


def test_rows_are_found_as_soon_as_they_are_written(collection: Versions):
    store, written = collection.store(1), rows(1500)
    store.upsert(written)
    store.publish()
    assert_like_the_reference(store, written)


def test_after_deletes_and_replacements_nothing_is_lost_and_every_score_is_right(collection: Versions):
    first, written = collection.store(1), rows(1000)
    first.upsert(written)
    first.publish()
    second = collection.store(2, first)
    replaced = rows(200, seed=1)
    second.upsert(replaced)
    second.carry(written[400:])
    second.publish()
    assert_like_the_reference(second, replaced + written[400:])
    assert_like_the_reference(first, written)  # whoever holds the version before keeps it
    assert collections.drop_removed(collection.client, collection.collection, 2) >= 800
    assert_like_the_reference(second, replaced + written[400:])
    third = collection.store(3, second)
    third.carry(replaced)
    third.publish()
    assert_like_the_reference(third, replaced)


def test_what_a_killed_build_left_is_taken_back(collection: Versions):
    first, written = collection.store(1), rows(300)
    first.upsert(written)
    first.publish()
    unfinished = collection.store(2, first)
    unfinished.upsert(rows(50, seed=2) + rows(10, seed=3, prefix="new"))
    unfinished._send(list(first.passages([row.id for row in written[100:120]])), removed=2)
    assert_like_the_reference(first, written)
    assert collections.take_back(collection.client, collection.collection, 1) >= 2 * 80
    again = collection.store(3, first)  # its words are in a folder of their own
    again.carry(written)
    again.publish()
    assert_like_the_reference(again, written)


def test_a_server_killed_at_any_later_time_finds_every_row_again(
    server: WeaviateServer, collection: Versions
):
    store, written = collection.store(1), rows(1000)
    store.upsert(written)
    store.publish()
    server.kill()
    server.start()
    with collections.connect(server.address) as client:
        reader = collection.store(1, client=client)
        assert len(lost(reader, written)) <= MISSED
        assert_like_the_reference(reader, written)


def test_without_the_last_objects_being_pushed_out_a_killed_server_loses_rows(
    server: WeaviateServer, collection: Versions
):
    """The fault that ``_flush_log`` prevents; a server that no longer has it makes this fail, and both can go.

    How many depends on how full the server's buffer happens to be: it is killed up to four times.
    """
    store = collection.store(1)
    for seed in range(4):
        written = rows(1000, seed=seed, prefix=f"s{seed}-")
        store.upsert(written)
        server.kill()
        server.start()
        with collections.connect(server.address) as client:
            reader = collection.store(1, client=client)
            if len(lost(reader, written)) > 2 * MISSED:
                assert reader.heal() > 2 * MISSED
                assert len(lost(reader, written)) <= MISSED
                return
    pytest.fail("every row was found after each of four kills")


def test_a_server_killed_while_a_build_writes_is_waited_for_and_healed(
    server: WeaviateServer, collection: Versions, monkeypatch: pytest.MonkeyPatch
):
    store, written = collection.store(1), rows(1200)
    store.upsert(written[:600])
    with ThreadPoolExecutor(1) as pool:
        server.kill()
        restart = pool.submit(server.start)
        for start in range(600, 1200, 200):
            store.upsert(written[start : start + 200])
        restart.result()
    store.publish()
    assert store.healed > 0
    assert len(lost(store, written)) <= MISSED
    assert_like_the_reference(store, written)


def test_a_server_that_is_gone_is_told_soon(
    server: WeaviateServer, collection: Versions, monkeypatch: pytest.MonkeyPatch
):
    store = collection.store(1)
    store.upsert(rows(5))
    monkeypatch.setattr(adapter, "READ_PATIENCE_S", 1.0)
    server.kill()
    try:
        with pytest.raises(VectorStoreError, match="does not answer"):
            store.search_vectors("text", rows(1)[0].vectors["text"][:1], limit=1)
    finally:
        server.start()


def test_a_dropped_collection_is_not_made_again_by_a_late_writer(collection: Versions):
    store = collection.store(1)
    collections.drop(collection.client, collection.collection)
    with pytest.raises(VectorStoreError, match=r"write 10 objects|did not take"):
        store.upsert(rows(5))
    assert not collections.exists(collection.client, collection.collection)


def test_an_alias_points_to_the_newest_and_to_nothing_else(
    server: WeaviateServer, client: weaviate.WeaviateClient, tmp_path: Path
):
    versions, alias = (
        [Versions(client, tmp_path / str(number), server.address) for number in range(2)],
        f"A{uuid.uuid4().hex}",
    )
    for version in versions:
        collections.set_alias(client, alias, version.collection)
        pointed = client.alias.get(alias_name=alias)
        assert pointed
        assert pointed.collection == version.collection
    client.alias.delete(alias_name=alias)
    for version in versions:
        collections.drop(client, version.collection)


def test_a_filter_of_many_and_odd_values_is_one_call(collection: Versions):
    store, [plain, *_] = collection.store(1), rows(2)
    odd = VectorRow(id="odd", scope='it\'s "odd" 名', content_hash="", vectors=plain.vectors, terms="x")
    store.upsert([plain, odd])
    store.publish()
    scopes = (odd.scope, *(f"scope {number}" for number in range(20_000)))
    [hits] = store.search_vectors("text", plain.vectors["text"][:1], limit=5, where=RowFilter(scopes=scopes))
    assert [hit.id for hit in hits] == ["odd"]
    assert store.search_vectors("text", plain.vectors["text"][:1], limit=5, where=RowFilter(scopes=())) == [
        []
    ]


def test_rows_of_very_many_passages_are_read_back_whole(collection: Versions):
    long: Vectors = np.concatenate([row.vectors["text"] for row in rows(1500, seed=5)])
    store = collection.store(1)
    store.upsert(
        [VectorRow(id=f"long{n}", scope="a", content_hash="", vectors={"text": long}) for n in range(4)]
    )
    stored = store.stored([f"long{n}" for n in range(4)])
    assert all(np.allclose(stored[f"long{n}"].vectors["text"], long, atol=1e-5) for n in range(4))
