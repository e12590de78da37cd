"""Pictures, frames and items over HTTP."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from tests.app.server.serving import Served
from tests.app.server.small_root import PAGE_PX


@pytest.fixture(scope="module")
def ids(served: Served) -> dict[str, str]:
    """Item ids by what they are."""
    hits = served.http.post("/v1/search", json={"query": "crane 1931 film mill", "top_k": 20}).json()["hits"]
    found = {hit["modality"]: hit["id"] for hit in hits}
    found["page 2"] = next(hit["id"] for hit in hits if hit["id"].endswith("#2"))
    return found


def picture(served: Served, **query: object) -> Image.Image:
    response = served.http.get("/v1/media", params=query)  # type: ignore[arg-type]
    assert response.status_code == 200, response.text
    image = Image.open(io.BytesIO(response.content))
    assert response.headers["content-type"] == f"image/{str(image.format).lower()}"
    return image


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ((96, 96), (96, 64)),  # 600 x 400 by 0.16
        ((300, 4096), (300, 200)),
        ((4096, 100), (150, 100)),
        ((4096, 4096), PAGE_PX),  # never enlarged
        ((1, 1), (1, 1)),
    ],
)
def test_a_page_is_shrunk_to_fit_and_never_enlarged(
    served: Served, ids: dict[str, str], asked: tuple[int, int], given: tuple[int, int]
):
    assert picture(served, item=ids["page 2"], width=asked[0], height=asked[1]).size == given


@pytest.mark.parametrize(("time_s", "channel"), [(0, 0), (2.4, 0), (3.5, 2), (100_000, 2)])
def test_a_frame_is_the_one_shown_at_that_time(
    served: Served, ids: dict[str, str], time_s: float, channel: int
):
    pixel = picture(served, item=ids["video"], t=time_s).convert("RGB").getpixel((32, 32))
    assert isinstance(pixel, tuple) and pixel[channel] > 200 and pixel[2 - channel] < 60  # red, then blue


def test_a_picture_is_kept_by_the_browser_and_asked_after(served: Served, ids: dict[str, str]):
    query = {"item": ids["page 2"], "width": "96", "height": "96"}
    first = served.http.get("/v1/media", params=query)
    assert first.headers["cache-control"].startswith("private, max-age=")
    tag = first.headers["etag"]
    for known in (tag, f'"other", W/{tag}', "*"):
        again = served.http.get("/v1/media", params=query, headers={"if-none-match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    other = served.http.get("/v1/media", params=query | {"width": "95"}, headers={"if-none-match": tag})
    assert other.status_code == 200


@pytest.mark.parametrize(
    "item", ["documents:page:none#1", "squad:para:1", "../../etc:passwd", "x", "documents:", "%", "\x00"]
)
def test_what_is_not_there_is_not_found(served: Served, item: str):
    refused = served.http.get("/v1/media", params={"item": item})
    assert (refused.status_code, refused.json()["error"]["code"]) == (404, "not_found")


def test_a_text_has_no_picture(served: Served, ids: dict[str, str]):
    assert served.http.get("/v1/media", params={"item": ids["text"]}).status_code == 404


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"item": ""},
        {"width": "0"},
        {"width": "4097"},
        {"height": "-1"},
        {"width": "a"},
        {"t": "nan"},
        {"t": "-1"},
        {"t": "1e9"},
    ],
)
def test_sizes_and_times_have_bounds(served: Served, ids: dict[str, str], query: dict[str, str]):
    whole = {"item": ids["page 2"], **query} if query else {}
    refused = served.http.get("/v1/media", params=whole)
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "malformed")


def test_an_item_says_where_it_comes_from(served: Served, ids: dict[str, str]):
    page = served.http.get(f"/v1/items/{ids['page 2'].replace('#', '%23')}").json()
    assert set(page) == {
        *("id", "dataset", "modality", "title", "text", "page", "start_s", "duration_s", "width", "height"),
        *("licence", "source", "file"),
    }
    assert (page["id"], page["dataset"], page["modality"], page["page"]) == (
        ids["page 2"],
        "documents",
        "image",
        2,
    )
    assert (page["width"], page["height"]) == PAGE_PX and page["start_s"] is None
    assert page["source"].endswith("report.pdf") and "crane" in page["text"]
    clip = served.http.get(f"/v1/items/{ids['video'].replace('#', '%23')}").json()
    assert (clip["modality"], clip["page"], clip["start_s"], clip["duration_s"]) == ("video", None, 0.0, 6.0)
    for name in ("documents:page:none#1", "nowhere:text:1", "a/../b", "%00"):
        assert served.http.get(f"/v1/items/{name.replace('#', '%23')}").status_code == 404
