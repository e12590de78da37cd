"""``vimrag index`` and ``vimrag search`` as a person uses them: pictures as questions, filters, versions and going back.

The embedder that sees has random weights of the real classes: a picture is nearest to itself, and to nothing else in particular.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from assets.miniature.writers.pdf import PdfPageSpec, pdf_bytes
from infra.storage.root import Storage
from tests.app.command_line import Vimrag
from tests.infra.embedders.qwen_vl_folders import qwen3_vl_folder


@pytest.fixture(scope="module")
def seeing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return qwen3_vl_folder(tmp_path_factory.mktemp("eye") / "eye")


@pytest.fixture
def root(vimrag: Vimrag, tmp_path: Path) -> Path:
    files = tmp_path / "files"
    files.mkdir()
    for number in range(4):
        picture = (
            Image.radial_gradient("L").resize((96, 64)).point(lambda level, n=number: (level * (n + 1)) % 256)
        )
        picture.convert("RGB").save(files / f"picture{number}.png")
    (files / "note.txt").write_text("The harbour opened in 1904.\n")
    assert vimrag("ingest", files, "--root", tmp_path / "root").code == 0
    return tmp_path / "root"


def titles(said: object) -> list[str]:
    return [hit["title"] for hit in said.json["hits"]]


def test_a_picture_finds_itself_and_filters_keep_to_a_kind_and_a_file(
    vimrag: Vimrag, root: Path, seeing: Path
):
    picture = root.parent / "files/picture2.png"
    blind = vimrag("search", "--root", root, "--image", picture)
    assert (blind.code, blind.err.count("\n")) == (1, 1)
    assert "no vectors of pictures" in blind.err
    assert "--vision" in blind.err
    built = vimrag("index", "build", "--root", root, "--vision", seeing, "--json")
    assert built.code == 0, built.err
    assert built.json["vectors"]["image"] == 4
    assert (
        titles(vimrag("search", "--root", root, "--image", picture, "--json", "--top-k", "2"))[0]
        == "picture2.png"
    )
    texts = vimrag("search", "--root", root, "--modality", "text", "--json", "harbour")
    assert titles(texts) == ["note.txt"]
    again = vimrag("index", "build", "--root", root, "--json")  # the root remembers what sees
    assert (again.json["version"], again.json["embedded"]) == (built.json["version"], 0)
    gone = vimrag("index", "build", "--root", root, "--vision", "none", "--json")
    assert set(gone.json["vectors"]) == {"text"}


def test_a_part_of_a_file_is_searched_by_its_pages(vimrag: Vimrag, tmp_path: Path):
    pages = tuple(PdfPageSpec(lines=(f"The crane of {1900 + number}.",)) for number in range(4))
    (tmp_path / "crane.pdf").write_bytes(pdf_bytes(pages, width=300, height=40))
    root = tmp_path / "root"
    assert vimrag("ingest", tmp_path / "crane.pdf", "--root", root).code == 0

    def pages_of(*options: object) -> list[str]:
        hits = vimrag("search", "--root", root, "crane", *options, "--json").json["hits"]
        return sorted(hit["id"].rpartition("#")[2] for hit in hits)

    assert pages_of("--from", 2, "--to", 3) == ["2", "3"]
    assert (pages_of("--from", 4), pages_of("--to", 1)) == (["4"], ["1"])
    assert (
        "--from 3 lies behind --to 2" in vimrag("search", "--root", root, "crane", "--from", 3, "--to", 2).err
    )


def test_versions_are_listed_and_one_is_taken_back(vimrag: Vimrag, root: Path, seeing: Path):
    first = json.loads(Storage(root).read_bytes("index/current.json"))["version"]
    second = vimrag("index", "build", "--root", root, "--vision", seeing, "--json").json["version"]
    listed = vimrag("releases", "list", "--root", root, "--json").json["releases"]
    assert [(row["version"], row["is_current"]) for row in listed] == [(second, True), (first, False)]
    told = vimrag("releases", "gc", "--root", root, "--keep-hours", "0", "--dry-run", "--json").json
    assert told == {"removed": [], "dry_run": True}  # the current one and the one before stay
    assert "nothing goes" in vimrag("releases", "gc", "--root", root, "--dry-run").err
    assert vimrag("releases", "rollback", "--root", root, "--json").json["version"] == first
    assert vimrag("releases", "promote", second, "--root", root, "--json").json["version"] == second
    assert vimrag("releases", "rollback", "--root", root).code == 0
    table = vimrag("releases", "list", "--root", root)
    assert "current" in table.out
    shown = vimrag("releases", "show", "--root", root).out
    assert first in shown and "index/" in shown and " KiB" in shown
    assert "no version 'lost'" in vimrag("releases", "rollback", "lost", "--root", root).err
    assert vimrag("releases", "verify", "--root", root, "--json").json == {"version": first, "faults": []}
    [path] = Path(root).glob(f"index/{first}/*/pointer.json")
    path.write_bytes(path.read_bytes().replace(b"1", b"2", 1))
    damaged = vimrag("releases", "verify", "--root", root)
    assert damaged.code == 1 and "other bytes than were published" in damaged.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["search"], "the question is missing"),
        (["search", "what", "--image", "a.png"], "not both"),
        (["search", "--image", "nowhere.png"], "cannot read the picture nowhere.png"),
        (["index", "build", "--vision", "minilm"], "reads no pictures"),
        (["index", "build", "--vision", "no/such/folder"], "no folder"),
        (["index", "build", "--quantizer", "pq"], "unknown quantizer 'pq'"),
    ],
)
def test_what_cannot_be_is_one_line(vimrag: Vimrag, root: Path, arguments: list[str], said: str):
    answer = vimrag(*arguments, "--root", root)
    assert answer.code in (1, 2)
    assert answer.err.count("\n") == 1, answer.err
    assert said in answer.err


def test_a_picture_that_is_none_is_refused(vimrag: Vimrag, root: Path, seeing: Path, tmp_path: Path):
    vimrag("index", "build", "--root", root, "--vision", seeing)
    hostile = tmp_path / "hostile.png"
    hostile.write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 64)
    answer = vimrag("search", "--root", root, "--image", hostile)
    assert answer.code == 1
    assert answer.err.startswith("error: ")
