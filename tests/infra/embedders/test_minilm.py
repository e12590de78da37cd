"""The default embedder: what it maps near, that it is exact, and that it refuses weights that are not its own."""

from __future__ import annotations

import hashlib
import pickle
import socket
from pathlib import Path

import numpy as np
import pytest

from infra.embedders import minilm as embedder
from infra.embedders.minilm import VOCABULARY, VOCABULARY_SHA256, WINDOW, MiniLmEmbedder
from infra.errors import EmbedderError


@pytest.fixture(scope="module")
def minilm() -> MiniLmEmbedder:
    return MiniLmEmbedder(num_threads=2)


def test_vectors_have_unit_length_and_the_named_width(minilm: MiniLmEmbedder):
    vectors = minilm.encode_documents(["one", "two words", ""])
    assert vectors.shape == (3, minilm.dim)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert minilm.encode_documents([]).shape == (0, minilm.dim)


def test_the_same_thing_said_otherwise_is_nearer_than_another(minilm: MiniLmEmbedder):
    question = minilm.encode_queries(["How tall is the tower in Paris?"])[0]
    near, far = minilm.encode_documents(
        ["The Eiffel Tower is 330 metres high.", "Cut the onions and fry them in butter."]
    )
    assert question @ near > 0.5 > 0.2 > question @ far


def test_a_text_has_the_same_vector_in_any_company(minilm: MiniLmEmbedder):
    texts = [
        "a short one",
        "a much longer text " * 20,
        "another",
        "the short two",
        "one",
        "x " * 300,
        "y " * 300,
    ]
    texts += [f"number {number} of many" for number in range(40)]
    together = minilm.encode_documents(texts)
    alone = np.concatenate([minilm.encode_documents([text]) for text in texts])
    np.testing.assert_array_equal(together, alone)


def test_text_beyond_the_window_is_cut(minilm: MiniLmEmbedder):
    within = "word " * (WINDOW - 2)
    np.testing.assert_array_equal(*minilm.encode_documents([within, within + "unread words"]))


def test_case_and_accents_do_not_matter(minilm: MiniLmEmbedder):
    np.testing.assert_array_equal(*minilm.encode_documents(["Café MÜNCHEN", "cafe munchen"]))


def test_nothing_is_downloaded(monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("opened a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert MiniLmEmbedder(num_threads=1).encode_queries(["offline"]).shape == (1, 384)


def test_the_fingerprint_needs_no_weights_and_survives_a_trip(
    minilm: MiniLmEmbedder, monkeypatch: pytest.MonkeyPatch
):
    copy = pickle.loads(pickle.dumps(minilm))
    assert copy.fingerprint == minilm.fingerprint == MiniLmEmbedder().fingerprint
    np.testing.assert_array_equal(copy.encode_queries(["x"]), minilm.encode_queries(["x"]))
    before = minilm.fingerprint
    monkeypatch.setattr(embedder, "WINDOW", 128)
    assert minilm.fingerprint != before


def test_the_vocabulary_is_the_published_one():
    data = VOCABULARY.read_bytes()
    assert hashlib.sha256(data).hexdigest() == VOCABULARY_SHA256
    pieces = data.decode().rstrip("\n").split("\n")
    assert len(pieces) == len(set(pieces)) == 30_522
    assert [pieces[at] for at in (0, 100, 101, 102)] == ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]


def test_other_weights_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / "model.onnx").write_bytes(b"something else")
    monkeypatch.setattr(embedder, "_weights", lambda: tmp_path / "model.onnx")
    with pytest.raises(EmbedderError, match="not the file this version was made for"):
        MiniLmEmbedder(num_threads=1).encode_queries(["x"])


def test_missing_weights_name_the_package(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(embedder, "WEIGHTS_PACKAGE", "package_that_is_not_there")
    with pytest.raises(EmbedderError, match="package-that-is-not-there is not installed"):
        MiniLmEmbedder(num_threads=1).encode_queries(["x"])
