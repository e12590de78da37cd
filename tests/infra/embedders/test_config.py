"""The record that names an embedder, and what an embedder is found to be."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from infra.embedders.check import EmbedderCheck, ModalitySpeed, check_embedder, corpus_cost
from infra.embedders.config import EmbedderConfig, EmbedderKind, embedder_config, make_embedder
from infra.embedders.endpoint import EndpointEmbedder
from infra.embedders.endpoint_requests import RequestStyle
from infra.embedders.minilm import MiniLmEmbedder
from infra.embedders.qwen_vl.embedder import QwenVlEmbedder
from infra.errors import EmbedderError
from tests.infra.embedders.qwen_vl_folders import qwen3_vl_folder
from tests.servers.embedding_server import EmbeddingServer


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return qwen3_vl_folder(tmp_path_factory.mktemp("models") / "Qwen3-VL-Embedding-2B")


@pytest.mark.parametrize(
    ("config", "text"),
    [
        (EmbedderConfig(), "{}"),
        (
            EmbedderConfig(kind=EmbedderKind.LOCAL, path="models/GVE-3B", dtype="bfloat16", max_frames=4),
            '{"kind":"local","path":"models/GVE-3B","dtype":"bfloat16","max_frames":4}',
        ),
        (
            EmbedderConfig(
                kind=EmbedderKind.ENDPOINT, url="http://h:1/v1", style=RequestStyle.INPUT, price=0.5
            ),
            '{"kind":"endpoint","url":"http://h:1/v1","style":"input","price":0.5}',
        ),
    ],
)
def test_a_record_comes_back_from_its_json(config: EmbedderConfig, text: str):
    assert config.to_json() == text
    assert EmbedderConfig.from_json(text) == config


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"kind": "local"}', "an embedder of kind local needs path"),
        ('{"kind": "endpoint"}', "an embedder of kind endpoint needs url"),
        ('{"path": "x"}', "an embedder of kind minilm takes no path"),
        ('{"model": "x"}', "an embedder of kind minilm takes no model"),
        ('{"space": "Two Words"}', "a space is named by small letters"),
        ('{"dim": 0}', "embedder: dim 0: Input should be greater than or equal to 1"),
        ('{"weights": 1}', "embedder: weights 1: Extra inputs are not permitted"),
        ("[]", "embedder: "),
        ("no json", "embedder: "),
    ],
)
def test_a_record_that_cannot_be_says_which_field(text: str, words: str):
    with pytest.raises(ValueError, match=words):
        EmbedderConfig.from_json(text)


def test_a_name_is_a_kind_a_folder_or_an_address(folder: Path):
    assert isinstance(make_embedder(embedder_config("minilm", threads=1)), MiniLmEmbedder)
    local = make_embedder(embedder_config(str(folder), dim=8))
    assert isinstance(local, QwenVlEmbedder) and (local.space, local.dim) == ("qwen3_vl_embedding_2b", 8)
    served = embedder_config("https://host/v1", model="Qwen/Qwen3-VL-Embedding-8B", key_variable="KEY")
    endpoint = make_embedder(served, environment={"KEY": "sk-1"})
    assert isinstance(endpoint, EndpointEmbedder) and endpoint.space == "qwen3_vl_embedding_8b"
    assert endpoint.settings.server.api_key == "sk-1" and "sk-1" not in served.to_json()
    with pytest.raises(EmbedderError, match=r"no folder 'nowhere'; download a model first: huggingface-cli"):
        make_embedder(embedder_config("nowhere"))
    with pytest.raises(ValueError, match="MiniLM has 384 values and no shorter vectors"):
        make_embedder(embedder_config("minilm", dim=64))


def test_making_an_embedder_loads_no_torch(folder: Path):
    program = (
        "import sys; from infra.embedders.config import embedder_config, make_embedder\n"
        f"e = make_embedder(embedder_config({str(folder)!r})); e.fingerprint, e.modalities, e.dim\n"
        "print(sorted({'torch', 'transformers'} & set(sys.modules)))"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def test_a_check_measures_every_kind_that_is_read(folder: Path):
    found = check_embedder(make_embedder(embedder_config(str(folder), max_image_pixels=4096)), seconds=0)
    assert found.modalities == ("text", "image", "video") == tuple(found.speed)
    assert found.dim == 48 and min(speed.items_per_s for speed in found.speed.values()) > 0
    words = check_embedder(MiniLmEmbedder(num_threads=1), seconds=0)
    assert (words.space, words.modalities, tuple(words.speed)) == ("minilm", ("text",), ("text",))


def test_a_server_is_paid_for_by_the_token():
    with EmbeddingServer(vision=True) as server:
        found = check_embedder(make_embedder(embedder_config(server.base_url)), seconds=0)
    assert found.speed["image"].tokens_per_item == 7  # as that server counts


def test_the_cost_of_a_corpus_is_the_sum_of_what_is_read():
    speed = {
        "text": ModalitySpeed(items_per_s=50, tokens_per_item=100),
        "image": ModalitySpeed(items_per_s=2, tokens_per_item=700),
    }
    found = EmbedderCheck(
        space="s", dim=4, fingerprint="f", modalities=("text", "image"), start_s=0.0, speed=speed
    )
    cost = corpus_cost(found, {"text": 3000, "image": 120, "video": 5}, price=2.0)
    # 3,000 / 50 + 120 / 2 = 120 s; 3,000 * 100 + 120 * 700 = 384,000 tokens at 2 a million
    assert (cost.minutes, cost.tokens, cost.money) == (2.0, 384_000, pytest.approx(0.768))
    assert (cost.items, cost.left_out) == ({"text": 3000, "image": 120}, {"video": 5})
    free = corpus_cost(found, {"text": 50}, price=None)
    assert (free.minutes, free.tokens, free.money) == (1 / 60, 5_000, None)
