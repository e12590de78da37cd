"""Pages of one's own PDFs are kept as themselves and rendered when they are looked at."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from assets.corpus import shards
from assets.corpus.media import ShardMedia
from assets.parsers.types import ParseContext
from assets.user_files.ingest import DATASET, IngestSettings, ingest
from infra.media import media_decoder
from infra.storage.root import Storage
from tests.assets.small_corpus import CountingEmbedder
from tests.assets.user_files.material import PARAGRAPH, SpyOcr, items, write_pdf
from tests.infra.media.pdf_files import one_page, picture


def taken(storage: Storage, path: Path, **context: object) -> None:
    settings = IngestSettings(reading=ParseContext(**{"ocr": None, **context}))  # type: ignore[arg-type]
    ingest([path], storage, settings=settings, embedder=CountingEmbedder())


def kinds(storage: Storage) -> set[bool]:
    return {place.is_page for place in shards.read_locations(storage, DATASET).values()}


def members(storage: Storage) -> set[str]:
    folder = shards.directory(DATASET)
    sample = next(shards.read_shard(storage, folder, "documents-000000.tar"))
    return {extension for extension, _ in sample.members}


def test_a_page_is_kept_as_a_page_and_looks_as_it_did(storage: Storage, tmp_path: Path):
    path = write_pdf(tmp_path / "a.pdf", PARAGRAPH, f"{PARAGRAPH} Again.")
    taken(storage, path)
    assert members(storage) == {"pdf"} and kinds(storage) == {True}
    media = ShardMedia(storage)
    with media_decoder().open_pdf(path) as document:
        for number, item in enumerate(items(storage), start=1):
            page = document.page(number)
            assert media.image(item.id).tobytes() == page.image.tobytes()
            assert (item.width, item.height, item.text) == (*page.image.size, page.text)


def test_pictures_of_pages_are_kept_where_they_are_asked_for_or_the_resolution_is_another(
    storage: Storage, tmp_path: Path
):
    path = write_pdf(tmp_path / "a.pdf", PARAGRAPH)
    taken(storage, path, page_images=True)
    assert kinds(storage) == {False}
    taken(storage, path, dpi=100)
    assert kinds(storage) == {False} and ShardMedia(storage).image(items(storage)[0].id).size == (417, 84)
    taken(storage, path)  # other settings: the same file is read again
    assert kinds(storage) == {True} and ShardMedia(storage).image(items(storage)[0].id).size == (600, 120)


def test_a_scan_is_rendered_for_ocr_and_kept_as_itself(storage: Storage, tmp_path: Path):
    image = Image.linear_gradient("L").resize((40, 28)).convert("RGB")
    (tmp_path / "scan.pdf").write_bytes(one_page(b"q 400 0 0 280 0 10 cm /I1 Do Q\n", more=[picture(image)]))
    ocr = SpyOcr("words of the scan")
    taken(storage, tmp_path / "scan.pdf", ocr=ocr)
    assert ocr.pictures == 1 and items(storage)[0].text == "words of the scan" and kinds(storage) == {True}
