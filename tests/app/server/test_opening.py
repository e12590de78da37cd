"""Opening a source at a place: words on a page of text and of a scan, films a part at a time with their subtitles."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from app.answers.library.opening import web_vtt
from assets.miniature.writers.pdf import PdfPageSpec, pdf_bytes
from assets.user_files.ingest import ingest
from assets.user_files.media.transcripts import TranscriptCue
from infra.media import media_decoder
from infra.media.word_places import Piece, PlaceBox, find
from infra.storage.root import Storage
from tests.app.server.serving import Served, serving
from tests.app.server.small_root import write_film

LINES = ("The crane at the northern quay opened in 1931.", "It lifts forty tons.")


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, Path]]:
    """A page with its text layer, the same page as a scan, and a film with subtitles beside it."""
    folder = tmp_path_factory.mktemp("opening")
    files = folder / "files"
    files.mkdir()
    data = pdf_bytes((PdfPageSpec(lines=LINES),), width=300, height=200)
    (files / "text.pdf").write_bytes(data)
    with media_decoder().open_pdf(data) as pdf:
        pdf.page(1, dpi=200).image.save(files / "scan.pdf", resolution=200)
    write_film(files / "film.mp4")
    (files / "film.srt").write_text(
        "1\n00:00:01,000 --> 00:00:02,000\nHello <b>there</b>\n\n2\n00:00:04,000 --> 00:00:05,000\nBye\n"
    )
    ingest([files], Storage(folder / "root"))
    with serving(folder / "root") as served:
        yield served, files


def item_of(served: Served, name: str) -> str:
    hits = served.http.post("/v1/search", json={"query": "crane quay lifts", "top_k": 20}).json()["hits"]
    return next(hit["id"] for hit in hits if hit["title"].startswith(name))


@pytest.mark.parametrize(("name", "how"), [("text.pdf", "text layer"), ("scan.pdf", "ocr")])
def test_words_are_marked_where_they_stand_on_the_page(opened: tuple[Served, Path], name: str, how: str):
    served, _ = opened
    item = item_of(served, name)
    text = served.http.get(f"/v1/items/{item.replace('#', '%23')}").json()["text"]
    start = text.index("forty")
    found = served.http.get("/v1/places", params={"item": item, "start": start, "end": start + 10}).json()
    assert (found["page"], found["how"], len(found["boxes"])) == (1, how, 1)
    [box] = found["boxes"]
    picture = served.http.get("/v1/media", params={"item": item, "width": 2000, "height": 2000})
    (served.state.corpus.storage.local_path("page.png") or Path()).write_bytes(picture.content)
    with Image.open(served.state.corpus.storage.local_path("page.png") or "") as page:
        inked = page.convert("L").point(lambda value: 255 if value < 128 else 0)
        width, height = page.size
        area = [box["x"] * width, box["y"] * height]
        area += [area[0] + box["width"] * width, area[1] + box["height"] * height]
        assert inked.crop(tuple(map(round, area))).getbbox() is not None  # there is ink in it
        below = (0, round(area[3]) + 3, width, height)
        assert inked.crop(below).getbbox() is None  # and none below: it is the second and last line


def test_words_that_are_not_there_are_not_marked(opened: tuple[Served, Path]):
    served, _ = opened
    found = served.http.get("/v1/places", params={"item": item_of(served, "text.pdf"), "start": 0, "end": 0})
    assert found.json() == {"page": 1, "how": "not found", "boxes": [], "second": None}
    assert served.http.get("/v1/places", params={"item": "a:b:c", "start": 0, "end": 1}).status_code == 404


def film_key(served: Served) -> str:
    rows = served.http.get("/v1/sources").json()["rows"]
    return next(row["key"] for row in rows if row["name"] == "film.mp4")


def test_a_film_comes_in_the_parts_that_a_player_asks_for(opened: tuple[Served, Path]):
    served, files = opened
    whole = (files / "film.mp4").read_bytes()
    place = f"/v1/sources/{film_key(served)}/film/content"
    part = served.http.get(place, headers={"range": "bytes=100-199"})
    assert (part.status_code, part.headers["content-type"]) == (206, "video/mp4")
    assert part.headers["content-range"] == f"bytes 100-199/{len(whole)}"
    assert part.content == whole[100:200]
    assert served.http.get(place).content == whole
    assert served.http.head(place).headers["accept-ranges"] == "bytes"
    assert served.http.get(place, headers={"range": f"bytes={len(whole)}-"}).status_code == 416


def test_subtitles_come_as_web_vtt(opened: tuple[Served, Path]):
    served, _ = opened
    film = served.http.get(f"/v1/sources/{film_key(served)}/film").json()
    assert (film["name"], film["media_type"], [track["label"] for track in film["tracks"]]) == (
        *("film.mp4", "video/mp4", ["film.srt"]),
    )
    said = served.http.get(film["tracks"][0]["href"])
    assert said.headers["content-type"] == "text/vtt; charset=utf-8"
    assert said.text.startswith("WEBVTT\n\n00:00:01.000 --> 00:00:04.000\nHello there\n")


def test_no_other_file_is_played(opened: tuple[Served, Path]):
    served, _ = opened
    rows = served.http.get("/v1/sources").json()["rows"]
    page = next(row["key"] for row in rows if row["name"] == "text.pdf")
    for key in (page, "etc-passwd-0123456789", "..%2F..%2Fetc%2Fpasswd"):
        assert served.http.get(f"/v1/sources/{key}/film/content").status_code == 404


def test_words_are_found_across_lines_and_in_part_of_one():
    pieces = [
        Piece("one two-", PlaceBox(0.1, 0.1, 0.8, 0.05)),
        Piece("three four", PlaceBox(0.1, 0.2, 0.5, 0.05)),
    ]
    first, second = find(pieces, "Two three")
    assert first == pytest.approx((0.1 + 0.8 * 4 / 8, 0.1, 0.8 * 3 / 8, 0.05))  # t, w, o of eight characters
    assert second == pytest.approx((0.1, 0.2, 0.25, 0.05))
    assert find(pieces, "five") == []


def test_what_a_cue_says_cannot_end_it():
    assert "\n--> 1\n" not in web_vtt([TranscriptCue(0.0, "a\n\n00:01 --> 1\n\nb <c>")])
