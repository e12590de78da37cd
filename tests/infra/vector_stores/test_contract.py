"""One behaviour for every vector store, on real tables; then what is LanceDB's and Weaviate's own."""

from __future__ import annotations

import math
import random
import shutil
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.errors import VectorStoreError
from infra.storage.root import Storage
from infra.vector_stores import search_file
from infra.vector_stores.fusion import HybridSettings, fuse, hybrid, join, trust_in
from infra.vector_stores.in_memory_texts import InMemoryTexts
from infra.vector_stores.lance import ANN_MIN_ROWS, LanceStore
from infra.vector_stores.search_file import GROUP_ROWS
from infra.vector_stores.types import (
    RowFilter,
    Scalar,
    StoreHit,
    TextQuery,
    VectorRow,
    Vectors,
    VectorStore,
)
from infra.vector_stores.weaviate import WeaviateStore
from infra.vector_stores.weaviate_collections import connect, create, drop
from tests.weaviate.server import WeaviateServer

PAYLOAD: dict[str, type] = {
    "title": str,
    "width": int,
    "position": float,
    "duration_s": float,
    "modality": str,
    "parent": str,
}
ADAPTERS = ["lance", "lance on disk", "lance on s3", "weaviate"]
DIMS = {"text": 2, "image": 2}


@pytest.fixture(params=ADAPTERS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[VectorStore]:
    if request.param == "weaviate":
        server: WeaviateServer = request.getfixturevalue("weaviate_server")
        with connect(server.address) as client:
            name = f"T{uuid.uuid4().hex}"
            create(client, name, DIMS)
            words = LanceStore(str(tmp_path), dims={}, payload=PAYLOAD)
            yield WeaviateStore(client, words, collection=name, generation=1, dims=DIMS)
            drop(client, name)
        return
    on_disk = request.param == "lance on disk"
    if request.param == "lance on s3":
        storage: Storage = request.getfixturevalue("s3_storage")
        uri, options = storage.path(f"lance-{uuid.uuid4().hex}"), storage.object_store_options()
    else:
        uri, options = str(tmp_path), {}
    yield LanceStore(
        uri,
        dims=DIMS,
        payload=PAYLOAD,
        storage_options=options,
        resident_passages=0 if on_disk else 1000,
        sole_writer=on_disk,
    )


def row(
    id_: str,
    *degrees: float,
    terms: str = "",
    pairs: str = "",
    scope: str = "a",
    content: str = "",
    image: float | None = None,
    **payload: Scalar,
) -> VectorRow:
    """A row with one unit vector in the plane per angle."""
    return VectorRow(
        id=id_,
        scope=scope,
        content_hash=content or id_,
        vectors={"text": plane(*(degrees or (0.0,)))} | ({} if image is None else {"image": plane(image)}),
        terms=terms,
        pairs=pairs,
        payload=payload,
    )


def plane(*degrees: float) -> Vectors:
    """``[N, 2]``, unit vectors."""
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def unit(degrees: float) -> Vectors:
    return plane(degrees)


def ids(found: list[StoreHit]) -> list[str]:
    return [hit.id for hit in found]


def test_the_nearest_comes_first_and_ties_break_by_id(store: VectorStore):
    store.upsert([row("b", 0), row("a", 0), row("c", 60), row("d", 180)])
    store.publish()
    [found] = store.search_vectors("text", unit(0), limit=3)
    assert ids(found) == ["a", "b", "c"]
    assert [hit.score for hit in found] == pytest.approx([1, 1, 0.5], abs=1e-3)  # cos 60 = 0.5


def test_a_row_is_as_near_as_its_nearest_passage(store: VectorStore):
    store.upsert([row("far and near", 170, 10), row("between", 40)])
    store.publish()
    [found] = store.search_vectors("text", unit(0), limit=2)
    assert ids(found) == ["far and near", "between"]
    assert found[0].score == pytest.approx(math.cos(math.radians(10)), abs=1e-3)


def test_text_is_scored_by_bm25(store: VectorStore):
    # 3 rows of mean length 2; "a" is in 2 of them: idf = ln(1 + 1.5 / 2.5) = ln 1.6
    # "a b":   1 * 2.2 / (1 + 1.2 * (0.25 + 0.75 * 2 / 2)) = 1
    # "a a c": 2 * 2.2 / (2 + 1.2 * (0.25 + 0.75 * 3 / 2)) = 4.4 / 3.65
    store.upsert([row("one", terms="a b"), row("two", terms="a a c"), row("none", terms="d")])
    store.publish()
    [found] = store.search_texts([TextQuery("a")], limit=5)
    assert ids(found) == ["two", "one"]
    assert [hit.score for hit in found] == pytest.approx(
        [math.log(1.6) * 4.4 / 3.65, math.log(1.6)], rel=1e-3
    )


def test_pairs_count_beside_terms_by_their_weight(store: VectorStore):
    store.upsert([row("apart", terms="a x b"), row("beside", terms="x a b", pairs="x_a a_b")])
    store.publish()
    [found] = store.search_texts([TextQuery("a b", "a_b", 0.5)], limit=5)
    assert ids(found) == ["beside", "apart"]


def test_a_query_without_terms_finds_no_text(store: VectorStore):
    store.upsert([row("a", terms="x")])
    store.publish()
    assert store.search_texts([TextQuery(""), TextQuery("unheard")], limit=5) == [[], []]


def test_a_search_stays_within_its_scopes(store: VectorStore):
    store.upsert(
        [row("a1", 0, terms="x"), row("b1", 1, terms="x x", scope="b's"), row("c1", 2, terms="x", scope="c")]
    )
    store.publish()
    assert ids(store.search_vectors("text", unit(0), limit=9, where=RowFilter(scopes=("b's", "c")))[0]) == [
        "b1",
        "c1",
    ]
    assert ids(store.search_texts([TextQuery("x")], limit=9, where=RowFilter(scopes=("a",)))[0]) == ["a1"]
    assert store.search_vectors("text", unit(0), limit=9, where=RowFilter(scopes=())) == [[]]
    assert (
        store.count(),
        store.count(RowFilter(scopes=("a", "c"))),
        store.count(RowFilter(scopes=("nowhere",))),
    ) == (3, 2, 0)


def test_a_filter_limits_modality_and_parent_as_well(store: VectorStore):
    store.upsert(
        [
            row("page", 0, terms="x", modality="image", parent="it's a file.pdf"),
            row("other", 1, terms="x", modality="image", parent="another.pdf"),
            row("clip", 2, terms="x", modality="video", parent="it's a file.pdf"),
        ]
    )
    store.publish()
    where = RowFilter(modalities=("image",), parents=("it's a file.pdf", "nowhere"))
    assert ids(store.search_vectors("text", unit(0), limit=9, where=where)[0]) == ["page"]
    assert ids(store.search_texts([TextQuery("x")], limit=9, where=where)[0]) == ["page"]
    assert store.count(where) == 1


PLACED = {
    "d:page:f#3": (3.0, None),
    "d:page:f#4": (4.0, 0.0),
    "d:clip:v#0": (0.0, 10.0),
    "d:clip:v#10": (10.0, 10.0),
    "d:image:page:1": (0.0, 0.0),  # a name that looks like another kind, and no place
    "no kind": (None, None),
}


FILTERED = [
    (RowFilter(kinds=("page", "slide")), ["d:page:f#3", "d:page:f#4"]),
    (RowFilter(kinds=("image",)), ["d:image:page:1"]),
    (RowFilter(kinds=()), []),
    (RowFilter(between=(3, 3)), ["d:clip:v#0", "d:page:f#3"]),
    (RowFilter(between=(10, math.inf)), ["d:clip:v#10"]),
    (RowFilter(between=(-math.inf, 3)), ["d:clip:v#0", "d:page:f#3"]),
    (RowFilter(between=(-math.inf, math.inf)), ["d:clip:v#0", "d:clip:v#10", "d:page:f#3", "d:page:f#4"]),
    (RowFilter(between=(9.5, 10), kinds=("clip",)), ["d:clip:v#0", "d:clip:v#10"]),
]


def test_a_filter_limits_kind_and_place(store: VectorStore):
    rows = [
        row(id_, at, terms="x", position=position, duration_s=duration)
        for at, (id_, (position, duration)) in enumerate(PLACED.items())
    ]
    store.upsert(rows)
    store.publish()
    for where, wanted in FILTERED:
        near = store.search_vectors("text", unit(0), limit=9, where=where)[0]
        worded = store.search_texts([TextQuery("x")], limit=9, where=where)[0]
        assert (sorted(ids(near)), sorted(ids(worded))) == (wanted, wanted), where
        assert store.count(where) == len(wanted)


def test_a_filter_that_goes_backwards_is_refused():
    with pytest.raises(ValueError, match="from a place to a later one"):
        RowFilter(between=(4, 3))


def test_spaces_are_searched_apart_and_a_row_need_not_be_in_each(store: VectorStore):
    store.upsert([row("seen", 0, image=90), row("read", 10), row("other", 20, image=100)])
    store.publish()
    assert ids(store.search_vectors("image", unit(90), limit=9)[0]) == ["seen", "other"]
    assert ids(store.search_vectors("text", unit(0), limit=9)[0]) == ["seen", "read", "other"]
    kept = store.stored(["seen", "read"])
    assert (set(kept["seen"].vectors), set(kept["read"].vectors)) == ({"text", "image"}, {"text"})
    np.testing.assert_allclose(kept["seen"].vectors["image"], plane(90), atol=1e-6)


def test_a_limit_counts_rows_and_not_passages(store: VectorStore):
    store.upsert([row("long", *np.linspace(0, 5, 40)), row("b", 30), row("c", 60)])
    store.publish()
    assert ids(store.search_vectors("text", unit(0), limit=3)[0]) == ["long", "b", "c"]


def test_writing_a_row_again_replaces_it(store: VectorStore):
    store.upsert([row("a", 0, terms="old"), row("b", 90, terms="new")])
    before = store.fingerprint()
    store.upsert([row("a", 0, terms="old")])
    assert (store.count(), store.fingerprint()) == (2, before)
    store.upsert([row("a", 180, terms="newer", content="changed")])
    store.publish()
    assert (store.count(), store.fingerprint() == before) == (2, False)
    assert store.search_texts([TextQuery("old")], limit=9) == [[]]
    assert ids(store.search_vectors("text", unit(180), limit=1)[0]) == ["a"]


def test_deleting_takes_exactly_the_named_rows(store: VectorStore):
    store.upsert([row("a", 0), row("it's", 10), row("c", 20)])
    store.delete(["it's", "never there"])
    store.publish()
    assert ids(store.search_vectors("text", unit(0), limit=9)[0]) == ["a", "c"]
    assert store.stored(["it's"]) == {}


def test_a_row_is_read_back_as_it_was_written(store: VectorStore):
    given_row = row("a", 0, 90, content="hash")
    payload: dict[str, Scalar] = {
        **dict.fromkeys(PAYLOAD),
        "title": "An 'odd' title",
        "width": 8,
        "modality": "text",
    }
    store.upsert(
        [VectorRow(**{name: getattr(given_row, name) for name in VectorRow.__slots__} | {"payload": payload})]
    )
    store.publish()
    assert store.payloads(["a", "never there"]) == {"a": payload}
    kept = store.stored(["a"])["a"]
    assert kept.content_hash == "hash"
    np.testing.assert_allclose(kept.vectors["text"], given_row.vectors["text"], atol=1e-6)


def test_the_fingerprint_knows_content_and_not_order(store: VectorStore):
    store.upsert([row("a"), row("b")])
    forward = store.fingerprint()
    store.delete(["a"])
    assert store.fingerprint() != forward
    store.upsert([row("a")])
    assert store.fingerprint() == forward


def test_many_queries_are_answered_as_each_alone(store: VectorStore):
    store.upsert([row(f"r{angle}", angle, terms=f"t{angle}") for angle in range(0, 180, 20)])
    store.publish()
    queries = np.concatenate([unit(35), unit(95)])
    together = store.search_vectors("text", queries, limit=3)
    assert [ids(found) for found in together] == [
        ids(store.search_vectors("text", queries[at : at + 1], limit=3)[0]) for at in (0, 1)
    ]
    texts = [TextQuery("t20"), TextQuery("t40")]
    assert [ids(found) for found in store.search_texts(texts, limit=3)] == [["r20"], ["r40"]]


def test_an_empty_store_finds_nothing(store: VectorStore):
    store.publish()
    assert store.search_vectors("text", unit(0), limit=3) == [[]]
    assert store.search_texts([TextQuery("a")], limit=3) == [[]]
    assert store.count() == 0


def test_batches_that_no_store_may_be_given_are_refused(store: VectorStore):
    with pytest.raises(ValueError, match="ids twice in one batch: \\['a'\\]"):
        store.upsert([row("a"), row("a"), row("b")])
    wide = VectorRow(id="w", scope="a", content_hash="", vectors={"text": np.array([[1, 0, 0]], np.float32)})
    with pytest.raises(ValueError, match="text vectors of another width than 2: \\['w'\\]"):
        store.upsert([wide])
    assert store.count() == 0


def test_hybrid_search_finds_what_either_finds(store: VectorStore):
    store.upsert(
        [row("near", 0), row("worded", 90, terms="x"), row("both", 10, terms="x y"), row("neither", 120)]
    )
    store.publish()
    [found] = hybrid(store, {"text": unit(0)}, [TextQuery("x y")], limit=3, settings=HybridSettings(depth=3))
    assert ids(found)[0] == "both"
    assert set(ids(found)) == {"near", "worded", "both"}


def test_a_row_refuses_what_cannot_be_searched():
    with pytest.raises(ValueError, match="an id and a scope"):
        row("")
    with pytest.raises(ValueError, match="passages, dim"):
        VectorRow(id="a", scope="a", content_hash="", vectors={"text": np.zeros((0, 2), np.float32)})
    with pytest.raises(ValueError, match="not of length 1"):
        VectorRow(id="a", scope="a", content_hash="", vectors={"text": np.zeros((1, 2), np.float32)})
    with pytest.raises(ValueError, match="not finite"):
        VectorRow(id="a", scope="a", content_hash="", vectors={"text": np.array([[np.nan, 0]], np.float32)})


def test_fusion_adds_scaled_scores():
    # text / 4: a 1, b 0.5; cosines from 0.2 to 0.6: b 1, c 0.5, d 0; halves: b 0.75, a 0.5, c 0.25, d 0
    by_text = [StoreHit("a", 4.0), StoreHit("b", 2.0)]
    by_vector = [StoreHit("b", 0.6), StoreHit("c", 0.4), StoreHit("d", 0.2)]
    found = fuse([(0.5, 0.0, by_text), (0.5, None, by_vector)])
    assert ids(found) == ["b", "a", "c", "d"]
    assert [hit.score for hit in found] == pytest.approx([0.75, 0.5, 0.25, 0.0])


def stored(**scores: float) -> list[StoreHit]:
    return sorted((StoreHit(id_, score) for id_, score in scores.items()), key=lambda hit: -hit.score)


ALIKE = stored(**{f"w{at}": 2.0 - at % 2 for at in range(20)})  # the best is one deviation above the mean
CLEAR = stored(best=9.0, **{f"w{at}": 1.0 for at in range(20)})  # more than four


def test_words_count_against_looks_as_far_as_their_best_row_stands_out():
    settings = HybridSettings()
    assert trust_in(ALIKE, settings) == settings.least_trust
    assert trust_in(CLEAR, settings) == 1.0
    assert trust_in(CLEAR[:9], settings) == 1.0  # too few to say
    assert trust_in([StoreHit(str(at), 1.0) for at in range(12)], settings) == settings.least_trust
    seen = {"image": stored(seen=0.9, other=0.1)}
    assert ids(join(ALIKE, seen, settings))[0] == "seen"
    assert ids(join(CLEAR, seen, settings))[:2] == ["best", "seen"]
    assert ids(join(ALIKE, {}, settings)) == ids(fuse([(1.0, 0.0, ALIKE)]))  # without looks nothing changes


def test_rows_without_words_are_told_apart_by_their_looks():
    near = {"text": stored(a=0.2, b=0.2, c=0.2), "image": stored(d=0.9, a=0.3, b=0.1)}
    assert ids(join([], near, HybridSettings()))[0] == "d"


def test_a_clip_in_two_spaces_does_not_count_twice():
    near = {"image": stored(page=0.9, clip=0.8, far=0.1), "clip": stored(clip=0.7, far=0.2)}
    assert ids(join([], near, HybridSettings())) == ["page", "clip", "far"]


scored = st.lists(
    st.tuples(st.sampled_from("abcdefgh"), st.floats(0, 50, allow_subnormal=False)),
    unique_by=lambda pair: pair[0],
).map(lambda pairs: [StoreHit(*pair) for pair in pairs])


@given(scored, scored, st.floats(0, 1))
def test_fused_scores_stay_between_0_and_1_and_lose_no_row(
    by_text: list[StoreHit], by_vector: list[StoreHit], weight: float
):
    found = fuse([(1 - weight, 0.0, by_text), (weight, None, by_vector)])
    assert {hit.id for hit in found} == {hit.id for hit in by_text + by_vector}
    assert all(-1e-9 <= hit.score <= 1 + 1e-9 for hit in found)
    assert found == sorted(found, key=lambda hit: (-hit.score, hit.id))


def test_vectors_need_one_text_each(tmp_path: Path):
    lance = LanceStore(str(tmp_path), dims=DIMS, payload={})
    with pytest.raises(ValueError, match="1 text vectors for 2 texts"):
        hybrid(lance, {"text": unit(0)}, [TextQuery("a"), TextQuery("b")], limit=1)


def test_text_is_scored_alike_in_memory_and_on_disk(tmp_path: Path):
    draw = random.Random(0)
    texts = ["", *(" ".join(draw.choices("abcdefgh", k=draw.randint(1, 12))) for _ in range(40))]
    on_disk = LanceStore(str(tmp_path), dims=DIMS, payload={}, resident_passages=0)
    on_disk.upsert([row(f"r{at:02d}", terms=text, pairs=text[:3]) for at, text in enumerate(texts)])
    on_disk.publish()
    in_memory = LanceStore(str(tmp_path), dims=DIMS, payload={}, live=False)
    asked = [
        TextQuery(" ".join(draw.sample("abcdefgh", k=3)), draw.choice("abcdefgh"), 0.5) for _ in range(20)
    ]
    pairs = zip(on_disk.search_texts(asked, limit=50), in_memory.search_texts(asked, limit=50), strict=True)
    for one, other in pairs:
        assert one
        assert dict(one) == pytest.approx(dict(other), rel=1e-4)


def test_terms_are_weighed_within_the_searched_scopes():
    # "x" is rare in scope a (1 of 2: idf = ln(1 + 1.5 / 1.5) = ln 2) and common elsewhere; both rows of a have length 1
    rows = [("a1", "a", "x"), ("a2", "a", "y"), *((f"b{at}", "b", "x z z z z") for at in range(9))]
    ids_, scopes, terms = zip(*rows, strict=True)
    texts = InMemoryTexts.of(ids_, {"scope": scopes}, terms, ["" for _ in rows])
    [found] = texts.search([TextQuery("x")], limit=5, where=RowFilter(scopes=("a",)))
    assert found == [StoreHit("a1", pytest.approx(math.log(2)))]


def test_concurrent_writers_of_the_same_rows_write_them_once(tmp_path: Path):
    rows = [row(f"r{number}") for number in range(60)]
    LanceStore(str(tmp_path), dims=DIMS, payload={}).upsert(rows[:5])

    def write(_: int) -> None:
        LanceStore(str(tmp_path), dims=DIMS, payload={}).upsert(rows)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    assert LanceStore(str(tmp_path), dims=DIMS, payload={}).count() == 60


def test_an_open_store_sees_what_another_wrote(tmp_path: Path):
    reader = LanceStore(str(tmp_path), dims=DIMS, payload={})
    assert reader.search_vectors("text", unit(0), limit=1) == [[]]
    LanceStore(str(tmp_path), dims=DIMS, payload={}).upsert([row("late")])
    assert ids(reader.search_vectors("text", unit(0), limit=1)[0]) == ["late"]


def test_rows_written_after_compaction_replace_those_before(tmp_path: Path):
    lance = LanceStore(str(tmp_path), dims=DIMS, payload={})
    lance.upsert([row(f"r{number}", terms="old") for number in range(50)])
    lance.publish()
    lance.upsert([row(f"r{number}", terms="new") for number in range(50)])
    assert lance.count() == 50
    lance.publish()
    assert lance.search_texts([TextQuery("old")], limit=5) == [[]]


def test_a_published_index_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(ValueError, match="no index table at"):
        LanceStore(str(tmp_path / "missing"), dims=DIMS, payload={}, live=False)


def many_rows() -> list[VectorRow]:
    """More than a group of the search file; some without a picture, a title or a place."""
    draw = random.Random(3)
    return [
        row(
            f"a:page:r{at:03d}",
            *(draw.uniform(0, 360) for _ in range(1 + at % 3)),
            scope="ab"[at % 2],
            terms=" ".join(draw.choices("abcdefgh", k=draw.randint(1, 12))),
            image=draw.uniform(0, 360) if at % 4 else None,
            title=f"Ünïcode {at}" if at % 5 else None,
            width=at,
            position=at / 2 if at % 7 else None,
            modality="image" if at % 4 else "text",
            parent="",
        )
        for at in range(2 * GROUP_ROWS + 9)
    ]


def answers(store: VectorStore, rows: list[VectorRow]) -> object:
    queries = np.concatenate([unit(angle) for angle in (3, 77, 190)])
    found: list[object] = [store.payloads([row.id for row in rows[::3]] + ["none"])]
    for where in (RowFilter(), RowFilter(scopes=("a",)), RowFilter(between=(3, 9)), RowFilter(modalities=())):
        found += [store.search_vectors(space, queries, limit=9, where=where) for space in DIMS]
        found.append(store.search_texts([TextQuery("a c h", "b", 0.4)], limit=9, where=where))
    return found


def test_what_is_published_is_searched_in_a_file_beside_the_table_with_the_same_answers(tmp_path: Path):
    rows = many_rows()
    with_file, without = tmp_path / "with", tmp_path / "without"
    for folder in (with_file, without):
        built = LanceStore(str(folder), dims=DIMS, payload=PAYLOAD, sole_writer=True)
        built.upsert(rows[:70])
        built.upsert(rows[70:])
        built.publish()
    (without / search_file.NAME).unlink()
    shutil.copytree(with_file / "items.lance", tmp_path / "table")
    shutil.rmtree(with_file / "items.lance")  # nothing but the file is left to be read
    searched = LanceStore(str(with_file), dims=DIMS, payload=PAYLOAD, live=False)
    expected = LanceStore(str(without), dims=DIMS, payload=PAYLOAD, live=False)
    assert answers(searched, rows) == answers(expected, rows)
    shutil.copytree(tmp_path / "table", with_file / "items.lance")
    hashes = searched.content_hashes([row.id for row in rows])  # what a build asks is in the table
    assert len(hashes) == searched.count() == len(rows)
    assert searched.fingerprint() == expected.fingerprint()


def test_the_file_beside_a_table_never_outlives_what_it_was_written_of(tmp_path: Path):
    store = LanceStore(str(tmp_path), dims=DIMS, payload={}, sole_writer=True)
    store.upsert([row("old")])
    store.publish()
    assert (tmp_path / search_file.NAME).is_file()
    store.delete(["old"])
    store.upsert([row("new")])
    reader = LanceStore(str(tmp_path), dims=DIMS, payload={}, live=False)
    assert ids(reader.search_vectors("text", unit(0), limit=5)[0]) == ["new"]


def test_a_collection_that_is_not_held_in_memory_has_no_file_beside_it(tmp_path: Path):
    for name, most, rows in (
        ("rows", 2, [row(f"r{at}") for at in range(3)]),
        ("vectors", 4, [row("r", 1, 2, 3, 4, 5)]),
    ):
        store = LanceStore(
            str(tmp_path / name), dims=DIMS, payload={}, sole_writer=True, resident_passages=most
        )
        store.upsert(rows)
        store.publish()
        assert not (tmp_path / name / search_file.NAME).exists()
        assert len(store.search_vectors("text", unit(0), limit=9)[0]) == len(rows)


def test_a_damaged_file_beside_a_table_is_an_error_of_the_store(tmp_path: Path):
    store = LanceStore(str(tmp_path), dims=DIMS, payload={}, sole_writer=True)
    store.upsert([row("r")])
    store.publish()
    (tmp_path / search_file.NAME).write_bytes(b"ARROW1 and nothing of it")
    with pytest.raises(VectorStoreError, match="read vectors and terms"):
        LanceStore(str(tmp_path), dims=DIMS, payload={}, live=False).search_vectors("text", unit(0), limit=1)


def test_a_large_collection_is_searched_through_an_index(tmp_path: Path):
    noise = np.random.default_rng(0)
    centres = noise.standard_normal((50, 16))
    vectors = np.repeat(centres, ANN_MIN_ROWS // 50, axis=0) + 0.3 * noise.standard_normal((ANN_MIN_ROWS, 16))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    rows = [
        VectorRow(id=f"r{at:05d}", scope="a", content_hash="", vectors={"text": vectors[at : at + 1]})
        for at in range(ANN_MIN_ROWS)
    ]
    on_disk = LanceStore(str(tmp_path), dims={"text": 16}, payload={}, resident_passages=0)
    on_disk.upsert(rows)
    on_disk.publish()
    exact = LanceStore(str(tmp_path), dims={"text": 16}, payload={}, live=False)
    queries = vectors[::500]
    shares = [
        len({*ids(one)} & {*ids(other)}) / 10
        for one, other in zip(
            on_disk.search_vectors("text", queries, limit=10),
            exact.search_vectors("text", queries, limit=10),
            strict=True,
        )
    ]
    assert np.mean(shares) >= 0.95


def test_a_large_collection_may_have_a_space_that_few_rows_or_none_are_in(tmp_path: Path):
    angles = np.linspace(0, 360, ANN_MIN_ROWS, endpoint=False)
    for number, seen in enumerate((0, 3)):
        store = LanceStore(str(tmp_path / str(number)), dims=DIMS, payload={}, resident_passages=0)
        store.upsert(
            [row(f"r{at:05d}", angle, image=angle if at < seen else None) for at, angle in enumerate(angles)]
        )
        store.publish()
        assert len(store.search_vectors("image", unit(0), limit=9)[0]) == seen
        assert ids(store.search_vectors("text", unit(90), limit=1)[0]) == [f"r{ANN_MIN_ROWS // 4:05d}"]
