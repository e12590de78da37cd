"""A folder of one's own files becomes searchable, and stays in step with the folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from assets.corpus.item import Modality
from assets.corpus.media import ShardMedia
from assets.corpus.read import read_questions
from assets.index.build import build_index
from assets.index.published import current_index, open_index
from assets.index.settings import IndexSettings
from assets.user_files.ingest import IngestStatus
from assets.user_files.paths import file_key
from infra.storage import manifest
from infra.storage.root import Storage
from tests.artifacts import verify
from tests.assets.parsers.outcome import write_film
from tests.assets.small_corpus import CountingEmbedder, item, write_corpus
from tests.assets.user_files.material import (
    PARAGRAPH,
    SpyOcr,
    happened,
    items,
    take,
    titles,
    write_pdf,
    write_picture,
    write_still_film,
    write_text,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A PDF of two pages, the second a scan; an image, a Markdown text of two headings, and a video of 90 seconds."""
    docs = tmp_path / "docs"
    write_pdf(docs / "report.pdf", "The annual report of Kelmo Limited.", "")
    write_picture(docs / "photo.png")
    write_text(docs / "notes.md", f"# Setup\n\nInstall the pump first.\n\n# Harbour\n\n{PARAGRAPH}\n")
    write_film(docs / "talk.mp4", seconds=90)
    write_text(
        docs / "talk.srt",
        "1\n00:00:05,000 --> 00:00:07,000\nfirst minute\n\n2\n00:01:10,000 --> 00:01:12,000\nsecond\n",
    )
    return docs


def key(path: Path) -> str:
    return file_key(str(path))


def kept_names(storage: Storage) -> set[str]:
    """By their manifests: a server may go on listing a folder that is empty."""
    return {name for name in storage.list("ingest") if storage.exists(f"ingest/{name}/manifest.json")}


def test_every_kind_of_file_becomes_items_that_a_reader_would_name_so(folder: Path, storage: Storage):
    report = take(storage, folder, ocr=SpyOcr())
    found = {item.title: item for item in items(storage)}
    assert list(found) == [
        "notes.md: Setup",
        "notes.md: Harbour",
        "photo.png",
        "report.pdf page 1",
        "report.pdf page 2",
        "talk.mp4 00:00",
        "talk.mp4 01:00",
    ]
    assert [item.id for item in found.values()] == [
        f"documents:text:{key(folder / 'notes.md')}#1",
        f"documents:text:{key(folder / 'notes.md')}#2",
        f"documents:image:{key(folder / 'photo.png')}",
        f"documents:page:{key(folder / 'report.pdf')}#1",
        f"documents:page:{key(folder / 'report.pdf')}#2",
        f"documents:clip:{key(folder / 'talk.mp4')}#0",
        f"documents:clip:{key(folder / 'talk.mp4')}#60",
    ]
    assert [item.text for item in found.values()] == [
        "Install the pump first.",
        PARAGRAPH,
        "words in a picture",
        "The annual report of Kelmo Limited.",
        "words in a picture",
        "first minute",
        "second",
    ]
    page, clip = found["report.pdf page 2"], found["talk.mp4 01:00"]
    assert (page.modality, page.parent, page.position) == (Modality.IMAGE, key(folder / "report.pdf"), 2.0)
    assert (page.width, page.height) == (150, 30)  # 300 x 60 points at 36 dpi
    assert (clip.modality, clip.position, clip.duration_s) == (Modality.VIDEO, 60.0, 30.0)
    assert clip.source == str(folder / "talk.mp4")
    assert (report.items, report.readable, report.skipped) == (7, 4, {})
    assert happened(report)["talk.mp4"] == "read: words of talk.srt"


def test_pixels_lie_in_shards_and_words_in_the_index_as_for_every_dataset(folder: Path, storage: Storage):
    take(storage, folder, ocr=SpyOcr())
    media = ShardMedia(storage)
    photo, clip = (
        f"documents:image:{key(folder / 'photo.png')}",
        f"documents:clip:{key(folder / 'talk.mp4')}#60",
    )
    assert media.image(photo).getpixel((3, 3)) == (40, 90, 160)  # a small image is kept without loss
    assert media.times(clip) == (7.5, 22.5)  # the centres of the two halves of 30 seconds
    assert media.frame(clip, 0.0).size == (32, 32)
    [hit] = open_index(storage, embedder=CountingEmbedder()).search("When did the harbour open?", 1)
    assert (hit.title, hit.dataset) == ("notes.md: Harbour", "documents")
    assert list(read_questions(storage, "documents")) == []
    assert verify(storage, "corpus/documents").counts["items"] == 7


def test_what_did_not_change_is_not_read_again_and_keeps_its_ids(folder: Path, storage: Storage):
    take(storage, folder, ocr=SpyOcr())
    before, index = items(storage), current_index(storage)
    ocr, embedder = SpyOcr("read again"), CountingEmbedder()
    report = take(storage, folder, ocr=ocr, embedder=embedder)
    assert (ocr.pictures, embedder.documents) == (0, [])
    assert (report.count(IngestStatus.READ), report.count(IngestStatus.UNCHANGED)) == (0, 4)
    assert (items(storage), current_index(storage)) == (before, index)


def test_exactly_the_items_of_a_changed_file_change(folder: Path, storage: Storage):
    take(storage, folder, ocr=SpyOcr())
    before = {item.id: item for item in items(storage)}
    write_text(folder / "notes.md", f"# Setup\n\nInstall the valve first.\n\n# Harbour\n\n{PARAGRAPH}\n")
    ocr, embedder = SpyOcr("read again"), CountingEmbedder()
    report = take(storage, folder, ocr=ocr, embedder=embedder)
    assert happened(report)["notes.md"] == "read" and report.count(IngestStatus.UNCHANGED) == 3
    assert embedder.documents == ["notes.md: Setup. Install the valve first."]
    assert report.index is not None and (report.index.embedded, report.index.vanished) == (1, 0)
    assert ocr.pictures == 0
    after = {item.id: item for item in items(storage)}
    assert list(after) == list(before)  # the file keeps its place and its ids
    changed = {
        id_ for id_ in after if (after[id_].title, after[id_].text) != (before[id_].title, before[id_].text)
    }
    assert changed == {f"documents:text:{key(folder / 'notes.md')}#1"}
    assert open_index(storage, embedder=embedder).search("valve", 1)[0].text == "Install the valve first."


def test_a_deleted_file_goes_with_exactly_its_items(folder: Path, storage: Storage):
    take(storage, folder)
    (folder / "report.pdf").unlink()
    num_kept = len(kept_names(storage))
    report = take(storage, folder)
    assert happened(report)["report.pdf"] == "removed: gone from its folder"
    assert report.index is not None and (report.index.embedded, report.index.vanished) == (0, 2)
    assert [title for title in titles(storage) if "report" in title] == []
    assert len(titles(storage)) == 5
    assert len(kept_names(storage)) == num_kept - 1
    with pytest.raises(KeyError):
        ShardMedia(storage).image(f"documents:page:{key(folder / 'report.pdf')}#1")


def test_files_that_are_not_named_stay_even_if_they_are_gone(folder: Path, storage: Storage, tmp_path: Path):
    take(storage, folder / "notes.md")
    (folder / "notes.md").unlink()
    report = take(storage, write_text(tmp_path / "other.txt", "other words"))
    assert titles(storage) == ["notes.md: Setup", "notes.md: Harbour", "other.txt"]
    assert list(happened(report)) == ["other.txt"]


def test_a_file_or_a_folder_can_be_forgotten(folder: Path, storage: Storage, tmp_path: Path):
    other = write_text(tmp_path / "other.txt", "other words")
    take(storage, folder, other)
    assert happened(take(storage, forget=[folder / "photo.png"])) == {"photo.png": "removed: forgotten"}
    assert take(storage, forget=[folder]).count(IngestStatus.REMOVED) == 3
    assert titles(storage) == ["other.txt"]
    assert take(storage, forget=[other]).items == 0
    assert titles(storage) == []
    assert open_index(storage, embedder=CountingEmbedder()).search("words") == []
    with pytest.raises(ValueError, match="nothing to forget"):
        take(storage, forget=[other])


def test_equal_names_in_two_folders_are_two_files(storage: Storage, tmp_path: Path):
    take(storage, write_text(tmp_path / "x/a.txt", "first"), write_text(tmp_path / "y/a.txt", "second"))
    first, second = items(storage)
    assert (first.text, second.text) == ("first", "second")
    assert first.id != second.id and first.parent != second.parent


def test_a_copy_is_not_read_again_and_is_shown_once(storage: Storage, tmp_path: Path):
    take(storage, write_picture(tmp_path / "b.png"), ocr=SpyOcr())
    ocr = SpyOcr()
    report = take(storage, write_picture(tmp_path / "a.png"), ocr=ocr)
    assert (ocr.pictures, report.items) == (0, 1)
    [shown] = items(storage)
    assert shown.title == "b.png"  # the earlier one stays, whatever the names
    assert shown.aliases == (f"documents:image:{key(tmp_path / 'a.png')}",)
    take(storage, forget=[tmp_path / "b.png"])
    assert titles(storage) == ["a.png"]


def test_a_moved_file_is_not_read_again(storage: Storage, tmp_path: Path):
    write_picture(tmp_path / "docs/old.png")
    take(storage, tmp_path / "docs", ocr=SpyOcr())
    (tmp_path / "docs/old.png").rename(tmp_path / "docs/new.png")
    ocr = SpyOcr()
    report = take(storage, tmp_path / "docs", ocr=ocr)
    assert happened(report) == {
        "new.png": "unchanged: its content was read before",
        "old.png": "removed: gone from its folder",
    }
    assert (ocr.pictures, titles(storage)) == (0, ["new.png"])


def test_other_settings_read_again_only_what_they_matter_to(folder: Path, storage: Storage):
    take(storage, folder, ocr=SpyOcr())
    again = happened(take(storage, folder, ocr=SpyOcr(), dpi=72))
    assert {name for name, what in again.items() if what.startswith("read")} == {"report.pdf"}
    silent = happened(take(storage, folder, dpi=72))  # no OCR
    assert {name for name, what in silent.items() if what.startswith("read")} == {
        "report.pdf",
        "photo.png",
        "notes.md",
    }


def test_a_changed_transcript_changes_its_video(folder: Path, storage: Storage):
    take(storage, folder)
    write_text(folder / "talk.srt", "0:05 other words\n1:20 at the end\n")
    assert happened(take(storage, folder))["talk.mp4"] == "read: words of talk.srt"
    assert [item.text for item in items(storage)][-2:] == ["other words", "at the end"]


def test_a_transcript_without_times_is_shared_out_and_is_no_document_of_its_own(
    storage: Storage, tmp_path: Path
):
    write_film(tmp_path / "docs/talk.mp4", seconds=120)
    write_text(tmp_path / "docs/talk.txt", "one two three four")
    take(storage, tmp_path / "docs")
    assert [(item.title, item.text) for item in items(storage)] == [
        ("talk.mp4 00:00", "one two"),
        ("talk.mp4 01:00", "three four"),
    ]
    take(storage, tmp_path / "docs/talk.txt")  # unless it is asked for
    assert titles(storage)[-1] == "talk.txt"


def test_what_is_said_after_the_last_clip_belongs_to_it(storage: Storage, tmp_path: Path):
    write_film(tmp_path / "talk.mp4", seconds=61)  # the second beyond the minute is dropped
    write_text(
        tmp_path / "talk.vtt",
        "WEBVTT\n\n00:05.000 --> 00:06.000\nhello\n\n01:00.500 --> 01:01.000\ngood bye\n",
    )
    take(storage, tmp_path / "talk.mp4")
    assert [(item.title, item.text) for item in items(storage)] == [("talk.mp4", "hello\ngood bye")]


def test_two_minutes_of_one_still_image_are_two_clips_with_their_own_words(storage: Storage, tmp_path: Path):
    write_still_film(tmp_path / "talk.mp4", seconds=119)
    write_text(tmp_path / "talk.srt", "0:05 first\n1:20 second\n")
    take(storage, tmp_path / "talk.mp4")
    assert [item.text for item in items(storage)] == ["first", "second"]


def test_the_other_datasets_of_the_root_stay_indexed(folder: Path, storage: Storage):
    write_corpus(storage, [item("Kelmo", "Kelmo is led by Rakimo.")])
    build_index(storage, embedder=CountingEmbedder())
    embedder = CountingEmbedder()
    report = take(storage, folder, embedder=embedder)
    assert report.index is not None and report.index.datasets == {"documents": 7, "toy": 1}
    assert report.items == 7
    assert not any("Rakimo" in text for text in embedder.documents)


def test_a_dataset_that_was_left_out_of_the_index_stays_out(folder: Path, storage: Storage):
    for name in ("toy", "big"):
        write_corpus(storage, [item("Kelmo", "Kelmo is led.", dataset=name)], dataset=name)
    build_index(storage, IndexSettings(datasets=("toy",)), embedder=CountingEmbedder())
    report = take(storage, folder)
    assert report.index is not None and set(report.index.datasets) == {"documents", "toy"}


def test_text_of_a_page_that_is_hardly_there_is_read_from_its_image(storage: Storage, tmp_path: Path):
    ocr = SpyOcr("a whole page of words")
    take(storage, write_pdf(tmp_path / "scan.pdf", "7", "A page with a layer of text."), ocr=ocr)
    assert ocr.pictures == 1
    assert [item.text for item in items(storage)] == ["a whole page of words", "A page with a layer of text."]
    take(storage, tmp_path / "scan.pdf", ocr=SpyOcr(""), dpi=37)
    assert items(storage)[0].text == "7"  # nothing read there: the layer is better than nothing


def test_an_encoding_that_had_to_be_guessed_is_noted(storage: Storage, tmp_path: Path):
    (tmp_path / "old.txt").write_bytes("Grüße".encode("cp1252"))
    assert happened(take(storage, tmp_path / "old.txt")) == {"old.txt": "read: read as cp1252"}
    assert items(storage)[0].text == "Grüße"


def test_the_same_files_give_the_same_bytes(folder: Path, tmp_path: Path):
    roots = [Storage(tmp_path / name) for name in ("one", "two")]
    digests = []
    for root in roots:
        take(root, folder, ocr=SpyOcr())
        digests.append(
            [manifest.digest(manifest.read(root, f"{part}/documents")) for part in ("corpus", "shards")]
        )
    assert digests[0] == digests[1]


def test_a_root_on_s3_works_alike(folder: Path, s3_storage: Storage):
    for part in ("corpus", "shards", "index", "ingest"):
        s3_storage.remove_tree(part)
    take(s3_storage, folder, ocr=SpyOcr())
    ocr = SpyOcr()
    report = take(s3_storage, folder / "photo.png", ocr=ocr, forget=[folder / "talk.mp4"])
    assert (ocr.pictures, report.items) == (0, 5)
    photo = f"documents:image:{key(folder / 'photo.png')}"
    assert ShardMedia(s3_storage).image(photo).size == (32, 24)
    assert len(kept_names(s3_storage)) == 3
