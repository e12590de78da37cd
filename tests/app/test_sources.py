"""Files as their reader knows them: listed, told apart, asked alone, removed; the same from the command line."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from app.answers.library import changing
from app.answers.library.listing import CHANGED, GONE, READY, UNREADABLE, Library, SourceRecord
from app.answers.library.naming import UnknownFileError, folders_of, meant
from assets.corpus.read import read_items
from assets.index.published import open_index
from assets.parsers.types import ParseContext
from assets.user_files import facts
from assets.user_files.ingest import IngestSettings, ingest
from assets.user_files.paths import file_key
from infra.storage.root import Storage
from orchestration.joins.adapters import IndexRetriever
from tests.app.command_line import Vimrag
from tests.app.server.reader_model import reply
from tests.assets.user_files.material import write_pdf
from tests.servers.openai_server import Messages, OpenAIServer, text_of

SETTINGS = IngestSettings(reading=ParseContext(ocr=None))


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Two reports of one name, a copy of the first, a note, and a file that cannot be read."""
    folder = tmp_path / "files"
    for name in ("north", "south"):
        (folder / name).mkdir(parents=True)
    write_pdf(
        folder / "north" / "report.pdf", "The crane of the north opened in 1931.", "It lifts forty tons."
    )
    write_pdf(folder / "south" / "report.pdf", "The crane of the south opened in 1955.")
    (folder / "copy.pdf").write_bytes((folder / "north" / "report.pdf").read_bytes())
    (folder / "note.txt").write_text("The old mill burned down in a dry summer.")
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7 nothing else")
    return folder


@pytest.fixture
def storage(files: Path, tmp_path: Path) -> Storage:
    storage = Storage(tmp_path / "root")
    ingest([files], storage, settings=SETTINGS)
    return storage


def key(files: Path, name: str) -> str:
    return file_key(str(files / name))


def test_a_row_costs_no_reading_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def rows_and_reads(count: int) -> tuple[tuple[SourceRecord, ...], int]:
        library = Library(storage)
        before = len(reads)
        return library.page(limit=count).rows, len(reads) - before

    for number in range(40):
        (tmp_path / f"{number}.txt").write_bytes(b"A gr\xfcn light at pier %d of the harbour." % number)
    storage = Storage(tmp_path / "root")
    ingest(sorted(tmp_path.glob("*.txt")), storage, settings=SETTINGS)
    reads: list[str] = []
    whole = Storage.read_bytes
    monkeypatch.setattr(Storage, "read_bytes", lambda self, name: reads.append(name) or whole(self, name))

    few, reads_of_few = rows_and_reads(2)
    many, reads_of_many = rows_and_reads(40)
    assert (len(few), len(many)) == (2, 40)
    assert reads_of_many == reads_of_few <= 8
    assert many[7].remarks == ("read as cp1252",)
    storage.remove_file(facts.FACTS)  # as a root of an earlier version
    same, one_by_one = rows_and_reads(40)
    assert (same, one_by_one >= 40) == (many, True)


def test_files_stand_with_items_size_state_and_the_folder_that_tells_them_apart(
    files: Path, storage: Storage
):
    page = Library(storage).page()
    seen = {(row.folder, row.name): (row.kind, row.items, row.state) for row in page.rows}
    assert seen == {
        ("", "broken.pdf"): ("", 0, UNREADABLE),
        ("", "copy.pdf"): ("pdf", 2, READY),
        ("", "note.txt"): ("text", 1, READY),
        ("north", "report.pdf"): ("pdf", 2, READY),
        ("south", "report.pdf"): ("pdf", 1, READY),
    }
    by_name = {row.path: row for row in page.rows}
    assert by_name[str(files / "note.txt")].bytes == (files / "note.txt").stat().st_size
    assert by_name[str(files / "broken.pdf")].reason
    # the later of two equal files says which one answers for it
    assert by_name[str(files / "north" / "report.pdf")].same_as == key(files, "copy.pdf")
    assert (page.total, page.files, page.unreadable, page.pending) == (5, 5, 1, False)


def test_a_file_that_was_changed_or_is_gone_says_so(files: Path, storage: Storage):
    library = Library(storage)
    os.utime(files / "note.txt", (4e9, 4e9))
    (files / "south" / "report.pdf").unlink()
    states = {row.path: row.state for row in library.page().rows}
    assert states[str(files / "note.txt")] == CHANGED
    assert states[str(files / "south" / "report.pdf")] == GONE


def test_a_file_that_can_be_read_by_now_is_no_longer_listed_as_unreadable(files: Path, storage: Storage):
    library = Library(storage)
    write_pdf(files / "broken.pdf", "It is whole.")
    ingest([files], storage, settings=SETTINGS)
    assert library.page(state=UNREADABLE).rows == ()
    assert {row.state for row in library.page().rows} == {READY}


def test_words_find_files_by_their_path(storage: Storage):
    assert [row.folder for row in Library(storage).page(words="REPORT south").rows] == ["south"]
    assert Library(storage).page(words="report", limit=1, offset=1).total == 2


def test_a_name_means_one_file_or_is_refused_with_what_it_could_mean(files: Path):
    places = [str(files / name) for name in ("north/report.pdf", "south/report.pdf", "note.txt")]
    assert meant(["note.txt", "north/report.pdf"], places) == [places[2], places[0]]
    assert meant([str(files)], places) == places[2:] + places[:2] or len(meant([str(files)], places)) == 3
    assert meant([file_key(places[1])], places) == [places[1]]
    with pytest.raises(UnknownFileError, match=r"2 files are called 'report.pdf'.*north.*south"):
        meant(["report.pdf"], places)
    with pytest.raises(UnknownFileError, match=r"did you mean 'note.txt'"):
        meant(["nots.txt"], places)
    with pytest.raises(UnknownFileError, match="`vimrag sources list` names those that are"):
        meant(["coat.txt"], places)  # an ending in common is no likeness


def test_equal_ends_of_folders_are_told_apart_by_more_of_them():
    alike = ["/a/x/in/1.pdf", "/a/y/in/1.pdf", "/1.pdf"]
    assert folders_of(alike) == {"/a/x/in/1.pdf": "x/in", "/a/y/in/1.pdf": "y/in", "/1.pdf": ""}


def found(storage: Storage, scope: Sequence[str], query: str) -> set[str]:
    retriever = IndexRetriever(open_index(storage), datasets=["documents"], parents=scope)
    return {hit.parent for hit in asyncio.run(retriever.search(query, top_k=50))}


def test_a_scope_holds_in_the_store_and_a_copy_stands_for_its_original(files: Path, storage: Storage):
    south = changing.scope_of(storage, ["south/report.pdf"])
    assert found(storage, south, "crane of the north") == {key(files, "south/report.pdf")}
    # the copy came first, so that its items are those of the north
    north = changing.scope_of(storage, ["north/report.pdf"])
    assert north == (key(files, "copy.pdf"),)
    assert found(storage, north, "crane of the south") == {key(files, "copy.pdf")}


def test_removing_takes_a_file_out_of_the_index_and_leaves_it_on_the_disk(files: Path, storage: Storage):
    changing.remove(storage, changing.locations(storage, ["note.txt", "broken.pdf"]))
    assert {row.name for row in Library(storage).page().rows} == {"copy.pdf", "report.pdf"}
    assert (files / "note.txt").exists()
    assert not [item for item in read_items(storage, "documents") if "mill" in item.text]


def test_who_reads_the_old_index_keeps_it_while_a_file_is_removed(storage: Storage):
    index = open_index(storage, reader="a reader")
    changing.remove(storage, changing.locations(storage, ["note.txt"]))
    assert "mill" in index.search("mill burned", 1)[0].text
    assert "mill" not in open_index(storage).search("mill burned", 1)[0].text


def test_the_copy_of_an_upload_is_deleted_with_it(storage: Storage):
    folder = storage.local_path("uploads")
    assert folder is not None
    folder.mkdir()
    (folder / "sent.txt").write_text("The lighthouse is red.")
    ingest([folder / "sent.txt"], storage, settings=SETTINGS)
    changing.remove(storage, changing.locations(storage, ["sent.txt"]))
    assert not (folder / "sent.txt").exists()


def test_reading_again_takes_what_is_known_too(files: Path, storage: Storage):
    seen: list[str] = []
    reading = ParseContext(ocr=lambda _: seen.append("read") or "words of the picture")
    changing.reread(storage, [str(files / "note.txt")])
    report = ingest([files / "note.txt"], storage, settings=IngestSettings(reading=reading), again=True)
    assert [file.status for file in report.files] == ["read"]
    (files / "note.txt").unlink()
    with pytest.raises(ValueError, match="not at its place any more"):
        changing.reread(storage, [str(files / "note.txt")])


def test_the_command_lists_shows_and_removes(files: Path, storage: Storage, vimrag: Vimrag):
    listed = vimrag("sources", "list", "--root", storage.root, "--json")
    assert [row["name"] for row in json.loads(listed.out)["rows"]] == [
        *("broken.pdf", "copy.pdf", "note.txt", "report.pdf", "report.pdf"),
    ]
    table = vimrag("sources", "list", "--root", storage.root, "--like", "report")
    assert "north/report.pdf" in table.out and "note.txt" not in table.out
    shown = vimrag("sources", "show", "note.txt", "--root", storage.root)
    assert str(files / "note.txt") in shown.out.replace("\n", "")
    assert vimrag("sources", "show", "report.pdf", "--root", storage.root).code == 2
    removed = vimrag("sources", "remove", "note.txt", "--yes", "--root", storage.root, "--json")
    assert json.loads(removed.out) == {"removed": [str(files / "note.txt")], "items": 3}
    assert vimrag("sources", "remove", "note.txt", "--yes", "--root", storage.root).code == 2


def test_a_question_in_one_file_is_shown_nothing_of_another(files: Path, storage: Storage, vimrag: Vimrag):
    prompts: list[str] = []

    def noting(messages: Messages) -> object:
        prompts.append("\n".join(map(text_of, messages)))
        return reply(messages)

    with OpenAIServer(noting) as server:
        arguments = ("--root", storage.root, "--endpoint", server.base_url, "--json")
        asked = vimrag("ask", "When did the crane open?", "--in", "south/report.pdf", *arguments)
        assert asked.code == 0, asked.err
        assert {cited["title"] for cited in json.loads(asked.out)["citations"]} == {"report.pdf page 1"}
        whole = "\n".join(prompts)
        assert "1955" in whole and "of the north" not in whole and "mill" not in whole
        unknown = vimrag("ask", "When?", "--in", "east.pdf", *arguments)
    assert unknown.code == 2 and "no file 'east.pdf'" in unknown.err
