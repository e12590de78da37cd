"""``vimrag embedder check``: what an embedder reads, its speed, and the cost of the corpus at hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from assets.corpus.item import Modality
from infra.storage.root import Storage
from tests.app.command_line import Vimrag
from tests.assets.small_corpus import item, write_corpus
from tests.servers.embedding_server import EmbeddingServer, refused

QUICK = ("--seconds", "0")


@pytest.fixture
def root(tmp_path: Path) -> str:
    """Three texts, one of two passages, and a picture with a title."""
    items = [
        item("a", "short"),
        item("b", "word " * 100),
        item("c", "third"),
        item("p", "", modality=Modality.IMAGE, media_key="k"),
    ]
    write_corpus(Storage(f"file://{tmp_path}"), items)
    return str(tmp_path)


def test_words_are_measured_and_pictures_said_to_be_left_out(vimrag: Vimrag, root: str):
    told = vimrag("embedder", "check", "--root", root, *QUICK, "--json")
    assert told.code == 0
    assert (told.json["space"], told.json["dim"], told.json["modalities"]) == ("minilm", 384, ["text"])
    assert told.json["config"] == {} and told.json["speed"]["text"]["items_per_s"] > 0
    corpus = told.json["corpus"]
    assert (corpus["items"], corpus["left_out"]) == ({"text": 5}, {"image": 1})
    assert corpus["minutes"] > 0 and corpus["tokens"] is None
    shown = vimrag("embedder", "check", "--root", root, *QUICK)
    assert "space minilm, 384 values" in shown.out and "image: no" in shown.out
    assert "not read: 1 of image" in shown.err


def test_a_server_is_asked_what_it_sees_and_what_it_costs(
    vimrag: Vimrag, root: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("VIMRAG_EMBEDDER_API_KEY", "sk-1")
    with EmbeddingServer(vision=True) as server:
        told = vimrag(
            "embedder", "check", server.base_url, "--price", "1000000", "--root", root, *QUICK, "--json"
        )
        shown = vimrag("embedder", "check", server.base_url, "--price", "1000000", "--root", root, *QUICK)
    assert told.json["modalities"] == ["text", "image", "video"] and told.json["dim"] == 16
    corpus = told.json["corpus"]
    assert corpus["items"] == {"text": 5, "image": 1, "video": 0} and corpus["left_out"] == {}
    assert corpus["tokens"] == 6 * 7 and corpus["money"] == 42  # seven tokens a message, one unit a token
    assert "42 tokens, 42.00 in the currency of --price" in shown.err
    assert server.requests[0].headers["Authorization"] == "Bearer sk-1"
    assert "sk-1" not in told.out + told.err


def test_a_record_is_read_from_a_file(vimrag: Vimrag, tmp_path: Path):
    file = tmp_path / "embedder.json"
    file.write_text('{"threads": 1}')
    assert vimrag("embedder", "check", "--config", str(file), *QUICK, "--json").json["config"] == {
        "threads": 1
    }
    both = vimrag("embedder", "check", "--config", str(file), "--dim", "3")
    assert both.code == 2 and "--config states everything" in both.err
    file.write_text('{"kind": "local"}')
    wrong = vimrag("embedder", "check", "--config", str(file))
    assert wrong.code == 2 and "an embedder of kind local needs path" in wrong.err


def test_what_cannot_be_is_one_line_that_says_what_to_do(vimrag: Vimrag):
    nowhere = vimrag("embedder", "check", "nowhere/at/all")
    assert nowhere.code == 1 and "no folder 'nowhere/at/all'; download a model first" in nowhere.err
    with EmbeddingServer(faults=[refused("no", 401)] * 3) as server:
        closed = vimrag("embedder", "check", server.base_url)
    assert closed.code == 1 and "it wants a key, set VIMRAG_EMBEDDER_API_KEY (401)" in closed.err
    assert vimrag("embedder", "check", "http://user:key@host/v1").code == 1
