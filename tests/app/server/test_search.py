"""Search over HTTP: ours, and the contract of VRAG's own search engine."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from PIL import Image

from app.server.settings import ServerSettings
from assets.index.build import build_index
from assets.index.published import remembered_settings
from assets.user_files.ingest import ingest
from infra.embedders.config import embedder_config
from infra.storage.root import Storage
from tests.app.server.serving import Served, serving
from tests.infra.embedders.qwen_vl_folders import qwen3_vl_folder

CRANE = "documents:page:report-pdf"


def test_a_search_gives_the_best_items_first(served: Served):
    hits = served.http.post("/v1/search", json={"query": "When did the crane open?", "top_k": 3}).json()[
        "hits"
    ]
    assert len(hits) == 3
    assert set(hits[0]) == {"id", "score", "dataset", "modality", "title", "text", "media"}
    assert "1931" in hits[0]["text"] and hits[0]["id"].endswith("#2")
    assert [hit["score"] for hit in hits] == sorted((hit["score"] for hit in hits), reverse=True)


def test_a_dataset_that_is_not_in_the_index_is_named(served: Served):
    refused = served.http.post("/v1/search", json={"query": "crane", "datasets": ["squad"]})
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "unknown_dataset")
    assert "squad" in refused.json()["error"]["message"] and "documents" in refused.json()["error"]["message"]


def test_clients_of_vrag_get_three_lists_for_each_query(served: Served):
    body = {"queries": ["crane opened 1931", "mill burned"], "top_k": 2}
    results = served.http.post("/search", json=body).json()["results"]
    assert len(results) == 2
    for result in results:
        assert set(result) == {"score", "indice", "data"}
        assert len(result["score"]) == len(result["indice"]) == len(result["data"]) == 2
        assert all(isinstance(number, int) for number in result["indice"])
    page, note = results[0]["data"][0], results[1]["data"][0]
    assert page["type"] == "image" and page["uid"].startswith(CRANE) and "content" not in page
    assert note["type"] == "text" and "old mill" in note["content"]
    picture = served.http.get(page["file_path"])
    assert picture.headers["content-type"].startswith("image/")
    assert served.http.get(note["file_path"]).json()["id"] == note["uid"]
    alone = served.http.post("/search", json={"queries": "crane opened 1931", "top_k": 2}).json()["results"]
    assert alone == results[:1]  # one text is a list of one, and equal items have equal numbers


def test_the_defaults_and_corners_are_those_of_vrag(served: Served):
    search = served.http
    assert search.post("/search", json={}).json() == {"results": []}
    [result] = search.post("/search", json={"queries": ["harbour"]}).json()["results"]
    assert len(result["data"]) == 3  # top_k
    [result] = search.post("/search", json={"queries": ["harbour"], "top_k": 100}).json()["results"]
    assert len(result["data"]) == 5  # the whole corpus: three pages, a note, a clip
    named = {"queries": ["harbour", "mill"], "search_corpus": "documents"}
    assert len(search.post("/search", json=named).json()["results"]) == 2
    unknown = {"queries": ["harbour", "mill"], "search_corpus": "squad"}
    assert search.post("/search", json=unknown).json() == {"results": []}
    assert search.post("/search", json={"queries": ["a"], "search_corpus": None}).json()["results"]


def test_the_older_form_of_vrag_lists_pictures_only(served: Served):
    body = {"queries": ["crane opened 1931"], "top_k": 5, "vrag_ret": True}
    [pictures] = served.http.post("/search", json=body).json()
    assert len(pictures) == 3
    assert all(set(each) == {"idx", "image_file"} and each["idx"] < 5 for each in pictures)


def test_what_no_search_means_is_refused(served: Served):
    for body in (
        {"queries": ["a"], "topk": 3},
        {"queries": ["a"], "top_k": 0},
        {"queries": ["a"], "top_k": True},
        {"queries": [1]},
        {"queries": ["a"] * 65},
        ["a"],
    ):
        refused = served.http.post("/search", json=body)
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "malformed"), body


def picture(number: int) -> bytes:
    shades = Image.radial_gradient("L").resize((96, 64)).point(lambda level: (level * number) % 256)
    file = io.BytesIO()
    shades.convert("RGB").save(file, "png")
    return file.getvalue()


@pytest.fixture(scope="module")
def seeing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Four pictures, a note, and an eye of random weights: a picture is nearest to itself, and to nothing else in particular."""
    folder = tmp_path_factory.mktemp("seeing")
    (folder / "files").mkdir()
    for number in range(1, 5):
        (folder / f"files/picture{number}.png").write_bytes(picture(number))
    (folder / "files/note.txt").write_text("The harbour opened in 1904.")
    storage = Storage(folder / "root")
    ingest([folder / "files"], storage)
    eye = qwen3_vl_folder(folder / "eye")
    same = {"document_instruction": "Shown.", "image_query_instruction": "Shown."}
    (eye / "embedder.json").write_text(json.dumps(same))
    build_index(storage, replace(remembered_settings(storage), vision=embedder_config(str(eye))))
    with serving(folder / "root", settings=ServerSettings(picture_bytes=20_000)) as served:
        yield served


def test_a_picture_finds_itself(seeing: Served):
    assert seeing.http.get("/v1/status").json()["index"]["sees"] is True
    hits = seeing.http.post("/v1/search/image", params={"top_k": 3}, content=picture(2)).json()["hits"]
    assert (hits[0]["title"], hits[0]["score"]) == ("picture2.png", pytest.approx(1, abs=1e-3))
    assert len(hits) == 3
    assert seeing.http.get("/v1/media", params={"item": hits[0]["id"]}).status_code == 200
    films = seeing.http.post("/v1/search/image", params={"modality": "video"}, content=picture(2))
    assert films.json() == {"hits": []}
    texts = seeing.http.post("/v1/search", json={"query": "harbour", "modality": "text"}).json()["hits"]
    assert [hit["title"] for hit in texts] == ["note.txt"]


@pytest.mark.parametrize(
    ("content", "parameters", "status", "code"),
    [
        (b"\x89PNG\r\n\x1a\n" + bytes(64), {}, 400, "unreadable"),
        (b"", {}, 400, "unreadable"),
        (bytes(20_001), {}, 413, "too_large"),
        (picture(1), {"top_k": 0}, 400, "malformed"),
        (picture(1), {"modality": "smell"}, 400, "malformed"),
        (picture(1), {"datasets": ["squad"]}, 400, "unknown_dataset"),
    ],
)
def test_a_picture_that_is_none_or_too_large_is_refused(
    seeing: Served, content: bytes, parameters: dict[str, object], status: int, code: str
):
    refused = seeing.http.post("/v1/search/image", params=parameters, content=content)
    assert (refused.status_code, refused.json()["error"]["code"]) == (status, code), refused.text


def test_an_index_that_does_not_see_says_so(served: Served):
    assert served.http.get("/v1/status").json()["index"]["sees"] is False
    refused = served.http.post("/v1/search/image", content=picture(1))
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "no_eye")
