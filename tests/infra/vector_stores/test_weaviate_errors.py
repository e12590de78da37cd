"""No object is lost without an error, and what is wrong with an address is told; on loopback, without a server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from infra.errors import VectorStoreError
from infra.vector_stores.lance import LanceStore
from infra.vector_stores.types import VectorRow
from infra.vector_stores.weaviate import ATTEMPTS, MAX_BATCH_BYTES, WeaviateStore, _batches, passages_of
from infra.vector_stores.weaviate_collections import FOREVER, WeaviateAddress, connect, create
from tests.infra.vector_stores.weaviate_loopback import Loopback, loopback


@pytest.fixture
def server() -> Iterator[Loopback]:
    with loopback() as state:
        yield state


@pytest.fixture
def store(server: Loopback, tmp_path: Path) -> Iterator[WeaviateStore]:
    words = LanceStore(str(tmp_path), dims={}, payload={})
    with connect(server.address) as client:
        yield WeaviateStore(client, words, collection="T", generation=1, dims={"text": 2})


def row(id_: str) -> VectorRow:
    return VectorRow(id=id_, scope="toy", content_hash="", vectors={"text": np.array([[1, 0]], np.float32)})


def uuid_of(id_: str) -> str:
    return str(passages_of(row(id_), 1)[0].uuid)


def test_objects_refused_for_a_moment_are_sent_again(store: WeaviateStore, server: Loopback):
    server.refusals[uuid_of("b")] = ATTEMPTS - 1
    store.upsert([row("a"), row("b"), row("c")])
    assert set(server.objects) == {uuid_of(id_) for id_ in "abc"}
    assert store.count() == 3


@pytest.mark.parametrize("refused", [["b"], ["a", "b", "c"]], ids=["some", "all"])
def test_objects_refused_for_good_are_named_and_no_row_of_them_is_counted(
    store: WeaviateStore, server: Loopback, refused: list[str]
):
    server.refusals.update({uuid_of(id_): 99 for id_ in refused})
    with pytest.raises(
        VectorStoreError, match=f"did not take {len(refused)} of 3 objects: .*b: vector lengths"
    ):
        store.upsert([row("a"), row("b"), row("c")])
    assert store.count() == 0


def test_an_object_is_the_same_in_every_run_and_another_in_every_generation():
    again, other = passages_of(row("hotpotqa:text:1"), 1), passages_of(row("hotpotqa:text:1"), 2)
    assert str(again[0].uuid) == uuid_of("hotpotqa:text:1") != str(other[0].uuid)
    assert (other[0].properties["added"], other[0].properties["removed"]) == (2, FOREVER)


def test_batches_are_bounded_in_bytes_as_well_as_in_number():
    wide = np.zeros((3, 2_000_000), np.float32)
    wide[:, 0] = 1
    passages = passages_of(VectorRow(id="a", scope="a", content_hash="", vectors={"text": wide}), 1)
    batches = list(_batches(passages))
    assert [len(batch) for batch in batches] == [1, 1, 1]
    assert all(sum(passage.num_bytes for passage in batch) <= MAX_BATCH_BYTES for batch in batches)


@pytest.mark.parametrize("url", ["", "weaviate:8080", "grpc://host"])
def test_a_url_must_be_one(url: str):
    with pytest.raises(ValueError, match="WEAVIATE_URL"):
        connect(WeaviateAddress(url=url))


def test_a_server_that_does_not_answer_is_named():
    with pytest.raises(VectorStoreError, match=r"connect to Weaviate at 127\.0\.0\.1"):
        connect(WeaviateAddress(url="http://127.0.0.1:9", grpc_port=9))


def test_a_server_that_is_too_old_is_refused(server: Loopback):
    server.version = "1.31.9"
    with pytest.raises(VectorStoreError, match=r"version 1\.31\.9; aliases need 1\.32"):
        connect(server.address)


def test_a_key_is_not_shown():
    assert "secret" not in repr(WeaviateAddress(url="http://host", api_key="secret"))


@pytest.mark.parametrize(
    ("name", "quantizer", "said"), [("lower", "none", "capital"), ("T", "pq8", "unknown quantizer")]
)
def test_what_the_server_would_change_is_refused(server: Loopback, name: str, quantizer: str, said: str):
    with connect(server.address) as client, pytest.raises(ValueError, match=said):
        create(client, name, {"text": 2}, quantizer=quantizer)
