"""The index follows its corpus: exactly what changed changes, a reader never sees half of it, and it finds things."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from assets.corpus.item import Modality
from assets.index.analysis import PASSAGE_WORDS, analyse, passages
from assets.index.build import build_index
from assets.index.published import CURRENT, current_index, open_index, roll_back, versions
from assets.index.search import Index, row_of
from assets.index.settings import IndexSettings
from assets.index.spaces import embedded_texts
from infra.storage.lock import only_writer
from infra.storage.root import Storage
from infra.vector_stores.types import RowFilter, Vectors
from tests.assets.small_corpus import CountingEmbedder, item, write_corpus
from tests.weaviate.server import WeaviateServer

ITEMS = (
    item("Kelmo", "Kelmo is led by Rakimo."),
    item("Belodu", "Belodu lies in the valley of Tarn."),
    item("Tarn", "The river Tarn is 312 km long."),
)


def found(index: Index, query: str, top_k: int = 3, datasets: Sequence[str] | None = None) -> list[str]:
    return [hit.title for hit in index.search(query, top_k, RowFilter.of_scopes(datasets))]


@pytest.fixture(params=["disk", "s3", "weaviate"])
def root(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Storage:
    """On disk, on S3, and on disk with the vectors on a server."""
    if request.param == "weaviate":
        server: WeaviateServer = request.getfixturevalue("weaviate_server")
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr("assets.index.build.IndexSettings", partial(IndexSettings, store="weaviate"))
    if request.param != "s3":
        return Storage(tmp_path / "root")
    served: Storage = request.getfixturevalue("s3_storage")
    for folder in ("corpus", "index"):
        served.remove_tree(folder)
    return served


def test_what_is_indexed_is_found(root: Storage):
    write_corpus(root, ITEMS)
    report = build_index(root, embedder=CountingEmbedder())
    assert (report.items, report.embedded, report.datasets) == (3, 3, {"toy": 3})
    index = open_index(root, embedder=CountingEmbedder())
    assert found(index, "How long is the river?", 1) == ["Tarn"]
    hit = index.search("Who is leading Kelmo?", 1)[0]
    assert (hit.item_id, hit.text, hit.modality, hit.media_key) == (
        "toy:text:Kelmo",
        ITEMS[0].text,
        "text",
        None,
    )
    assert index.fingerprint == report.fingerprint


def test_exactly_what_changed_is_embedded_again_and_what_vanished_is_gone(root: Storage):
    write_corpus(root, ITEMS)
    first = build_index(root, embedder=CountingEmbedder())
    changed = item("Belodu", "Belodu was moved to the coast.")
    write_corpus(root, [ITEMS[0], changed, item("New", "A new town.")])
    embedder = CountingEmbedder()
    second = build_index(root, embedder=embedder)
    assert embedder.documents == ["Belodu. Belodu was moved to the coast.", "New. A new town."]
    assert (second.embedded, second.reused, second.vanished) == (2, 1, 1)
    assert second.version != first.version
    index = open_index(root, embedder=embedder)
    assert "Tarn" not in found(index, "river Tarn")
    assert found(index, "coast", 1) == ["Belodu"]
    assert index.count() == 3


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(tmp_path / "root")


def test_building_again_changes_nothing(storage: Storage):
    write_corpus(storage, ITEMS)
    first = build_index(storage, embedder=CountingEmbedder())
    embedder = CountingEmbedder()
    second = build_index(storage, embedder=embedder)
    assert embedder.documents == []
    assert (second.version, second.fingerprint, second.reused) == (first.version, first.fingerprint, 3)


def test_an_index_does_not_depend_on_the_way_to_it(tmp_path: Path):
    direct, roundabout = Storage(tmp_path / "direct"), Storage(tmp_path / "roundabout")
    write_corpus(direct, ITEMS)
    write_corpus(roundabout, [item("Tarn", "Once it was short."), item("Gone", "Gone.")])
    build_index(roundabout, embedder=CountingEmbedder())
    write_corpus(roundabout, ITEMS)
    one, other = (build_index(root, embedder=CountingEmbedder()) for root in (direct, roundabout))
    assert (one.version, one.fingerprint) == (other.version, other.fingerprint)
    scores = [
        [
            (hit.item_id, hit.score)
            for hit in open_index(root, embedder=CountingEmbedder()).search("river Tarn")
        ]
        for root in (direct, roundabout)
    ]
    assert scores[0] == scores[1]


def test_a_search_can_be_kept_to_some_datasets(storage: Storage):
    write_corpus(storage, ITEMS)
    write_corpus(storage, [item("Other", "A river of another world.", dataset="other")], dataset="other")
    build_index(storage, embedder=CountingEmbedder())
    index = open_index(storage, embedder=CountingEmbedder())
    assert found(index, "river", 9, ["other"]) == ["Other"]
    assert "Other" not in found(index, "river", 9, ["toy"])
    assert len(found(index, "river", 9)) == 4
    build_index(storage, IndexSettings(datasets=("other",)), embedder=CountingEmbedder())
    assert open_index(storage, embedder=CountingEmbedder()).count() == 1


def test_many_queries_are_answered_as_each_alone_even_from_memory(storage: Storage):
    write_corpus(storage, ITEMS)
    build_index(storage, embedder=CountingEmbedder())
    index = open_index(storage, embedder=CountingEmbedder())
    queries = ["river", "Rakimo", "river"]
    together = index.search_many(queries, 2)
    fresh = open_index(storage, embedder=CountingEmbedder())
    alone = [fresh.search(query, 2) for query in queries]
    assert [[hit.item_id for hit in hits] for hits in together] == [
        [hit.item_id for hit in hits] for hits in alone
    ]
    scores = [[hit.score for hits in found for hit in hits] for found in (together, alone)]
    assert scores[0] == pytest.approx(scores[1], abs=1e-4)
    assert index.search_many(queries, 2) == together
    assert index.search_many([], 2) == []
    with pytest.raises(ValueError, match="top_k must be at least 1, got 0"):
        index.search("river", 0)


def test_clips_say_where_in_their_video_they_start(storage: Storage):
    clip = item(
        "clip",
        "a tap is fixed",
        modality=Modality.VIDEO,
        position=60.0,
        duration_s=60.0,
        parent="v",
        media_key="k",
    )
    page = item(
        "page",
        "a table",
        modality=Modality.IMAGE,
        position=7.0,
        parent="doc",
        width=8,
        height=9,
        media_key="p",
    )
    write_corpus(storage, [clip, page])
    build_index(storage, embedder=CountingEmbedder())
    hits = {hit.title: hit for hit in open_index(storage, embedder=CountingEmbedder()).search("tap table")}
    assert (hits["clip"].start_s, hits["clip"].duration_s, hits["clip"].media_key) == (60.0, 60.0, "k")
    assert (hits["page"].start_s, hits["page"].width, hits["page"].height) == (0.0, 8, 9)


def test_until_the_pointer_moves_readers_keep_the_old_index(storage: Storage):
    write_corpus(storage, ITEMS)
    build_index(storage, embedder=CountingEmbedder())
    reader = open_index(storage, embedder=CountingEmbedder())

    class Failing(CountingEmbedder):
        def encode_documents(self, texts: Sequence[str]) -> Vectors:
            raise RuntimeError("out of memory")

    write_corpus(storage, [item("New", "A new town.")])
    with pytest.raises(RuntimeError, match="out of memory"):
        build_index(storage, embedder=Failing())
    assert open_index(storage, embedder=CountingEmbedder()).version == reader.version
    assert len(storage.list("index")) == 2  # the version and the pointer, nothing half-built

    build_index(storage, embedder=CountingEmbedder())
    assert found(reader, "river", 1) == ["Tarn"]
    assert found(open_index(storage, embedder=CountingEmbedder()), "river", 1) == ["New"]


@pytest.mark.parametrize(("keep_s", "kept"), [(0.0, [2, 3]), (3600.0, [0, 1, 2, 3])])
def test_the_index_in_use_and_the_one_before_are_kept_and_those_just_replaced(
    storage: Storage, keep_s: float, kept: list[int]
):
    built = []
    for number in range(4):
        write_corpus(storage, [item("one", f"version {number}")])
        settings = IndexSettings(keep_s=keep_s)
        built.append(build_index(storage, settings, embedder=CountingEmbedder()).version)
    assert set(storage.list("index")) == {*(built[number] for number in kept), "current.json"}
    assert [pointer.version for pointer in versions(storage)] == [built[number] for number in reversed(kept)]


def test_an_earlier_index_can_be_taken_back_into_use(root: Storage):
    write_corpus(root, ITEMS)
    first = build_index(root, embedder=CountingEmbedder()).version
    write_corpus(root, [item("New", "A new town.")])
    second = build_index(root, embedder=CountingEmbedder()).version
    assert roll_back(root).version == first
    assert found(open_index(root, embedder=CountingEmbedder()), "river", 1) == ["Tarn"]
    assert roll_back(root, second).version == second
    with pytest.raises(ValueError, match=f"no version 'lost' at .*there are: {first}"):
        roll_back(root, "lost")
    assert build_index(root, embedder=CountingEmbedder()).embedded == 0


def test_an_index_of_the_first_schema_is_read(storage: Storage):
    write_corpus(storage, ITEMS)
    build_index(storage, embedder=CountingEmbedder())
    new = json.loads(storage.read_bytes(CURRENT))
    old = {name: new[name] for name in ("version", "store", "fingerprint", "datasets")}
    old |= {"schema_version": 1, "embedder": new["embedders"]["text"]}
    storage.write_bytes(CURRENT, json.dumps(old).encode())
    pointer = current_index(storage)
    assert pointer
    assert (pointer.embedders, pointer.dims, pointer.place) == (new["embedders"], {"text": 384}, {})


def test_no_index_no_corpus_and_unknown_names_are_told(storage: Storage):
    with pytest.raises(ValueError, match=r"no index at .*vimrag index build"):
        open_index(storage)
    with pytest.raises(ValueError, match=r"no finished corpus at .*vimrag corpus build"):
        build_index(storage)
    write_corpus(storage, ITEMS)
    with pytest.raises(ValueError, match="corpus/absent"):
        build_index(storage, IndexSettings(datasets=("absent",)))
    with pytest.raises(ValueError, match="unknown store 'faiss'; known: lance, weaviate"):
        IndexSettings(store="faiss")


def test_an_index_of_another_embedder_is_refused_and_its_vectors_are_not_reused(storage: Storage):
    write_corpus(storage, ITEMS)
    build_index(storage, embedder=CountingEmbedder())
    other = CountingEmbedder("other")
    with pytest.raises(ValueError, match=r"built with embedder .*build it again"):
        open_index(storage, embedder=other)
    assert build_index(storage, embedder=other).embedded == 3


def test_damage_is_found_on_opening_and_repaired_by_building(storage: Storage):
    write_corpus(storage, ITEMS)
    version = build_index(storage, embedder=CountingEmbedder()).version
    data = next(name for name in storage.sizes(f"index/{version}") if name.endswith(".lance"))
    storage.write_bytes(f"index/{version}/{data}", b"cut")
    with pytest.raises(ValueError, match="disagrees with its manifest"):
        open_index(storage, embedder=CountingEmbedder())
    assert build_index(storage, embedder=CountingEmbedder()).embedded == 3
    assert found(open_index(storage, embedder=CountingEmbedder()), "river", 1) == ["Tarn"]

    storage.write_bytes(CURRENT, b"{")
    with pytest.raises(ValueError, match="damaged"):
        current_index(storage)
    assert build_index(storage, embedder=CountingEmbedder()).items == 3
    newer = json.loads(storage.read_bytes(CURRENT)) | {"schema_version": 99}
    storage.write_bytes(CURRENT, json.dumps(newer).encode())
    with pytest.raises(ValueError, match="schema 99"):
        open_index(storage, embedder=CountingEmbedder())


def test_the_default_embedder_finds_by_meaning(storage: Storage):
    write_corpus(storage, [*ITEMS, item("Doctor", "She practises medicine in the village.")])
    build_index(storage)
    assert found(open_index(storage), "Where does the physician work?", 1) == ["Doctor"]


def test_terms_are_folded_stemmed_and_free_of_stop_words():
    assert analyse("What is the Café's running time?").terms == "cafe run time"
    assert analyse("the leaders", "led the leading party").pairs == "led_lead lead_parti"
    assert analyse("in May 1,234.5 us").terms == "may 1 234 5 us"
    assert analyse("what is it?") == ("", "")


def test_scripts_without_spaces_are_searched_by_pairs_of_characters():
    assert analyse("灯塔的维修合同").terms == "灯塔 塔的 的维 维修 修合 合同"
    assert analyse("塩").terms == "塩"
    assert analyse("ガス灯 2号").terms == "ガス ス灯 2 号"
    assert analyse("ｶﾞｽ").terms == analyse("ガス").terms != analyse("カス").terms
    assert analyse("हिन्दी की किताबें").terms == "हिन्दी की किताबें"
    assert analyse("한국어 회의").terms == "한국 국어 회의"


def test_a_text_without_spaces_is_cut_into_passages():
    parts = passages("灯塔" * 1000)
    assert max(map(len, parts)) == PASSAGE_WORDS
    assert len(parts) > 20
    assert max(map(len, passages("x" * 1_000_000))) <= PASSAGE_WORDS * 256


def test_a_phrase_that_one_file_has_finds_that_file_first(storage: Storage):
    places = {
        "灯塔": "维修合同",
        "码头": "门票价格",
        "渡轮": "值班名单",
        "图书馆": "藏书目录",
        "水库": "水位记录",
    }
    write_corpus(
        storage,
        [
            item(place, f"今天的会议讨论了{place}的事情。大家同意把{matter}交给委员会在下个月处理。")
            for place, matter in places.items()
        ],
    )
    build_index(storage)
    assert [found(open_index(storage), matter, 1) for matter in places.values()] == [
        [place] for place in places
    ]


@pytest.mark.parametrize("num_words", [0, 1, PASSAGE_WORDS, PASSAGE_WORDS + 1, 1000])
def test_passages_cover_every_word_and_overlap(num_words: int):
    words = [f"w{number}" for number in range(num_words)]
    split = [passage.split() for passage in passages("  ".join(words))]
    assert set().union(*split) == set(words)
    assert all(len(passage) <= PASSAGE_WORDS for passage in split)
    assert all(set(one) & set(other) for one, other in pairwise(split))


def test_each_passage_is_embedded_behind_the_title():
    long = item("Title", " ".join(f"w{number}" for number in range(PASSAGE_WORDS + 1)))
    texts = embedded_texts(long)
    assert len(texts) == 2
    assert all(text.startswith("Title. w") for text in texts)
    assert embedded_texts(item("untitled", "text", title="")) == ["text"]
    row = row_of(long, {"text": np.eye(2, 3, dtype=np.float32)})
    assert row.terms.split()[:2] == ["titl", "w0"]
    assert "titl_w0" not in row.pairs


def test_a_root_without_a_corpus_is_not_even_made(tmp_path: Path):
    with pytest.raises(ValueError, match="no finished corpus"):
        build_index(Storage(tmp_path / "nowhere"), embedder=CountingEmbedder())
    assert not (tmp_path / "nowhere").exists()


def test_two_builds_of_an_index_do_not_mix(tmp_path: Path):
    storage = Storage(tmp_path / "root")
    write_corpus(storage, [item("a", "apple")])
    with only_writer(storage, "index"), pytest.raises(ValueError, match="another process is writing"):
        build_index(storage, embedder=CountingEmbedder())
    assert build_index(storage, embedder=CountingEmbedder()).items == 1
