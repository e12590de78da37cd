"""The list for a first hour on a real server, run against loopback servers of both kinds, and against servers with a fault."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import Qwen3VLForConditionalGeneration

from benchmarks import first_hour
from infra.llm.errors import RequestRefusedError
from infra.llm.tokens.sglang import SglangClient
from infra.llm.tokens.types import ProcessedImage, TokenServerSettings
from model.policies.token_endpoint import TokenRequest
from model.types import Sampling
from tests.model.scene import encoder, policy, tokenizer
from tests.servers.sglang_server import SglangServer
from tests.servers.vllm_server import VllmServer

KINDS = {"vllm": VllmServer, "sglang": SglangServer}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A checkpoint and another one of its shape."""
    root = tmp_path_factory.mktemp("hour")
    first, other = root / "first", root / "other"
    policy().save_pretrained(first)
    changed = Qwen3VLForConditionalGeneration.from_pretrained(first, dtype=torch.float32)
    torch.manual_seed(5)
    with torch.no_grad():
        for parameter in changed.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter) * parameter.std())
    changed.save_pretrained(other)
    for folder in (first, other):
        tokenizer().save_pretrained(folder)
    return first, other


@pytest.fixture(params=list(KINDS))
def server(request: pytest.FixtureRequest, folders: tuple[Path, Path]) -> Iterator[tuple[str, VllmServer]]:
    with KINDS[request.param](folders[0]) as running:
        yield request.param, running


def hour(
    server: tuple[str, VllmServer], folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> tuple[int, dict[str, Any]]:
    kind, running = server
    words = [
        "--endpoint",
        running.base_url,
        "--kind",
        kind,
        "--checkpoint",
        str(folders[0]),
        "--weights",
        str(folders[1]),
    ]
    code = first_hour.main(words)
    return code, json.loads(capsys.readouterr().out.splitlines()[-1])["checks"]


def test_a_server_that_keeps_the_protocol_passes_every_check(
    server: tuple[str, VllmServer], folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
):
    code, checks = hour(server, folders, capsys)
    assert code == 0, checks
    expected = {"model is served", "tokens in, tokens out", "log-probabilities", "barred tokens", "seeds", "eight at once",
                "weights reloaded"}  # fmt: skip
    assert checks.keys() == expected | ({"picture"} if server[0] == "vllm" else set())


def test_scaled_log_probabilities_fail_the_checks_that_rest_on_them_and_no_other(
    server: tuple[str, VllmServer], folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
):
    def halved(answer: dict[str, Any]) -> dict[str, Any]:
        for choice in answer.get("choices", ()):
            for each in choice["logprobs"]["content"]:
                each["logprob"] /= 2
        for each in answer.get("meta_info", {}).get("output_token_logprobs", ()):
            each[0] /= 2
        return answer

    server[1].changes = halved
    code, checks = hour(server, folders, capsys)
    assert code == 1
    assert {name for name, each in checks.items() if not each["ok"]} == {
        "log-probabilities",
        "weights reloaded",
    }
    assert "scaled" in checks["log-probabilities"]["said"]


def test_weights_that_are_not_really_loaded_are_noticed(
    server: tuple[str, VllmServer], folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
):
    server[1].model.load_state_dict = lambda *_, **__: torch.nn.modules.module._IncompatibleKeys([], [])  # type: ignore[method-assign]
    code, checks = hour(server, folders, capsys)
    assert code == 1 and not checks["weights reloaded"]["ok"]
    assert "weights were not loaded, or cached" in checks["weights reloaded"]["said"]


def request(images: tuple[ProcessedImage, ...] = ()) -> TokenRequest:
    options = Sampling(temperature=1.0, top_p=1.0, max_tokens=3, seed=1)
    return TokenRequest(
        token_ids=(10, 11),
        images=images,
        offsets=(0,) * len(images),
        options=options,
        eos_id=encoder().eos_id,
    )


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"meta_info": {}}, "without tokens and log-probabilities"),
        ({"output_ids": [1], "meta_info": {"output_token_logprobs": [[-0.1, 2, None]]}}, "beside other tokens"),
        ({"output_ids": [2], "meta_info": {"output_token_logprobs": [[None, 2, None]]}}, "without tokens and log-probabilities"),
        ({"meta_info": {"output_token_logprobs": [[-0.1, 2, None]], "finish_reason": {"type": "abort"}}}, "aborted"),
    ],
    ids=["nothing", "other tokens", "no number", "aborted"],
)  # fmt: skip
def test_an_sglang_answer_that_cannot_be_trained_on_is_refused(
    folders: tuple[Path, Path], changed: dict[str, Any], said: str
):
    with SglangServer(folders[0], changes=lambda _: changed) as running:
        client = SglangClient(TokenServerSettings(base_url=running.base_url))
        with pytest.raises(RequestRefusedError, match=said):
            asyncio.run(client.generate("policy", request()))


def test_pictures_for_sglang_are_refused_before_anything_is_sent(folders: tuple[Path, Path]):
    with SglangServer(folders[0]) as running:
        client = SglangClient(TokenServerSettings(base_url=running.base_url))
        with pytest.raises(RequestRefusedError, match="prompts with pictures go to vLLM"):
            asyncio.run(
                client.generate("policy", request((ProcessedImage(num_tokens=1, digest="d", data=""),)))
            )
        assert running.asked == []
