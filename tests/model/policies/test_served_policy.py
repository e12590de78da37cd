"""A served policy: the tokens and log-probabilities of a real model behind a real socket, and servers that misbehave."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from infra.llm.errors import EndpointUnavailableError, RequestRefusedError
from infra.llm.tokens.client import TokenClient
from infra.llm.tokens.pool import PoolSettings, ServerPool
from infra.llm.tokens.types import TokenServerSettings
from model.policies.chat_template import collate
from model.policies.served_policy import ServedPolicy, ServedWeights, ServingError
from model.types import Completion, ImageRef, Message, PolicyRequest, Role, Sampling, Task
from tests.model.scene import CAT, DOG, Pictures, encoder, policy, tokenizer
from tests.servers.vllm_server import BASE, Fault, VllmServer

TASK = Task(id="q1", dataset="d", question="?", answers=("a",))
SAMPLING = Sampling(temperature=1.0, top_p=1.0, max_tokens=6, seed=3)
PLAIN = [Message(role=Role.USER, parts=("alpha <|im_end|> beta",))]
SHOWN = [Message(role=Role.TOOL, parts=("see ", CAT, " and ", DOG, CAT))]
AT_ONCE = PoolSettings(rest_s=0.0, total_timeout_s=10)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("served")
    policy().save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def running(checkpoint: Path) -> Iterator[VllmServer]:
    with VllmServer(checkpoint) as server:
        yield server


@pytest.fixture
def server(running: VllmServer) -> Iterator[VllmServer]:
    running.asked.clear()
    yield running
    running.fails, running.changes = lambda path, body: None, lambda answer: answer


def pool_of(*urls: str, settings: PoolSettings = AT_ONCE, timeout_s: float = 10.0) -> ServerPool:
    return ServerPool(
        [TokenClient(TokenServerSettings(base_url=url, timeout_s=timeout_s)) for url in urls], settings
    )


def served(pool: ServerPool) -> ServedPolicy:
    start = ServedWeights(model=BASE, version=0, fingerprint="w0")
    return ServedPolicy(pool, encoder(), Pictures(), served=start)


def request(messages: list[Message], *, task: Task = TASK, sampling: Sampling = SAMPLING) -> PolicyRequest:
    return PolicyRequest(messages=tuple(messages), task=task, sampling=sampling)


def ask(pool: ServerPool, *conversations: list[Message], sampling: Sampling = SAMPLING) -> list[Completion]:
    async def all_of_them() -> list[Completion]:
        agent = served(pool)
        try:
            return list(
                await asyncio.gather(
                    *(agent.complete(request(messages, sampling=sampling)) for messages in conversations)
                )
            )
        finally:
            await pool.close()

    return asyncio.run(all_of_them())


def recomputed(completion: Completion) -> list[float]:
    """Log-probabilities of the drawn tokens by one forward pass over pixels that the encoder cut."""
    ids = completion.prompt_ids + completion.token_ids
    pixels = encoder().pixels(completion.images, Pictures())
    inputs = collate([ids], [pixels], pad_id=encoder().pad_id, image_id=encoder().image_id)
    with torch.no_grad():
        scores = torch.log_softmax(policy()(**inputs).logits[0].double(), dim=-1)
    start = len(completion.prompt_ids)
    return [float(scores[start + place - 1, token]) for place, token in enumerate(completion.token_ids)]


@pytest.mark.parametrize("conversation", [PLAIN, SHOWN], ids=["text", "pictures"])
def test_tokens_and_logprobs_are_those_of_the_model_on_the_trainers_own_prompt(
    server: VllmServer, conversation: list[Message]
):
    (found,) = ask(pool_of(server.base_url), conversation)
    assert found.prompt_ids == encoder().encode(conversation).ids
    assert list(found.logprobs) == pytest.approx(recomputed(found), abs=1e-4)
    assert 1 <= len(found.token_ids) <= 6
    assert found.images == tuple(part for part in conversation[0].parts if isinstance(part, ImageRef))


def test_a_second_turn_holds_the_first_reply_token_for_token(server: VllmServer):
    (first,) = ask(pool_of(server.base_url), PLAIN)
    ids = first.token_ids[:-1] if first.finish_reason == "stop" else first.token_ids
    reply = Message(role=Role.ASSISTANT, parts=(first.text,), token_ids=ids)
    (second,) = ask(pool_of(server.base_url), [*PLAIN, reply, Message(role=Role.USER, parts=("again",))])
    so_far = first.prompt_ids + ids
    assert second.prompt_ids[: len(so_far)] == so_far


def test_the_same_seed_draws_the_same_tokens_and_the_placeholder_is_never_drawn(server: VllmServer):
    first, again = ask(pool_of(server.base_url), PLAIN, PLAIN)
    assert first.token_ids == again.token_ids
    (_, body) = next(each for each in server.asked if each[0].endswith("generate"))
    assert body["sampling_params"]["logit_bias"] == {str(encoder().image_id): -100.0}


def test_a_picture_is_rendered_once_however_often_it_is_shown(server: VllmServer):
    ask(pool_of(server.base_url), SHOWN)
    assert server.paths().count("/v1/chat/completions/render") == 2  # CAT and DOG, CAT twice in the prompt


def drop(name: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    def change(answer: dict[str, Any]) -> dict[str, Any]:
        answer["choices"][0].pop(name)
        return answer

    return change


def cut_logprobs(answer: dict[str, Any]) -> dict[str, Any]:
    answer["choices"][0]["logprobs"]["content"].pop()
    return answer


def other_ids(answer: dict[str, Any]) -> dict[str, Any]:
    """As a server would that tokenises its own text again: other ids beside the log-probabilities."""
    choice = answer["choices"][0]
    choice["token_ids"] = [token + 1 for token in choice["token_ids"]]
    return answer


def cut_reply(answer: dict[str, Any]) -> dict[str, Any]:
    choice = answer["choices"][0]
    choice["token_ids"], choice["logprobs"]["content"] = [300], [{"token": "token_id:300", "logprob": -1.0}]
    return answer


def foreign_token(answer: dict[str, Any]) -> dict[str, Any]:
    choice = answer["choices"][0]
    choice["token_ids"] = [10**6] * 6
    choice["logprobs"]["content"] = [{"token": "token_id:1000000", "logprob": -1.0}] * 6
    return answer


def no_number(answer: dict[str, Any]) -> dict[str, Any]:
    answer["choices"][0]["logprobs"]["content"][0]["logprob"] = float("nan")
    return answer


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (drop("token_ids"), RequestRefusedError, "the answer has no token ids; recent versions of vLLM"),
        (drop("logprobs"), RequestRefusedError, r"0 log-probabilities for \d tokens"),
        (
            cut_logprobs,
            RequestRefusedError,
            r"log-probabilities for \d tokens; nothing can be trained on them",
        ),
        (other_ids, RequestRefusedError, r"the log-probability of token_id:\d+ stands beside token \d+"),
        (no_number, RequestRefusedError, "nan is no log-probability"),
        (lambda answer: {"choices": []}, RequestRefusedError, "an answer without choices"),
        (lambda answer: {"text": "hello"}, RequestRefusedError, "an answer without choices"),
        (cut_reply, ServingError, "ends before its end token and before its longest length"),
        (foreign_token, ServingError, r"sampled token 1000000, the policy has \d+ tokens"),
    ],
)
def test_a_reply_that_cannot_be_trained_on_is_refused_in_one_clear_line(
    server: VllmServer,
    change: Callable[[dict[str, Any]], dict[str, Any]],
    error: type[Exception],
    message: str,
):
    server.changes = change
    with pytest.raises(error, match=message):
        ask(pool_of(server.base_url), PLAIN)


def test_a_server_that_cuts_pictures_otherwise_is_refused(checkpoint: Path):
    with (
        VllmServer(checkpoint, min_pixels=64 * 64) as enlarging,
        pytest.raises(
            ServingError, match=r"cuts (cat|dog) \(\d+x\d+ px\) into \d+ tokens, the trainer into 2"
        ),
    ):
        ask(pool_of(enlarging.base_url), SHOWN)


def test_a_chat_server_without_token_calls_is_refused_with_what_is_wanted(server: VllmServer):
    server.fails = lambda path, body: Fault(404, {"detail": "Not Found"})
    with pytest.raises(
        RequestRefusedError, match=r"there is no /inference/v1/generate \(404\); recent versions of vLLM"
    ):
        ask(pool_of(server.base_url), PLAIN)


def test_a_server_that_fails_is_left_out_and_its_requests_are_sent_to_another(checkpoint: Path):
    with ExitStack() as stack:
        bad, good = (stack.enter_context(VllmServer(checkpoint)) for _ in range(2))
        bad.fails = lambda path, body: Fault(500, {"error": {"message": "out of memory"}})
        pool = pool_of(bad.base_url, good.base_url, settings=PoolSettings(rest_s=60, total_timeout_s=20))

        async def many() -> list[Completion]:
            agent = served(pool)
            tasks = [replace(TASK, id=f"q{number}") for number in range(12)]
            try:
                asked = (agent.complete(request(PLAIN, task=task)) for task in tasks)
                return list(await asyncio.gather(*asked))
            finally:
                await pool.close()

        assert len({each.token_ids for each in asyncio.run(many())}) == 1
        assert pool.tally.resent == pool.tally.outages > 0
        assert len(good.asked) == 12 and not bad.asked


def test_a_server_that_died_is_asked_again_when_it_is_back_and_prepared_first(checkpoint: Path):
    prepared: list[str] = []

    async def prepare(server: TokenClient) -> None:
        prepared.append(server.where)

    with VllmServer(checkpoint) as server:
        server.die()
        pool = pool_of(
            server.base_url, settings=PoolSettings(rest_s=0.01, max_rest_s=0.01, total_timeout_s=20)
        )
        pool.prepare = prepare

        async def outage() -> Completion:
            asking = asyncio.create_task(served(pool).complete(request(PLAIN)))
            while not pool.tally.outages:
                await asyncio.sleep(0)
            server.serve()
            try:
                return await asking
            finally:
                await pool.close()

        assert asyncio.run(outage()).token_ids
        assert prepared


def test_silence_of_every_server_ends_in_time_with_the_last_words(server: VllmServer):
    server.fails = lambda path, body: Fault(0)
    pool = pool_of(server.base_url, settings=replace(AT_ONCE, total_timeout_s=0.2), timeout_s=0.05)
    with pytest.raises(
        EndpointUnavailableError,
        match=r"no rollout server answered within 0.2 s; .*no complete answer within",
    ):
        ask(pool, PLAIN)


def test_requests_of_one_question_go_to_one_server_until_another_has_clearly_less_to_do():
    pool = pool_of("http://127.0.0.1:1/v1", "http://127.0.0.1:2/v1", settings=PoolSettings(slack=1))
    own = pool._chosen("q1", pool._members)
    assert all(pool._chosen("q1", pool._members) is own for _ in range(5))
    own.under_way = 2  # two more than the other one, one is tolerated
    assert pool._chosen("q1", pool._members) is not own
    own.under_way = 0
    owners = {pool._chosen(f"q{number}", pool._members).server.where for number in range(20)}
    assert len(owners) == 2


@pytest.mark.parametrize("url", ["ftp://host/v1", "http://user:key@host/v1", "nothing"])
def test_an_address_that_is_none_is_refused_when_the_settings_are_made(url: str):
    with pytest.raises(ValueError, match="endpoint"):
        TokenServerSettings(base_url=url)
