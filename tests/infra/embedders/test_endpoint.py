"""An embedder behind an endpoint, against a real server on loopback that answers well, badly, or not at all."""

from __future__ import annotations

import base64
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from infra.embedders.endpoint import EndpointEmbedder, EndpointEmbedderSettings
from infra.embedders.endpoint_requests import RequestStyle
from infra.embedders.types import EVERYTHING, TEXT_ONLY, Modality, RefusedInputError, sees
from infra.errors import EmbedderError
from infra.llm.types import ChatSettings
from infra.llm.usage import Prices
from tests.servers.embedding_server import WIDTH, EmbeddingServer, image_vector, refused, text_vector

TEXTS = [f"{'ab' * n} text {n}" for n in range(7)]


def embedder_of(server: EmbeddingServer, **settings: Any) -> EndpointEmbedder:
    chat = {"backoff_s": 0.001, "max_wait_s": 0.05, "retries": 2} | settings.pop("chat", {})
    return EndpointEmbedder(
        EndpointEmbedderSettings(server=ChatSettings(base_url=server.base_url, **chat), **settings)
    )


def unit(vectors: Any) -> np.ndarray:
    return np.asarray(vectors) / np.linalg.norm(vectors, axis=-1, keepdims=True)


def colour(name: str, side: int = 20) -> Image.Image:
    return Image.new("RGB", (side, side), name)


def test_texts_are_embedded_in_batches_and_come_back_in_order():
    with EmbeddingServer() as server:
        embedder = embedder_of(server, batch_items=3, query_prefix="query: ")
        np.testing.assert_allclose(
            embedder.encode_documents(TEXTS), unit([text_vector(text) for text in TEXTS]), atol=1e-6
        )
        asked = embedder.encode_queries(["x"])
        np.testing.assert_allclose(asked, unit([text_vector("query: x")]), atol=1e-6)
        assert embedder.encode_documents([]).shape == (0, WIDTH)
        embedder.close()
    assert embedder.dim == WIDTH and embedder.modalities == TEXT_ONLY and not sees(embedder)
    sent = [request.body["input"] for request in server.requests if "input" in request.body]
    assert sorted(map(len, sent)) == [1, 1, 1, 3, 3]  # the probe, seven texts, one query
    assert {request.body["model"] for request in server.requests} == {"tiny-embedder"}


def test_a_server_that_sees_gets_every_input_as_a_conversation():
    with EmbeddingServer(vision=True) as server:
        embedder = embedder_of(server, chat={"model": "eye", "api_key": "secret"})
        assert embedder.modalities == EVERYTHING and sees(embedder, Modality.VIDEO)
        tell, ask = embedder.settings.document_instruction, embedder.settings.query_instruction
        for vectors, wanted in (
            (embedder.encode_documents(["a"]), text_vector(tell + "a")),
            (embedder.encode_queries(["a"]), text_vector(ask + "a")),
            (embedder.encode_images([colour("red")]), text_vector(tell) + image_vector(colour("red"))),
            (embedder.encode_image_queries([colour("red")]), text_vector(ask) + image_vector(colour("red"))),
            (
                embedder.encode_clips([[colour("red"), colour("blue")]]),
                text_vector(tell) + image_vector(colour("red")) + 2 * image_vector(colour("blue")),
            ),
        ):
            np.testing.assert_allclose(vectors, unit([wanted]), atol=1e-4)
        assert embedder.encode_images([]).shape == (0, WIDTH)
    last = server.requests[-1]
    assert last.path == "/v1/embeddings" and last.headers["Authorization"] == "Bearer secret"
    assert [message["role"] for message in last.body["messages"]] == ["system", "user", "assistant"]
    assert last.body["continue_final_message"] and last.body["add_special_tokens"]


def test_a_server_that_takes_pictures_and_does_not_look_is_used_for_text():
    with EmbeddingServer(blind=True) as server:
        embedder = embedder_of(server)
        assert embedder.modalities == TEXT_ONLY and embedder.probe.style is RequestStyle.INPUT
        with pytest.raises(
            EmbedderError, match=r"reads no image: serve a vision-language embedder, for example `vllm"
        ):
            embedder.encode_images([colour("red")])


def test_one_picture_a_message_means_images_without_clips():
    with EmbeddingServer(vision=True, many_images=False) as server:
        embedder = embedder_of(server)
        assert embedder.modalities == {Modality.TEXT, Modality.IMAGE}
        with pytest.raises(EmbedderError, match="reads no video"):
            embedder.encode_clips([[colour("red")]])


def test_the_first_values_are_kept_where_fewer_are_wanted():
    with EmbeddingServer() as server:
        embedder = embedder_of(server, dim=5)
        np.testing.assert_allclose(
            embedder.encode_documents(["abc"]), unit([text_vector("abc")[:5]]), atol=1e-6
        )
        assert embedder.dim == 5
        with pytest.raises(EmbedderError, match="16 values, dim 99 is more"):
            embedder_of(server, dim=99).encode_documents(["x"])


@pytest.mark.parametrize("status", [429, 500, 503])
def test_an_overloaded_server_is_asked_again(status: int):
    with EmbeddingServer() as server:
        embedder = embedder_of(server, style=RequestStyle.INPUT)
        assert embedder.dim == WIDTH
        server.faults = [refused("busy", status, Retry_After="0"), refused("busy", status)]
        np.testing.assert_allclose(embedder.encode_documents(["x"]), unit([text_vector("x")]), atol=1e-6)
        assert (embedder.usage.retries, embedder.usage.requests) == (2, 4)
        server.faults = [refused("busy", status)] * 3
        with pytest.raises(
            EmbedderError, match=rf"embedding endpoint http\S+: .*\({status}\); it says: busy"
        ):
            embedder.encode_documents(["x"])


def reversed_order(answer: dict[str, Any]) -> dict[str, Any]:
    return answer | {"data": answer["data"][::-1]}


def in_base64(answer: dict[str, Any]) -> dict[str, Any]:
    packed = [
        base64.b64encode(np.array(entry["embedding"], dtype="<f4").tobytes()).decode()
        for entry in answer["data"]
    ]
    return answer | {"data": [{"embedding": text} for text in packed]}


@pytest.mark.parametrize("change", [reversed_order, in_base64])
def test_other_forms_of_a_good_answer_are_read(change: Callable[[dict[str, Any]], object]):
    with EmbeddingServer(change=change) as server:
        vectors = embedder_of(server, style=RequestStyle.INPUT).encode_documents(TEXTS)
    np.testing.assert_allclose(vectors, unit([text_vector(text) for text in TEXTS]), atol=1e-6)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda answer: b"<html>", "the answer is no JSON"),
        (lambda answer: {"data": answer["data"][1:]}, "6 vectors for 7 inputs"),
        (lambda answer: {"object": "list"}, "without a list of embeddings"),
        (
            lambda answer: {"data": [{"index": 0, "embedding": [1.0]}] * 7},
            "the index of each vector is not clear",
        ),
        (
            lambda answer: {"data": [{"embedding": [1.0] * (2 + n % 2)} for n in range(7)]},
            r"vectors of \[2, 3\] values",
        ),
        (lambda answer: {"data": [{"embedding": [[1.0], [2.0]]}] * 7}, "start the server with pooling"),
        (lambda answer: {"data": [{"embedding": "?"}] * 7}, "no base64 of float32"),
        (lambda answer: {"data": [{"embedding": []}] * 7}, "an entry without an embedding"),
        (lambda answer: {"error": {"message": "out of memory", "code": 500}}, "out of memory"),
    ],
)
def test_a_malformed_answer_is_asked_for_again_and_then_named(change: Callable[[Any], object], words: str):
    with EmbeddingServer() as server:
        embedder = embedder_of(server, style=RequestStyle.INPUT)
        assert embedder.dim == WIDTH
        server.change = change
        with pytest.raises(EmbedderError, match=words):
            embedder.encode_documents(TEXTS)
    assert len(server.requests) == 1 + 3  # the probe, then three attempts


@pytest.mark.parametrize(
    ("value", "words"), [(float("nan"), "not finite"), (None, "not finite"), (0.0, "is zero")]
)
def test_a_vector_that_cannot_be_used_names_its_text(value: float | None, words: str):
    def spoilt(answer: dict[str, Any]) -> dict[str, Any]:
        answer["data"][-1]["embedding"] = [value] * WIDTH
        return answer

    with EmbeddingServer() as server:
        embedder = embedder_of(server, style=RequestStyle.INPUT, batch_items=4)
        assert embedder.dim == WIDTH
        server.change = spoilt
        with pytest.raises(RefusedInputError, match=rf"input [36]: its vector .*{words}"):
            embedder.encode_documents(TEXTS)


def test_another_width_than_at_first_is_another_model():
    with EmbeddingServer() as server:
        embedder = embedder_of(server, style=RequestStyle.INPUT)
        assert embedder.dim == WIDTH
        server.width = 8
        with pytest.raises(
            EmbedderError, match=r"gave 8 values, 16 at first: another model .* build the index again"
        ):
            embedder.encode_documents(["x"])


def test_the_text_that_a_batch_is_refused_for_is_found():
    with EmbeddingServer(refuses=lambda text: "too" in text) as server:
        embedder = embedder_of(server, style=RequestStyle.INPUT, batch_items=8)
        with pytest.raises(RefusedInputError, match=r"input 5: .*the prompt is too long") as refusal:
            embedder.encode_documents([*TEXTS[:5], "too long", *TEXTS[5:]])
        assert refusal.value.position == 5
        assert len(server.requests) <= 1 + 1 + 2 * 3  # the probe, the batch, two halves three times


def test_pictures_that_are_refused_name_their_place():
    with EmbeddingServer(vision=True) as server:
        embedder = embedder_of(server)
        with pytest.raises(RefusedInputError, match="input 1: an image of 2 x 900 px is too narrow"):
            embedder.encode_images([colour("red"), Image.new("RGB", (2, 900))])
        with pytest.raises(RefusedInputError, match="input 0: a clip without frames"):
            embedder.encode_clips([[]])
        server.faults = [refused("unsupported image")]
        with pytest.raises(RefusedInputError, match=r"input 0: .*unsupported image"):
            embedder.encode_images([colour("red")])


def test_large_pictures_are_sent_small_and_long_clips_thin():
    with EmbeddingServer(vision=True) as server:
        embedder = embedder_of(server, max_image_pixels=5_000, max_frame_pixels=800, max_frames=3)
        embedder.encode_images([Image.new("RGB", (400, 200), "red")])
        embedder.encode_clips([[colour("red", 100)] * 9])
    parts = [request.body["messages"][1]["content"] for request in server.requests[-2:]]
    sizes = (
        [_size(part["image_url"]["url"]) for part in parts[0]],
        [_size(p["image_url"]["url"]) for p in parts[1]],
    )
    assert sizes == ([(100, 50)], [(28, 28)] * 3)


def _size(uri: str) -> tuple[int, int]:
    import io

    return Image.open(io.BytesIO(base64.b64decode(uri.partition("base64,")[2]))).size


def test_a_wrong_key_says_which_variable_and_never_the_key():
    with EmbeddingServer(faults=[refused("no", 401)] * 9) as server:
        embedder = embedder_of(
            server, chat={"api_key": "sk-secret", "key_variable": "VIMRAG_EMBEDDER_API_KEY"}
        )
        with pytest.raises(EmbedderError, match="check VIMRAG_EMBEDDER_API_KEY") as error:
            embedder.encode_documents(["x"])
    assert "sk-secret" not in f"{error.value!r} {embedder.settings!r}" and len(server.requests) == 1


def test_tokens_and_money_are_counted():
    with EmbeddingServer() as server:
        embedder = embedder_of(
            server, style=RequestStyle.INPUT, chat={"prices": Prices(prompt=2.0, completion=0.0)}
        )
        before = embedder.usage.prompt_tokens, embedder.dim
        embedder.encode_documents(
            ["x" * 500_000 for _ in range(1)]
        )  # cut to 24,000 letters, a token each here
        spent = embedder.usage
    assert before == (0, WIDTH)
    assert spent.prompt_tokens == len("a red square") + 24_000 and not spent.estimated
    assert spent.cost == pytest.approx(2.0 * spent.prompt_tokens / 1_000_000)


def test_the_fingerprint_is_that_of_model_and_settings_and_asks_nothing():
    def stated(**settings: Any) -> str:
        server = ChatSettings(base_url="http://127.0.0.1:9/v1", model=settings.pop("model", "m"))
        return EndpointEmbedder(EndpointEmbedderSettings(server=server, **settings)).fingerprint

    assert stated() == stated(batch_items=3, space="other")
    assert (
        len({stated(), stated(model="n"), stated(dim=4), stated(document_prefix="d: "), stated(max_frames=2)})
        == 5
    )


def test_an_embedder_travels_without_its_connections():
    with EmbeddingServer() as server:
        embedder = embedder_of(server)
        first = embedder.encode_documents(["x"])
        copy = pickle.loads(pickle.dumps(embedder))
        np.testing.assert_array_equal(copy.encode_documents(["x"]), first)
        embedder.close()
        np.testing.assert_array_equal(embedder.encode_documents(["x"]), first)


def test_a_server_that_is_not_there_is_said_to_be_so():
    settings = EndpointEmbedderSettings(
        server=ChatSettings(base_url="http://127.0.0.1:9/v1", model="m", retries=0, backoff_s=0)
    )
    with pytest.raises(EmbedderError, match=r"embedding endpoint http://127\.0\.0\.1:9/v1: .*server"):
        EndpointEmbedder(settings).encode_documents(["x"])
