"""OCR, captions and embeddings are the same bytes on every engine, whoever dies; what is finished is never done twice."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from assets.corpus import ocr_prefetch
from assets.corpus.build import build_corpus
from assets.corpus.ocr_prefetch import TextJob
from assets.corpus.shards import ShardWriter, directory
from assets.index.build import build_index
from assets.index.published import open_index
from assets.parsers.types import ParseContext
from infra.embedders.minilm import MiniLmEmbedder
from infra.embedders.types import TEXT_ONLY
from infra.errors import EngineError
from infra.media import SandboxedOcr, encode_png
from infra.storage.publication import publish
from infra.storage.root import Storage
from infra.workers.local import LocalEngine, WorkerEngine, engine_of
from infra.workers.ray import RayEngine, local_ray
from tests.assets.page_readers import Described, PartlyFailing, page, size_of
from tests.assets.small_corpus import item, write_corpus

PAGES = 9  # the fourth has a red corner
SHARDS = 3


@pytest.fixture(scope="module")
def two_ray_workers() -> Iterator[WorkerEngine]:
    if importlib.util.find_spec("ray") is None:
        pytest.skip("Ray is not installed")
    with local_ray(cpus=2):
        yield RayEngine(workers=2)


@pytest.fixture(params=["pool", "ray"])
def engine(request: pytest.FixtureRequest) -> WorkerEngine:
    return LocalEngine(workers=2) if request.param == "pool" else request.getfixturevalue("two_ray_workers")


def slides(raw: Path) -> None:
    deck = raw / "slidevqa" / "images" / "deck"
    deck.mkdir(parents=True)
    for number in range(1, 6):
        image = page(f"Belodu {number}17 tons")
        if number == 4:
            image.putpixel((0, 0), (255, 0, 0))
        (deck / f"slide_{number}_1024.png").write_bytes(encode_png(image))


def files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_a_corpus_read_ahead_is_the_one_that_reads_each_image_itself(
    engine: WorkerEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(ocr_prefetch, "SHARD_BYTES", 8_000)  # so that each worker has something to do
    slides(tmp_path / "raw")
    real = (
        SandboxedOcr(num_threads=1).text if isinstance(engine, RayEngine) else size_of
    )  # loading it once is enough
    context = ParseContext(ocr=PartlyFailing(real).text)
    direct, ahead = (Storage(tmp_path / name) for name in ("direct", "ahead"))
    expected = build_corpus(tmp_path / "raw", direct, settings=context).datasets["slidevqa"]
    report = build_corpus(tmp_path / "raw", ahead, settings=context, engine=engine).datasets["slidevqa"]
    assert (expected.items, expected.skipped) == (4, {"ocr_failed": 1})
    assert report == expected
    assert files(tmp_path / "ahead") == files(tmp_path / "direct")  # nothing of the way is left, either


def test_vectors_do_not_depend_on_the_engine(
    engine: WorkerEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("assets.index.build.PART_ITEMS", 4)
    items = [item(f"Town{n}", f"Town{n} lies {n * n} km from the river. " * (1 + n % 3)) for n in range(11)]
    stored = []
    for name, used in (("direct", None), ("spread", engine)):
        storage = Storage(tmp_path / name)
        write_corpus(storage, items)
        embedder = MiniLmEmbedder(num_threads=1)
        report = build_index(storage, embedder=embedder, engine=used)
        store = open_index(storage, embedder=embedder)._store
        kept = store.stored([one.id for one in items])
        stored.append((report, {id_: row.vectors["text"].tobytes() for id_, row in kept.items()}))
        assert not (tmp_path / name / "index/.vectors").exists()
    assert stored[0] == stored[1]
    assert len(stored[0][1]) == 11


def image_job(storage: Storage) -> TextJob:
    """Nine pictures of which the fourth is refused, in three shards."""
    with publish(storage, directory("toy"), producer="test", params={}, inputs={}) as publication:
        writer = ShardWriter(publication, "toy", max_bytes=3 * 4 * 512)
        for number in range(PAGES):
            image = page("").crop((0, 0, 9 + number, 9))
            if number == 3:
                image.putpixel((0, 0), (255, 0, 0))
            writer.add(f"{number}", f"toy:page:{number}", [("png", encode_png(image))], {})
        writer.finish({})
    return TextJob(directory("toy"), "texts")


def written(
    storage: Storage, texts: TextJob, engine: WorkerEngine, make: partial[Described]
) -> dict[str, bytes]:
    stages: list[tuple[int, int | None]] = []
    ocr_prefetch.write_texts(
        storage, texts, make, engine, stage="captions", progress=lambda _, *count: stages.append(count)
    )
    assert stages[-1] == (PAGES, PAGES)
    root = storage.local_path(texts.target)
    assert root is not None
    return files(root)


def test_captions_are_the_same_tables_even_if_a_worker_is_killed(engine: WorkerEngine, tmp_path: Path):
    storage = Storage(tmp_path / "root")
    texts = image_job(storage)
    expected = written(storage, texts, LocalEngine(), partial(Described))
    assert len(expected) == SHARDS
    others = TextJob(texts.source, "others")
    dying = partial(Described, dies_at=2, once=tmp_path / "died")
    assert written(storage, others, engine, dying) == expected
    assert (tmp_path / "died").exists()
    rows = list(ocr_prefetch.read_texts(storage, others))
    assert [row.key for row in rows] == [str(number) for number in range(PAGES)]
    assert [row[2:] for row in rows if row.key == "3"] == [("", "a red corner", "caption_refused")]


def test_a_pool_whose_workers_always_die_says_so(tmp_path: Path):
    storage = Storage(tmp_path / "root")
    texts = image_job(storage)
    with pytest.raises(EngineError, match="died 1 times, 3 shards are left"):
        written(storage, texts, LocalEngine(workers=2, max_deaths=1), partial(Described, dies_at=1))


def test_a_killed_run_goes_on_with_the_next_shard(tmp_path: Path):
    storage = Storage(tmp_path / "root")
    texts = image_job(storage)
    program = (
        "from functools import partial; from pathlib import Path; from assets.corpus import ocr_prefetch;"
        "from infra.workers.local import LocalEngine; from infra.storage.root import Storage;"
        "from infra.progress import silent; from assets.corpus.ocr_prefetch import TextJob;"
        "from tests.assets.page_readers import Described;"
        f"make = partial(Described, Path({str(tmp_path / 'log')!r}), dies_at=8);"
        f"ocr_prefetch.write_texts(Storage({storage.root!r}), TextJob(*{tuple(texts)!r}), make, LocalEngine(),"
        " stage='', progress=silent)"
    )
    assert subprocess.run([sys.executable, "-c", program], cwd=Path.cwd()).returncode == -9
    first = (tmp_path / "log").read_text().split()
    assert len(first) == 6  # seven met, one refused, the eighth killed it
    (tmp_path / "log").unlink()
    resumed = written(storage, texts, LocalEngine(), partial(Described, tmp_path / "log"))
    assert len((tmp_path / "log").read_text().split()) == 3  # the shard in hand, anew
    assert resumed == written(storage, TextJob(texts.source, "fresh"), LocalEngine(), partial(Described))


def test_a_killed_index_build_goes_on_with_the_next_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("assets.index.build.PART_ITEMS", 4)
    storage = Storage(tmp_path / "root")
    write_corpus(storage, [item(f"Town{n}", f"Town{n} has {n} gates.") for n in range(10)])
    with pytest.raises(KeyboardInterrupt):
        build_index(storage, embedder=Fragile(calls=2))
    again = Fragile(calls=9)
    assert build_index(storage, embedder=again).embedded == 10
    assert again.texts == ["Town8. Town8 has 8 gates.", "Town9. Town9 has 9 gates."]


class Fragile:
    """An embedder that is interrupted after so many calls."""

    dim, fingerprint, space, modalities = 8, "0" * 64, "fragile", TEXT_ONLY

    def __init__(self, *, calls: int) -> None:
        self._calls, self.texts = calls, list[str]()

    def encode_documents(self, texts: list[str]) -> np.ndarray:
        self._calls -= 1
        if self._calls < 0:
            raise KeyboardInterrupt
        self.texts += texts
        return self.encode_queries(texts)

    def encode_queries(self, texts: list[str]) -> np.ndarray:
        return np.tile(np.eye(1, self.dim, dtype=np.float32), (len(texts), 1))


def refuse(_: int) -> int:
    raise ValueError("no such thing")


@pytest.mark.usefixtures("two_ray_workers")
def test_ray_stays_on_this_machine():
    import ray

    assert {node["NodeManagerAddress"] for node in ray.nodes()} == {"127.0.0.1"}


def refusing() -> partial[int]:
    return partial(refuse)


def test_what_the_function_raises_ends_the_run_and_is_told(engine: WorkerEngine):
    expected = (
        r"^a worker failed: ValueError: no such thing$"
        if isinstance(engine, RayEngine)
        else r"^no such thing$"
    )
    with pytest.raises((ValueError, EngineError), match=expected):
        list(engine.run(refusing, [1, 2]))


def test_unknown_engines_and_numbers_of_workers_are_refused(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(ValueError, match="unknown engine 'spark': known are local, ray"):
        engine_of("spark")
    with pytest.raises(ValueError, match="at least 1 worker, not 0"):
        engine_of("local", workers=0)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"not installed: pip install"):
        engine_of("ray")
