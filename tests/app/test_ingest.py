"""``vimrag ingest`` as a new user meets it: one command, and the files can be searched."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont

from app.commands.ingest import SHOWN_FILES
from assets.miniature.writers.pdf import PdfPageSpec, pdf_bytes
from infra.media import speech
from tests.app.command_line import Vimrag


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    page = PdfPageSpec(lines=("The crane of the harbour was built in 1901.",))
    (folder / "report.pdf").write_bytes(pdf_bytes((page, page), width=300, height=40))
    (folder / "notes.md").write_text("# Pump\n\nOil the pump every week.\n")
    (folder / "broken.pdf").write_bytes(b"no document \0\x81")
    return folder


def test_one_command_makes_a_folder_searchable_and_says_what_to_do_next(
    vimrag: Vimrag, docs: Path, tmp_path: Path
):
    root = tmp_path / "root"
    said = vimrag("ingest", docs, "--root", root)
    assert said.code == 0
    for text in (
        "report.pdf",
        "notes.md",
        "skipped: pdf_unreadable",
        "2 read, 0 unchanged, 0 removed, 1 skipped",
    ):
        assert text in said.out
    assert (
        said.err.splitlines()[-1]
        == f'next: vimrag ask "your question" --root {root} --endpoint URL, the address of a model'
    )
    hits = vimrag("search", "--root", root, "When was the crane built?", "--top-k", 2, "--json").json["hits"]
    assert {hit["title"] for hit in hits} == {"report.pdf page 1", "report.pdf page 2"}
    assert "notes.md: Pump" in vimrag("search", "--root", root, "oil the pump", "--top-k", 1).out


def test_the_object_for_scripts_lists_every_file(vimrag: Vimrag, docs: Path, tmp_path: Path):
    arguments = ("ingest", docs, "--root", tmp_path / "root", "--no-ocr", "--dpi", 36, "--json")
    first = vimrag(*arguments).json
    assert list(first) == ["root", "files", "items", "read", "unchanged", "removed", "skipped", "index"]
    by_name = {Path(file.pop("path")).name: file for file in first["files"]}
    assert by_name["report.pdf"] == {"items": 2, "status": "read", "reason": ""}
    assert by_name["broken.pdf"]["status"] == "skipped"
    assert (first["items"], first["read"], first["skipped"]) == (3, 2, {"pdf_unreadable": 1})
    assert first["index"]["datasets"] == {"documents": 3}
    (docs / "notes.md").unlink()
    again = vimrag(*arguments).json
    assert (again["read"], again["unchanged"], again["removed"], again["items"]) == (0, 1, 1, 2)
    assert again["index"]["embedded"] == 0


def test_forgetting_needs_no_path(vimrag: Vimrag, docs: Path, tmp_path: Path):
    root = tmp_path / "root"
    vimrag("ingest", docs, "--root", root, "--no-ocr")
    shutil.rmtree(docs)
    said = vimrag(
        "ingest", "--root", root, "--forget", docs / "notes.md", "--forget", docs / "report.pdf", "--json"
    )
    assert (said.code, said.json["removed"], said.json["items"]) == (0, 2, 0)
    again = vimrag("ingest", "--root", root, "--forget", docs / "notes.md")
    assert (again.code, again.out) == (1, "")
    assert "nothing to forget" in again.err


def test_a_picture_of_words_is_found_by_them_unless_ocr_is_off(vimrag: Vimrag, tmp_path: Path):
    picture = Image.new("RGB", (420, 90), "white")
    ImageDraw.Draw(picture).text((20, 20), "LIGHTHOUSE 1877", "black", ImageFont.load_default(size=40))
    picture.save(tmp_path / "a.png")
    for options, text in (([], "LIGHTHOUSE 1877"), (["--no-ocr"], "")):
        root = tmp_path / f"root{len(options)}"
        assert vimrag("ingest", tmp_path / "a.png", "--root", root, *options).code == 0
        [hit] = vimrag("search", "--root", root, "lighthouse", "--json").json["hits"]
        assert hit["text"] == text


def test_nothing_readable_is_exit_code_one_with_the_reasons(vimrag: Vimrag, tmp_path: Path):
    (tmp_path / "docs").mkdir()
    empty = vimrag("ingest", tmp_path / "docs", "--root", tmp_path / "root")
    assert (empty.code, empty.err) == (1, "nothing could be read: there is no file\n")
    (tmp_path / "docs/a.zip").write_bytes(b"PK\1")
    said = vimrag("ingest", tmp_path / "docs", "--root", tmp_path / "root", "--json")
    assert (said.code, said.json["skipped"], said.json["index"]) == (1, {"kind_unknown": 1}, None)
    assert said.err.splitlines()[-1] == "nothing could be read: kind_unknown 1"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--root", "{tmp}/root"], "name at least one file or folder"),
        (["{tmp}/none", "--root", "{tmp}/root"], "no such file or folder: "),
    ],
)
def test_a_wrong_call_is_exit_code_two_and_one_line(
    vimrag: Vimrag, tmp_path: Path, arguments: list[str], text: str
):
    said = vimrag("ingest", *(argument.format(tmp=tmp_path) for argument in arguments))
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("error: ") and said.err.count("\n") == 1 and text in said.err
    assert not (tmp_path / "root").exists()


@pytest.mark.parametrize("option", [["--dpi", "0"], ["--no-such"], ["--forget"]])
def test_a_wrong_option_is_exit_code_two(vimrag: Vimrag, tmp_path: Path, option: list[str]):
    assert vimrag("ingest", tmp_path, "--root", tmp_path / "root", *option).code == 2


def test_names_cannot_speak_to_the_terminal(vimrag: Vimrag, tmp_path: Path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a\x1b[31m[bold].txt").write_text("words")
    said = vimrag("ingest", tmp_path / "docs", "--root", tmp_path / "root")
    assert "[bold].txt" in said.out and "\x1b" not in said.out
    assert "\x1b" not in vimrag("search", "--root", tmp_path / "root", "words").out


def test_of_many_files_the_table_shows_those_that_were_skipped(vimrag: Vimrag, tmp_path: Path):
    (tmp_path / "docs").mkdir()
    for number in range(SHOWN_FILES + 1):
        (tmp_path / "docs" / f"{number}.txt").write_text(f"words {number}")
    (tmp_path / "docs" / "program.exe").write_bytes(b"MZ\x90\0\3\0\0\0\4\0\0\0\xff\xff")
    said = vimrag("ingest", tmp_path / "docs", "--root", tmp_path / "root")
    assert "program.exe" in said.out and "0.txt" not in said.out
    assert f"{SHOWN_FILES + 1} more files: --json lists them all" in said.out


def test_help_teaches_with_an_example(vimrag: Vimrag, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "200")
    said = vimrag("ingest", "--help")
    assert said.code == 0
    assert "vimrag ingest ~/papers" in said.out.split("Example", 1)[1]
    assert said.out.count("...") == 1  # the paths, once


def test_speech_without_its_package_or_its_model_is_one_line_that_says_what_to_do(
    vimrag: Vimrag, docs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    root = tmp_path / "root"
    monkeypatch.setattr(speech, "PACKAGE", "a_package_that_nobody_has")
    said = vimrag("ingest", docs, "--root", root, "--speech", tmp_path)
    assert (said.code, len(said.err.splitlines())) == (2, 1) and "pip install 'vimrag[speech]'" in said.err
    monkeypatch.setattr(speech, "PACKAGE", "av")  # a package that is there
    for folder, why in [("small", "no folder at"), (tmp_path, "lacks model.bin")]:
        said = vimrag("ingest", docs, "--root", root, "--speech", folder)
        assert (said.code, len(said.err.splitlines())) == (2, 1) and why in said.err
    assert not root.exists()
