"""Files sent to the server: searchable at once, limited, and nothing but files."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from app.server.settings import ServerSettings
from assets.miniature.writers.pdf import pdf_bytes
from tests.app.server.reader_model import ANSWER, reply
from tests.app.server.serving import Served, ask, serving
from tests.app.server.small_root import REPORT
from tests.servers.openai_server import OpenAIServer

SMALL = ServerSettings(upload_bytes=50_000)


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Served]:
    """A server over a root in which there is nothing."""
    with serving(tmp_path / "root", settings=SMALL) as served:
        yield served


def test_a_pdf_that_was_sent_answers_the_next_question(tmp_path: Path):
    with OpenAIServer(reply) as model, serving(tmp_path / "root", endpoint=model.base_url) as served:
        assert served.http.get("/v1/status").json()["index"] is None
        sent = served.http.put(
            "/v1/files/harbour%20report.pdf", content=pdf_bytes(REPORT, width=300, height=200)
        )
        assert sent.status_code == 200, sent.text
        assert sent.json() | {"seconds": 0} == {
            "file": "harbour report.pdf",
            "items": 3,
            "skipped": {},
            "replaced": False,
            "seconds": 0,
        }
        finished = ask(served.http)[-1].data
        assert finished["answer"] == ANSWER and finished["citations"][0]["page"] == 2
        shown = served.http.get("/v1/media", params={"item": finished["citations"][0]["item_id"]})
        assert shown.status_code == 200

        changed = pdf_bytes(REPORT[:1], width=300, height=200)
        again = served.http.put("/v1/files/harbour%20report.pdf", content=changed).json()
        assert (again["items"], again["replaced"]) == (1, True)
        status = served.http.get("/v1/status").json()  # the same name again replaces it
        assert status["index"]["items"] == 1


def test_whoever_waits_is_told_how_far_the_reading_is(tmp_path: Path):
    long = "\n\n".join(f"Crane {number} stands at quay {number % 7}. " * 12 for number in range(600)).encode()
    with serving(tmp_path / "root") as served, ThreadPoolExecutor(1) as sender:
        assert served.http.get("/v1/reading").json() == {"reading": None}
        sent = sender.submit(served.http.put, "/v1/files/cranes.txt", content=long)
        told = []
        while not sent.done():
            told.append(served.http.get("/v1/reading").json()["reading"])
        assert sent.result().json()["items"] > 100
        assert served.http.get("/v1/reading").json() == {"reading": None}
    stages = [each for each in told if each is not None]
    assert {"files", "embed"} & {each["stage"] for each in stages}
    assert all(
        0 <= each["done"] <= (each["total"] or each["done"]) and each["seconds"] >= 0 for each in stages
    )


def test_a_file_that_cannot_be_read_is_said_so_and_not_kept(empty: Served):
    sent = empty.http.put("/v1/files/strange.xyz", content=b"\x00\x01\x02")
    assert (sent.status_code, sent.json()["items"], sent.json()["skipped"]) == (200, 0, {"kind_unknown": 1})
    folder = empty.state.corpus.storage.local_path("uploads")
    assert folder is not None and list(folder.iterdir()) == []


def test_a_file_that_cannot_be_read_takes_no_place_of_another(empty: Served):
    def hits(words: str) -> list[str]:
        found = empty.http.post("/v1/search", json={"query": words}).json()["hits"]
        return [hit["title"] for hit in found]

    assert empty.http.put("/v1/files/notes.txt", content=b"The crane is old.").json()["replaced"] is False
    sent = empty.http.put("/v1/files/notes.txt", content=b"\x7fELF\x00\x00").json()
    assert (sent["items"], sent["replaced"], sent["skipped"]) == (0, False, {"text_binary": 1})
    assert hits("crane") == ["notes.txt"]
    folder = empty.state.corpus.storage.local_path("uploads")
    assert folder is not None
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {"notes.txt": b"The crane is old."}


def test_a_file_that_is_too_large_leaves_nothing_behind(empty: Served):
    announced = empty.http.put("/v1/files/a.txt", content=b"a" * 50_001)
    assert (announced.status_code, announced.json()["error"]["code"]) == (413, "too_large")

    def parts() -> Iterator[bytes]:
        for _ in range(100):
            yield b"a" * 1000

    with suppress(httpx.TransportError):  # it may be cut off before the answer could be read
        assert empty.http.put("/v1/files/a.txt", content=parts()).status_code == 413
    folder = empty.state.corpus.storage.local_path("uploads")
    assert folder is not None and (not folder.exists() or list(folder.iterdir()) == [])
    assert empty.state.uploads.free == 1


@pytest.mark.parametrize(
    "name",
    [
        "..",
        ".hidden",
        "..%2f..%2fetc%2fpasswd",
        "a%2fb.txt",
        "a%5cb.txt",
        "%00.txt",
        "a%0ab.txt",
        "%20",
        "x" * 201,
        "c%3aa.txt",
        "%ff%fe",
    ],
)
def test_a_name_is_only_a_name(empty: Served, name: str):
    refused = empty.http.put(f"/v1/files/{name}", content=b"text")
    assert refused.status_code in (400, 404), refused.text
    assert "error" in refused.json()
    assert not list(Path(empty.state.corpus.storage.root).rglob("*passwd*"))


def test_an_empty_file_is_refused(empty: Served):
    assert empty.http.put("/v1/files/a.txt", content=b"").status_code == 400


def test_a_server_that_takes_no_files_says_so(tmp_path: Path):
    with serving(tmp_path, settings=ServerSettings(upload=False)) as served:
        refused = served.http.put("/v1/files/a.txt", content=b"text")
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "no_upload")
        assert served.http.get("/v1/status").json()["upload"] is False


def test_one_file_is_read_at_a_time(empty: Served):
    with empty.state.uploads.take():
        busy = empty.http.put("/v1/files/a.txt", content=b"text")
    assert (busy.status_code, busy.json()["error"]["code"]) == (429, "busy")
    assert int(busy.headers["retry-after"]) > 0
