"""What the real Weaviate client sends for us, and that no object is lost without an error; on loopback, without a server.

How a live server ranks is tested by the suite of ``test_vector_store.py`` where WEAVIATE_URL is set.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import numpy as np
import pytest
import weaviate

from infra.errors import VectorStoreError
from infra.vector_stores.types import TextQuery, VectorRow
from infra.vector_stores.weaviate import ATTEMPTS, WeaviateStore, connect, object_uuid
from tests.infra.vector_stores.weaviate_loopback import Loopback, floats, loopback

PAYLOAD: dict[str, type] = {"title": str, "width": int}


@pytest.fixture(scope="module")
def server() -> Iterator[Loopback]:
    with loopback() as state:
        yield state


@pytest.fixture
def client(server: Loopback) -> Iterator[weaviate.WeaviateClient]:
    for held in (server.schema, server.aliases, server.objects, server.searches, server.refusals):
        held.clear()
    with connect(f"http://127.0.0.1:{server.port}", grpc_port=server.grpc_port) as opened:
        yield opened


def opened(client: weaviate.WeaviateClient, version: str = "v1", *, live: bool = True) -> WeaviateStore:
    return WeaviateStore(client, alias="T", version=version, dim=2, payload=PAYLOAD, live=live)


def row(id_: str) -> VectorRow:
    return VectorRow(
        id=id_,
        scope="toy",
        content_hash=f"hash of {id_}",
        vectors=np.array([[1, 0], [0, 1]], np.float32),
        terms="x y",
        pairs="x_y",
        payload={"title": "A title", "width": None},
    )


def test_a_collection_searches_terms_as_they_are_and_passages_as_one_row(
    client: weaviate.WeaviateClient, server: Loopback
):
    opened(client)
    made = server.schema["T_v1"]
    assert made["invertedIndexConfig"] == {"bm25": {"b": 0.75, "k1": 1.2}, "stopwords": {"preset": "none"}}
    columns = {one["name"]: one for one in made["properties"]}
    assert {name for name, one in columns.items() if one.get("indexSearchable")} == {"terms", "pairs"}
    assert columns["terms"]["tokenization"] == "whitespace"
    assert {name for name, one in columns.items() if one["indexFilterable"]} == {"row_id", "scope"}
    vectors = made["vectorConfig"]["passages"]
    assert vectors["vectorizer"] == {"none": {}}
    assert vectors["vectorIndexConfig"]["multivector"]["enabled"] is True
    assert vectors["vectorIndexConfig"]["distance"] == "cosine"


def test_objects_refused_for_a_moment_are_sent_again(client: weaviate.WeaviateClient, server: Loopback):
    server.refusals[str(object_uuid("b"))] = ATTEMPTS - 1
    opened(client).upsert([row("a"), row("b"), row("c")])
    kept = server.objects["T_v1"]
    assert set(kept) == {str(object_uuid(id_)) for id_ in "abc"}
    written = kept[str(object_uuid("b"))]
    assert written.properties.non_ref_properties["row_id"] == "b"
    assert "width" not in written.properties.non_ref_properties
    assert floats(written.vectors[0].vector_bytes[2:]) == [1, 0, 0, 1]  # after the width, 2 bytes


@pytest.mark.parametrize("refused", [["b"], ["a", "b", "c"]], ids=["some", "all"])
def test_objects_refused_for_good_are_named(
    client: weaviate.WeaviateClient, server: Loopback, refused: list[str]
):
    for id_ in refused:
        server.refusals[str(object_uuid(id_))] = 99
    with pytest.raises(VectorStoreError, match=f"did not take {len(refused)} of 3 objects: .*b: .*read-only"):
        opened(client).upsert([row("a"), row("b"), row("c")])


def test_publishing_moves_the_alias_and_keeps_one_version_to_go_back_to(
    client: weaviate.WeaviateClient, server: Loopback
):
    for version in ("v1", "v2", "v3"):
        opened(client, version).publish()
        assert server.aliases == {"T": f"T_{version}"}
    assert set(server.schema) == {"T_v2", "T_v3"}
    opened(client, "v3").publish()
    assert set(server.schema) >= {"T_v3"}


def test_what_was_written_is_read_back(client: weaviate.WeaviateClient):
    store = opened(client)
    store.upsert([row("a"), row("b")])
    assert store.payloads(["a", "never there"]) == {"a": {"title": "A title", "width": None}}
    kept = store.kept(["b"])["b"]
    assert kept.content_hash == "hash of b"
    assert kept.vectors.tolist() == [[1, 0], [0, 1]]


def test_a_vector_search_asks_for_the_nearest_passage_within_scopes(
    client: weaviate.WeaviateClient, server: Loopback
):
    store = opened(client)
    store.upsert([row("a")])
    store.search_vectors(np.array([[0.6, 0.8]], np.float32), limit=7, scopes=["toy"])
    asked = server.searches[-1]
    assert (asked.collection, asked.limit) == ("T_v1", 7)
    assert (asked.filters.target.property, list(asked.filters.value_text_array.values)) == ("scope", ["toy"])
    assert list(asked.near_vector.targets.target_vectors) == ["passages"]
    assert floats(asked.near_vector.vectors[0].vector_bytes[2:]) == pytest.approx([0.6, 0.8])


def test_a_text_search_weighs_pairs_beside_terms(client: weaviate.WeaviateClient, server: Loopback):
    store = opened(client)
    store.upsert([row("b"), row("a")])
    [found] = store.search_texts([TextQuery("x y", "x_y", 0.4)], limit=5)
    asked = server.searches[-1].bm25_search
    assert (asked.query, list(asked.properties)) == ("x y x_y", ["terms", "pairs^0.4"])
    assert [hit.id for hit in found] == ["a", "b"]  # equal scores, id order
    assert store.search_texts([TextQuery("")], limit=5) == [[]]


def test_a_version_that_is_not_there_is_named(client: weaviate.WeaviateClient):
    with pytest.raises(ValueError, match="no collection 'T_gone'"):
        opened(client, "gone", live=False)


def test_a_row_has_the_same_object_id_in_every_run():
    assert object_uuid("hotpotqa:text:1") == uuid.UUID("8b538e7b-20bc-5eb1-aec8-a71d40c810d0")
    assert object_uuid("hotpotqa:text:1") != object_uuid("hotpotqa:text:2")


@pytest.mark.parametrize("url", ["", "weaviate:8080", "grpc://host"])
def test_a_weaviate_url_must_be_one(url: str):
    with pytest.raises(ValueError, match="WEAVIATE_URL"):
        connect(url)


def test_a_server_that_does_not_answer_is_named():
    with pytest.raises(VectorStoreError, match=r"connect to Weaviate at 127\.0\.0\.1"):
        connect("http://127.0.0.1:9", grpc_port=9)
