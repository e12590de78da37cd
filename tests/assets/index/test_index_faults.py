"""An index on a live server answers like the exact one after changes, restarts and kills; readers never notice a switch.

The exact one is LanceDB's in memory, which is brute force.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from assets.corpus.item import Item
from assets.index.build import build_index
from assets.index.published import current_index, open_index, roll_back
from assets.index.retention import collect
from assets.index.settings import IndexSettings
from assets.index.stores import ALIAS, COLLECTIONS, weaviate_client
from infra.errors import VectorStoreError
from infra.storage.lease import Lease
from infra.storage.root import Storage
from infra.vector_stores import weaviate_collections as collections
from infra.vector_stores.types import StoreHit
from tests.assets.small_corpus import CountingEmbedder, item, write_corpus
from tests.weaviate.server import BINARY, WeaviateServer

WORDS = [f"word{number}" for number in range(200)]
QUERIES = [" ".join(random.Random(number).sample(WORDS, 4)) for number in range(30)]
pytestmark = pytest.mark.timeout(600)  # servers are started, killed and started again
needs_server = pytest.mark.skipif(
    not BINARY.is_file(), reason="no Weaviate server: `make weaviate` builds it"
)


def corpus(count: int, *, seed: int = 0, first: int = 0) -> list[Item]:
    draw = random.Random(seed)
    return [
        item(f"t{number:04d}", " ".join(draw.choices(WORDS, k=draw.randint(5, 150))))
        for number in range(first, first + count)
    ]


def build(storage: Storage, store: str, **options: float) -> str:
    return build_index(storage, IndexSettings(store=store, **options), embedder=CountingEmbedder()).version


def answers(storage: Storage) -> list[list[StoreHit]]:
    return open_index(storage, embedder=CountingEmbedder()).rank_many(QUERIES, 10)


def assert_equal(found: Sequence[Sequence[StoreHit]], exact: Sequence[Sequence[StoreHit]]) -> None:
    """The same rows, but for ties, with the same scores."""
    for one, other in zip(found, exact, strict=True):
        assert [hit.score for hit in one] == pytest.approx([hit.score for hit in other], abs=5e-3)
        assert len({hit.id for hit in one} & {hit.id for hit in other}) >= len(other) - 1


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WeaviateServer]:
    if not BINARY.is_file():
        pytest.skip("no Weaviate server: `make weaviate` builds it")
    started = WeaviateServer(tmp_path_factory.mktemp("weaviate"))
    started.start()
    yield started
    started.stop()


@pytest.fixture
def roots(server: WeaviateServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Storage]:
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    return {store: Storage(tmp_path / store) for store in ("lance", "weaviate")}


def write_and_build(roots: dict[str, Storage], items: list[Item]) -> None:
    for store, storage in roots.items():
        write_corpus(storage, items)
        build(storage, store)


def test_both_stores_answer_alike_after_changes_restarts_and_a_rollback(
    roots: dict[str, Storage], server: WeaviateServer
):
    items = corpus(300)
    write_and_build(roots, items)
    first = answers(roots["lance"])
    assert_equal(answers(roots["weaviate"]), first)
    write_and_build(roots, corpus(30, seed=1) + items[60:])  # 10 % replaced, 10 % gone
    changed = answers(roots["lance"])
    assert_equal(answers(roots["weaviate"]), changed)
    for end in (server.stop, server.kill):
        end()
        server.start()
        assert_equal(answers(roots["weaviate"]), changed)
    roll_back(roots["weaviate"])
    assert_equal(answers(roots["weaviate"]), first)
    write_and_build(roots, items[100:])  # from an earlier generation no build goes on
    assert_equal(answers(roots["weaviate"]), answers(roots["lance"]))


def test_only_what_changed_is_sent(roots: dict[str, Storage], monkeypatch: pytest.MonkeyPatch):
    from infra.vector_stores.weaviate import LOG_OBJECTS, WeaviateStore

    storage, items = roots["weaviate"], corpus(200)
    write_corpus(storage, items)
    build(storage, "weaviate")
    sent: list[int] = []
    insert = WeaviateStore._insert
    monkeypatch.setattr(
        WeaviateStore,
        "_insert",
        lambda self, batch, changes: (sent.append(len(batch)), insert(self, batch, changes))[1],
    )
    write_corpus(storage, [*items[:-1], item("t0199", "one word")])
    build(storage, "weaviate")
    assert sum(sent) <= LOG_OBJECTS + 1 + 3  # the new passage, and those of the old text, which end


def test_a_root_can_leave_a_server_that_is_gone(roots: dict[str, Storage], monkeypatch: pytest.MonkeyPatch):
    storage = roots["weaviate"]
    write_corpus(storage, corpus(20))
    build(storage, "weaviate")
    monkeypatch.setenv("WEAVIATE_URL", "http://127.0.0.1:9")
    write_corpus(storage, corpus(20, seed=1))
    with pytest.raises(VectorStoreError, match="connect to Weaviate"):
        build(storage, "weaviate")
    build(storage, "lance", keep_s=0.0)
    write_corpus(storage, corpus(20, seed=2))
    build(storage, "lance", keep_s=0.0)  # which drops the version on the server, as far as it can
    assert all(answers(storage))


KILLED = """
import os, signal, sys
from infra.vector_stores.weaviate import WeaviateStore
from tests.assets.index.test_index_faults import build
from infra.storage.lease import Lease
from infra.storage.root import Storage
from infra.vector_stores import weaviate_collections as collections
calls = [0]
name, limit = sys.argv[2], int(sys.argv[3])
method = getattr(WeaviateStore, name)
def killing(self, *arguments, **options):
    calls[0] += 1
    if calls[0] == limit:
        os.kill(os.getpid(), signal.SIGKILL)
    return method(self, *arguments, **options)
setattr(WeaviateStore, name, killing)
build(Storage(sys.argv[1]), "weaviate")
"""


@pytest.mark.parametrize(
    ("method", "call"), [("_send_batch", 1), ("carry", 2), ("publish", 1), ("_flush_log", 1)]
)
def test_a_build_that_is_killed_changes_nothing_and_the_next_one_ends_it(
    roots: dict[str, Storage], method: str, call: int
):
    items = corpus(600)
    write_and_build(roots, items)
    before = answers(roots["weaviate"])
    for storage in roots.values():
        write_corpus(storage, corpus(100, seed=2) + items[100:])
    command = [sys.executable, "-c", KILLED, roots["weaviate"].root, method, str(call)]
    assert subprocess.run(command, check=False, cwd=Path(__file__).parents[3]).returncode == -signal.SIGKILL
    assert_equal(answers(roots["weaviate"]), before)
    for store, storage in roots.items():
        build(storage, store)
    assert_equal(answers(roots["weaviate"]), answers(roots["lance"]))


def test_a_collection_whose_build_was_killed_goes_when_it_is_old_and_nobody_builds_in_it(
    roots: dict[str, Storage],
):
    storage, prefix = roots["weaviate"], f"{ALIAS}_"

    def there() -> set[str]:
        return set(collections.names(weaviate_client(), prefix))

    others = there()
    write_corpus(storage, corpus(60))
    command = [sys.executable, "-c", KILLED, storage.root, "publish", "1"]
    assert subprocess.run(command, check=False, cwd=Path(__file__).parents[3]).returncode == -signal.SIGKILL
    [left] = there() - others
    build(storage, "weaviate")
    pointer = current_index(storage)
    assert pointer and there() - others == {left, pointer.place["collection"]}, "it is young"
    with Lease(storage, [left], "a build"):
        collect(storage, keep_s=0.0, unfinished_s=0.0)
        assert left in there()
    for path in Path(storage.root, "leases").glob("*.json"):
        path.unlink()  # of the killed build, which nobody renews any more
    told = collect(storage, keep_s=0.0, unfinished_s=0.0, dry_run=True)
    assert [each.path for each in told] == [f"{COLLECTIONS}/{left}"] and left in there()
    assert collect(storage, keep_s=0.0, unfinished_s=0.0) == told
    assert there() - others == {pointer.place["collection"]}
    assert storage.list(COLLECTIONS) == (pointer.place["collection"],)
    assert any(answers(storage))


@needs_server
def test_an_index_that_does_not_answer_like_the_reference_is_not_published(
    roots: dict[str, Storage], monkeypatch: pytest.MonkeyPatch
):
    from infra.vector_stores.weaviate import WeaviateStore

    storage, items = roots["weaviate"], corpus(120)
    write_corpus(storage, items)
    version = build(storage, "weaviate")
    before = answers(storage)
    send = WeaviateStore._send
    monkeypatch.setattr(
        WeaviateStore,
        "_send",
        lambda self, passages, **changes: send(self, passages[: len(passages) // 2], **changes),
    )
    monkeypatch.setattr("assets.index.build.PROBE_WAIT_S", 0.0)
    write_corpus(storage, corpus(120, seed=3))
    with pytest.raises(VectorStoreError, match=r"does not answer like the exact reference: .*text"):
        build(storage, "weaviate")
    monkeypatch.undo()
    pointer = current_index(storage)
    assert pointer
    assert pointer.version == version
    assert before


class Readers:
    """Threads that ask all the time, each with an index that it opens anew now and then."""

    def __init__(self, storage: Storage, count: int) -> None:
        self.errors: list[BaseException] = []
        self.seconds: list[float] = []
        self.empty = 0
        self._storage, self._ended = storage, threading.Event()
        self._threads = [threading.Thread(target=self._read, args=(number,)) for number in range(count)]

    def _read(self, seed: int) -> None:
        draw = random.Random(seed)
        try:
            while not self._ended.is_set():
                index = open_index(self._storage, embedder=CountingEmbedder())
                for _ in range(5):
                    started = time.perf_counter()
                    hits = index.rank_many([" ".join(draw.sample(WORDS, 4))], 10)[0]
                    self.seconds.append(time.perf_counter() - started)
                    self.empty += not hits
                    time.sleep(0.05)
        except BaseException as error:
            self.errors.append(error)

    def during(self, work: Callable[[], None]) -> None:
        for thread in self._threads:
            thread.start()
        work()
        self._ended.set()
        for thread in self._threads:
            thread.join()


@pytest.mark.parametrize("store", ["lance", "weaviate"])
def test_eight_readers_notice_none_of_twenty_switches(roots: dict[str, Storage], store: str):
    storage, items = roots[store], corpus(60)
    write_corpus(storage, items)
    build(storage, store)
    readers = Readers(storage, 8)

    def switch() -> None:
        for number in range(20):
            write_corpus(storage, [*items[:-1], item("t0059", f"{WORDS[number]} {WORDS[number + 1]}")])
            build(storage, store)

    readers.during(switch)
    assert readers.errors == []
    assert readers.empty == 0
    assert len(readers.seconds) > 100
