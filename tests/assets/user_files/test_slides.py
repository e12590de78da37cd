"""Slides are pictures where LibreOffice is there, and what they were before where it is not, fails, or is not wanted."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from assets.corpus.item import Item, Modality
from assets.corpus.media import ShardMedia
from assets.miniature.writers.pdf import PdfPageSpec, pdf_bytes
from assets.user_files.media.slides import FOLDER
from infra.media import soffice
from infra.storage.root import Storage
from tests.assets.user_files.material import SpyOcr, happened, items, take
from tests.infra.media.decks import in_place_of_soffice, pptx

needs_soffice = pytest.mark.skipif(soffice() is None, reason="LibreOffice is not installed")


@pytest.fixture
def deck(tmp_path: Path) -> Path:
    return pptx(tmp_path / "deck.pptx", ["Harbour of Belodu", "Kept back", "Crane of 1901", ""], hidden=[2])


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(tmp_path / "root")


def told(storage: Storage) -> list[tuple[str, str, Modality, int]]:
    return [(item.title, item.text, item.modality, int(item.position)) for item in items(storage)]


def words(found: list[Item]) -> list[str]:
    return [item.text for item in found]


@needs_soffice
def test_a_slide_that_is_shown_is_a_picture_with_its_words_and_a_hidden_one_its_words(
    deck: Path, storage: Storage
):
    take(storage, deck, dpi=144, ocr=SpyOcr("read on the slide"))
    assert told(storage) == [
        ("deck.pptx slide 1", "Harbour of Belodu", Modality.IMAGE, 1),
        ("deck.pptx slide 2 (hidden)", "Kept back", Modality.TEXT, 2),
        ("deck.pptx slide 3", "Crane of 1901", Modality.IMAGE, 3),
        ("deck.pptx slide 4", "read on the slide", Modality.IMAGE, 4),
    ]
    [first, *_] = items(storage)
    picture = ShardMedia(storage).image(first.id)
    assert isinstance(picture, Image.Image) and picture.width / picture.height == pytest.approx(16 / 9, 0.01)


@needs_soffice
def test_a_deck_is_drawn_once_until_it_is_forgotten(
    deck: Path, storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    take(storage, deck)
    [kept] = storage.list(FOLDER)
    monkeypatch.setenv("PATH", in_place_of_soffice(tmp_path / "bin", "exit 1"))
    assert happened(take(storage, deck)) == {"deck.pptx": "unchanged"}
    assert happened(take(storage, deck, dpi=50)) == {"deck.pptx": "read"}
    assert [item.modality for item in items(storage)].count(Modality.IMAGE) == 3
    assert storage.list(FOLDER) == (kept,)
    take(storage, forget=[deck])
    assert not storage.list(FOLDER)


@pytest.mark.parametrize(
    ("script", "note"),
    [
        ("sleep 600", "slides are not drawn: LibreOffice was not done in 2 s"),
        ("echo no room >&2; exit 1", "slides are not drawn: LibreOffice made no PDF: no room"),
        ("echo words > deck.pdf", "slides are not drawn: LibreOffice made no PDF"),
    ],
)
def test_where_it_hangs_or_fails_words_and_pictures_are_read_and_a_note_says_so(
    deck: Path, storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, note: str
):
    monkeypatch.setenv("PATH", in_place_of_soffice(tmp_path / "bin", script))
    report = take(storage, deck, slide_seconds=2.0 if "sleep" in script else 60.0)
    assert note in happened(report)["deck.pptx"]
    assert words(items(storage)) == ["Harbour of Belodu", "Kept back", "Crane of 1901"]


def test_pages_that_are_not_the_slides_are_not_taken_for_them(
    deck: Path, storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "one.pdf").write_bytes(pdf_bytes((PdfPageSpec(lines=("x",)),), width=300, height=60))
    script = 'cp "$(dirname "$0")/one.pdf" deck.pdf'
    monkeypatch.setenv("PATH", in_place_of_soffice(tmp_path / "bin", script))
    report = take(storage, deck)
    assert "LibreOffice made 1 pages of 3 slides that are shown" in happened(report)["deck.pptx"]
    assert {item.modality for item in items(storage)} == {Modality.TEXT}


def test_without_it_and_where_it_is_not_wanted_a_deck_is_what_it_was(
    deck: Path, storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    report = take(storage, deck, slides=False)
    before = told(storage)
    assert happened(report) == {"deck.pptx": "read"}
    assert {modality for _, _, modality, _ in before} == {Modality.TEXT}
    monkeypatch.setenv("PATH", str(tmp_path))
    assert happened(take(storage, deck)) == {"deck.pptx": "unchanged"}
    assert told(storage) == before and not storage.list(FOLDER)
