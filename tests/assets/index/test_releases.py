"""What is published stays whole for whoever reads it: through rebuilds, re-indexings, promotions, rollbacks and collections."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import numpy as np
import pytest

from assets.corpus.item import Item
from assets.corpus.media import ShardMedia
from assets.index.build import build_index
from assets.index.published import corpora, current_index, open_index, roll_back
from assets.index.releases import release, releases, verify
from assets.index.retention import collect
from assets.index.search import Index
from assets.index.settings import IndexSettings
from infra.storage.root import Storage
from infra.storage.swap import LostRaceError
from infra.vector_stores.types import Vectors
from tests.assets.small_corpus import CountingEmbedder, item, write_corpus

AT_ONCE = IndexSettings(keep_s=0.0)


@pytest.fixture(params=["disk", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "disk":
        return Storage(str(tmp_path / "root"))
    served: Storage = request.getfixturevalue("s3_storage")
    return Storage(f"{served.root}/{tmp_path.name}", served.__getstate__()["options"])


def items(count: int, seed: int) -> list[Item]:
    words = [f"word{number}" for number in range(50)]
    draw = random.Random(seed)
    return [item(f"t{number:03d}", " ".join(draw.choices(words, k=12))) for number in range(count)]


def build(storage: Storage, settings: IndexSettings = AT_ONCE) -> str:
    return build_index(storage, settings, embedder=CountingEmbedder()).version


def opened(storage: Storage, reader: str | None = None) -> Index:
    return open_index(storage, embedder=CountingEmbedder(), reader=reader)


class Meddling(CountingEmbedder):
    """Something happens while it embeds for the first time."""

    def __init__(self, meddle: Callable[[], object]) -> None:
        super().__init__()
        self._meddle = [meddle]

    def encode_documents(self, texts: Sequence[str]) -> Vectors:
        while self._meddle:
            self._meddle.pop()()
        return super().encode_documents(texts)


def test_a_corpus_rebuilt_during_a_build_mixes_nothing(storage: Storage):
    before, after = items(60, seed=1), list(reversed(items(60, seed=2)))
    write_corpus(storage, before)
    build_index(storage, AT_ONCE, embedder=Meddling(lambda: write_corpus(storage, after)))
    for corpus in (before, after):
        vectors = CountingEmbedder().encode_documents([f"{each.title}\n{each.text}" for each in corpus])
        store = opened(storage)._store
        stored = store.stored([each.id for each in corpus])
        own = [
            float(np.max(stored[each.id].vectors["text"] @ vector))
            for each, vector in zip(corpus, vectors, strict=True)
        ]
        assert min(own) > 0.8  # each item has its own vector
        build(storage)  # of what is there now


def test_re_indexings_take_nothing_from_a_reader_until_it_ends(storage: Storage):
    first = items(20, seed=0)
    write_corpus(storage, first)
    version = build(storage)
    reader = opened(storage, "a training")
    expected = reader.rank_many([each.text for each in first], 1)
    for seed in range(1, 5):
        write_corpus(storage, items(20, seed=seed))
        build(storage)
        collect(storage, keep_s=0.0, unfinished_s=0.0)
        assert [readers for one in releases(storage) for readers in one.readers] and release(storage, version)
        again = open_version(storage, version)
        assert again.rank_many([each.text for each in first], 1) == expected
        assert verify(storage, version) == []
    del reader
    collect(storage, keep_s=0.0, unfinished_s=0.0)
    assert version not in {one.version for one in releases(storage)}
    assert len(releases(storage)) == 2
    assert (
        sum(name.endswith("manifest.json") for name in storage.sizes("corpus/toy")) == 3
    )  # the current one, two versions


def open_version(storage: Storage, version: str) -> Index:
    """As a process that begins again and wants the version it had."""
    in_use = current_index(storage)
    assert in_use
    roll_back(storage, version)
    index = opened(storage)
    roll_back(storage, in_use.version)
    return index


def test_a_flipped_byte_and_a_lost_file_are_found(tmp_path: Path):
    storage = Storage(tmp_path)
    write_corpus(storage, items(20, seed=0))
    version = build(storage)
    assert verify(storage, version) == []
    [path] = tmp_path.glob("corpus/toy/*/items.parquet")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert verify(storage, version) == [f"{path.relative_to(tmp_path)} has other bytes than were published"]
    path.unlink()
    [fault] = verify(storage, version)
    assert "items.parquet" in fault
    with pytest.raises(ValueError, match=f"no release 'lost' .*there are: {version}"):
        verify(storage, "lost")


def test_what_is_collected_is_told_before_and_nothing_young_goes(storage: Storage):
    for seed in range(4):
        write_corpus(storage, items(5, seed=seed))
        build(storage, IndexSettings(keep_s=3600.0))
    assert collect(storage, keep_s=3600.0) == ()
    told = collect(storage, keep_s=0.0, unfinished_s=0.0, dry_run=True)
    assert len(releases(storage)) == 4 and sum(removal.size for removal in told) > 0
    assert collect(storage, keep_s=0.0, unfinished_s=0.0) == told
    assert len(releases(storage)) == 2
    assert not collect(storage, keep_s=0.0, unfinished_s=0.0)
    assert all(verify(storage, one.version) == [] for one in releases(storage))


def test_of_two_builds_at_a_time_one_wins_and_the_other_says_so(s3_storage: Storage, tmp_path: Path):
    storage = Storage(f"{s3_storage.root}/{tmp_path.name}", s3_storage.__getstate__()["options"])
    write_corpus(storage, items(10, seed=0))

    def overtake() -> None:
        write_corpus(storage, items(10, seed=1))
        build(storage)

    with pytest.raises(LostRaceError, match=r"current\.json' was replaced by another writer"):
        build_index(storage, AT_ONCE, embedder=Meddling(overtake))
    assert verify(storage, release(storage).version) == []
    assert opened(storage).rank_many([items(10, seed=1)[3].text], 1)[0][0].id == "toy:text:t003"


def test_a_dataset_whose_manifest_is_lost_does_not_drop_out_of_the_index(tmp_path: Path):
    storage = Storage(tmp_path)
    write_corpus(storage, items(5, seed=0))
    other = [item("x", "other words", dataset="other")]
    write_corpus(storage, other, dataset="other")
    version = build(storage)
    (tmp_path / "corpus/other/manifest.json").unlink()
    with pytest.raises(ValueError, match=r"corpus of other .* is not finished, .*build it again, or remove"):
        build(storage)
    assert release(storage).version == version


def test_readers_see_one_release_whole_through_promotions_rollbacks_and_collections(tmp_path: Path):
    storage, over = Storage(tmp_path), Event()
    for seed in range(2):
        write_corpus(storage, items(30, seed=seed))
        build(storage)
    texts = {one.version: items(30, seed=seed) for seed, one in enumerate(reversed(releases(storage)))}

    def read(number: int) -> int:
        draw, answered = random.Random(number), 0
        while not over.is_set():
            index = opened(storage, "a reader")
            for each in draw.sample(texts[index.version], 10):
                [hits] = index.rank_many([each.text], 1)
                assert hits and hits[0].id == each.id, (index.version, each.id, hits)
                answered += 1
            media = ShardMedia(storage, corpora(storage, index.version))
            del media, index
        return answered

    with ThreadPoolExecutor(4) as pool:
        reading = [pool.submit(read, number) for number in range(4)]
        try:
            for _ in range(30):
                roll_back(storage)
                collect(storage, keep_s=0.0, unfinished_s=0.0)
        finally:
            over.set()
        assert sum(each.result() for each in reading) > 100
