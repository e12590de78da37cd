"""What another recognition model read is read again, and nothing else."""

from __future__ import annotations

from pathlib import Path

from assets.parsers.images import read_by
from assets.user_files.ingest import IngestReport, IngestSettings, IngestStatus, ingest
from infra.media import ocr_reader
from infra.storage.root import Storage
from tests.assets.small_corpus import CountingEmbedder
from tests.assets.user_files.material import items, write_text
from tests.infra.media import ocr_models


def test_pictures_are_read_again_by_another_model_and_texts_are_not(tmp_path: Path):
    swapping = ocr_models.with_characters_beside(tmp_path / "pack", swapped="18")
    files, storage, embedder = tmp_path / "files", Storage(tmp_path / "root"), CountingEmbedder()
    write_text(files / "note.txt", "No picture.")
    ocr_models.sign("PIER 1831").save(files / "sign.png")

    def take(model: Path | None) -> IngestReport:
        settings = IngestSettings(reading=read_by(ocr_reader(model, num_threads=1)))
        return ingest([files], storage, settings=settings, embedder=embedder)

    for model, again, words in (
        (None, 2, "PIER 1831"),
        (swapping, 1, "PIER 8138"),
        (swapping.parent, 0, "PIER 8138"),
        (None, 1, "PIER 1831"),
    ):
        assert take(model).count(IngestStatus.READ) == again
        assert {item.text for item in items(storage)} == {"No picture.", words}
