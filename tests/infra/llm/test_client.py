"""The chat client against a real server on loopback that streams, stalls, refuses and breaks as told."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncGenerator, Callable, Coroutine
from datetime import UTC, datetime
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.errors import EndpointError
from infra.llm.assembly import ReplyAssembler
from infra.llm.client import ChatClient
from infra.llm.errors import EndpointUnavailableError, RequestRefusedError, retry_after_s, stated
from infra.llm.rate_limit import RateLimiter
from infra.llm.sse import SseParser
from infra.llm.types import ChatReply, ChatSettings, Decoding
from infra.llm.usage import Prices
from tests.servers.openai_server import Fault, OpenAIServer, Spoken

KEY = "sk-very-secret-0123456789"
ASK = [{"role": "user", "content": "What is the capital of France?"}]
DRAW = Decoding(temperature=0.5, top_p=0.9, max_tokens=64, seed=7)
Result = TypeVar("Result")


def with_client(
    server: OpenAIServer, use: Callable[[ChatClient], Coroutine[Any, Any, Result]], **settings: Any
) -> Result:
    """What ``use`` gives for a client that does not wait long."""

    async def run() -> Result:
        client = ChatClient(ChatSettings(base_url=server.base_url, **{"backoff_s": 0.001, **settings}))
        try:
            return await use(client)
        finally:
            await client.close()

    return asyncio.run(run())


async def streamed(client: ChatClient) -> tuple[list[str], ChatReply]:
    """The pieces, and the reply after them."""
    *pieces, reply = [piece async for piece in client.stream(ASK, DRAW)]
    assert isinstance(reply, ChatReply)
    assert all(isinstance(piece, str) for piece in pieces)
    return [str(piece) for piece in pieces], reply


def complete(client: ChatClient) -> Coroutine[Any, Any, ChatReply]:
    return client.complete(ASK, DRAW)


# replies


def test_a_reply_comes_back_whole_with_the_tokens_the_server_counted():
    with OpenAIServer("Paris, of course") as server:
        reply = with_client(server, complete)
    assert reply == ChatReply(
        text="Paris, of course",
        finish_reason="stop",
        prompt_tokens=6,
        completion_tokens=3,
        model="test-model",
    )
    body = server.requests[0].body
    assert body["messages"] == ASK
    assert (body["temperature"], body["top_p"], body["max_tokens"], body["seed"]) == (0.5, 0.9, 64, 7)


@given(
    cuts=st.lists(st.integers(1, 30), min_size=1, max_size=4),
    newline=st.sampled_from(["\n", "\r\n", "\r"]),
    texts=st.lists(st.text(max_size=8), max_size=6),
)
def test_events_are_the_same_wherever_the_stream_is_cut(cuts: list[int], newline: str, texts: list[str]):
    events = [json.dumps({"said": text}, ensure_ascii=False, indent=1) for text in texts]  # in several lines
    sent = "".join(
        f": comment{newline}id: 4{newline}"
        + "".join(f"data: {line}{newline}" for line in event.split("\n"))
        + f"{newline}retry: 3{newline}{newline}"
        for event in events
    ).encode()
    parser, heard, place = SseParser(), list[str](), 0
    while sent:
        size = cuts[place % len(cuts)]
        heard += parser.feed(sent[:size])
        sent, place = sent[size:], place + 1
    assert heard + list(parser.end()) == events


def test_a_stream_of_odd_pieces_with_comments_and_carriage_returns_gives_the_same_text():
    text = "Zürich – 東京 \U0001f600 and Paris"
    reply = Spoken(text=text, cuts=(1, 2, 3, 5, 8, 13), newline="\r\n", comments=True, piece_chars=3)
    with OpenAIServer(reply) as server:
        pieces, whole = with_client(server, streamed)
    assert "".join(pieces) == whole.text == text
    assert len(pieces) > 1
    assert (whole.prompt_tokens, whole.completion_tokens, whole.estimated) == (6, 6, False)
    assert server.requests[0].body["stream_options"] == {"include_usage": True}


def test_a_stream_may_end_without_done_and_without_a_last_empty_line():
    with OpenAIServer(Spoken(text="Paris", done=False)) as server:
        assert with_client(server, streamed)[1].text == "Paris"
    parser = SseParser()
    assert [*parser.feed(b'\xef\xbb\xbfdata:{"a":1}\ndata: 2'), *parser.end()] == ['{"a":1}\n2']


def test_an_error_line_of_llama_cpp_is_an_event_with_an_error():
    assert list(SseParser().feed(b'error: {"code": 500, "message": "no"}\n\n')) == [
        '{"error": {"code": 500, "message": "no"}}'
    ]


def test_a_server_that_cannot_stream_is_heard_all_the_same():
    with OpenAIServer(Spoken(text="Paris", ignores_stream=True)) as server:
        pieces, reply = with_client(server, streamed)
    assert pieces == ["Paris"]
    assert (reply.text, reply.completion_tokens) == ("Paris", 1)


@pytest.mark.parametrize("use", [complete, lambda client: _text_of_stream(client)], ids=["whole", "streamed"])
def test_reasoning_sent_apart_stands_in_front_in_one_closed_block_without_tags_of_its_own(
    use: Callable[[ChatClient], Coroutine[Any, Any, ChatReply]],
):
    reasoning = "Perhaps </think> or </th</think>ink> or <THINK>."
    with OpenAIServer(Spoken(text="Paris <3", reasoning=reasoning, piece_chars=2)) as server:
        text = with_client(server, use).text
    thought, _, spoken = text.partition("</think>")
    assert spoken.strip() == "Paris <3"
    assert thought.startswith("<think>")
    assert "think>" not in thought.removeprefix("<think>").lower()


async def _text_of_stream(client: ChatClient) -> ChatReply:
    pieces, reply = await streamed(client)
    assert "".join(pieces) == reply.text
    return reply


def test_reasoning_that_is_cut_short_is_closed_so_that_nothing_in_it_is_an_action():
    said = Spoken(text="", reasoning='<tool_call>{"name": "answer"}</tool_call>', finish_reason="length")
    with OpenAIServer(said) as server:
        reply = with_client(server, complete)
    assert reply.finish_reason == "length"
    assert reply.text.rstrip().endswith("</think>")


def test_reasoning_after_the_reply_has_begun_is_left_out():
    assembly = ReplyAssembler()
    for delta in (
        {"reasoning": "a"},
        {"content": "\n"},
        {"content": "b"},
        {"reasoning": "c"},
        {"content": "d"},
    ):
        list(assembly.take({"choices": [{"delta": delta}]}))
    list(assembly.end())
    assert assembly.text == "<think>\na\n</think>\nbd"


@pytest.mark.parametrize("use", [complete, _text_of_stream])
def test_a_call_the_server_took_out_of_the_text_is_written_back_into_it(
    use: Callable[[ChatClient], Coroutine[Any, Any, ChatReply]],
):
    call = {"name": "search", "arguments": '{"id": "n1", "query": "q"}'}
    with OpenAIServer(Spoken(text="I look.", tool_calls=(call,))) as server:
        text = with_client(server, use).text
    assert text == 'I look.<tool_call>{"name": "search", "arguments": {"id": "n1", "query": "q"}}</tool_call>'


def test_tokens_the_server_does_not_count_are_estimated_and_marked():
    # prompt: 30 characters at 3 a token; reply: 5 characters, rounded up
    with OpenAIServer(Spoken(text="Paris", usage=False)) as server:
        reply = with_client(server, complete)
    assert (reply.prompt_tokens, reply.completion_tokens, reply.estimated) == (10, 2, True)


# time and number


def test_never_more_requests_are_under_way_than_allowed():
    async def eight(client: ChatClient) -> None:
        await asyncio.gather(
            *(client.complete(ASK, DRAW) for _ in range(4)), *(streamed(client) for _ in range(4))
        )

    def slow(messages: object) -> str:
        time.sleep(0.1)
        return "ok"

    with OpenAIServer(slow) as server:
        with_client(server, eight, concurrency=3, model="test-model")
    assert len(server.requests) == 8
    assert server.most_at_once == 3


@given(st.lists(st.floats(0, 20), min_size=1, max_size=40), st.integers(1, 120))
def test_any_minute_holds_at_most_one_request_more_than_the_pace_allows(gaps_s: list[float], per_minute: int):
    now_s = 0.0

    async def sleep(seconds: float) -> None:
        nonlocal now_s
        now_s += seconds

    async def turns() -> list[float]:
        nonlocal now_s
        pace = RateLimiter(per_minute, clock=lambda: now_s, sleep=sleep)
        starts = []
        for gap_s in gaps_s:
            now_s += gap_s
            await pace.turn()
            starts.append(now_s)
        return starts

    starts = asyncio.run(turns())
    for start in starts:
        assert sum(start <= other < start + 59.999 for other in starts) <= per_minute + 1


def test_a_pause_the_server_asks_for_holds_for_every_request():
    now_s = 100.0

    async def sleep(seconds: float) -> None:
        nonlocal now_s
        now_s += seconds

    async def two_turns() -> list[float]:
        pace = RateLimiter(None, clock=lambda: now_s, sleep=sleep)
        await pace.turn()
        before = now_s
        pace.pause(5.0)
        pace.pause(2.0)
        await pace.turn()
        return [before, now_s]

    assert asyncio.run(two_turns()) == [100.0, 105.0]


@pytest.mark.parametrize("text", ["", "Par"])
def test_a_server_that_falls_silent_is_given_up(text: str):
    async def listen(client: ChatClient) -> list[object]:
        heard: list[object] = []
        with pytest.raises(EndpointUnavailableError, match="silent"):
            async for piece in client.stream(ASK, DRAW):
                heard.append(piece)
        assert client.ledger.snapshot().failures == 1
        return heard

    with OpenAIServer(Fault(then="stall", text=text)) as server:
        heard = with_client(server, listen, retries=1, stall_timeout_s=0.2)
    assert "".join(map(str, heard)) == text
    assert len(server.requests) == (1 if text else 2)  # what was handed out is not asked for again


def test_an_attempt_and_a_call_end_in_their_time():
    async def late(client: ChatClient) -> None:
        with pytest.raises(EndpointUnavailableError, match=r"no complete answer within 0\.1 s|silent"):
            await client.complete(ASK, DRAW)

    async def later(client: ChatClient) -> None:
        with pytest.raises(EndpointUnavailableError, match=r"no answer within 0\.3 s|no complete answer"):
            await client.complete(ASK, DRAW)

    with OpenAIServer(Fault(then="stall")) as server:
        with_client(server, late, retries=0, timeout_s=0.1)
        with_client(server, later, retries=1000, timeout_s=0.1, total_timeout_s=0.3)
    assert len(server.requests) < 10


def test_a_stream_that_drips_for_ever_ends_in_its_time():
    async def listen(client: ChatClient) -> None:
        with pytest.raises(EndpointUnavailableError, match="no complete answer within"):
            async for _ in client.stream(ASK, DRAW):
                pass

    with OpenAIServer(Spoken(text="x" * 400, piece_chars=1, pause_s=0.02)) as server:
        with_client(server, listen, timeout_s=0.3)


def test_leaving_a_stream_early_ends_the_request_and_books_what_was_said():
    async def leave(client: ChatClient) -> None:
        stream: AsyncGenerator[str | ChatReply] = client.stream(ASK, DRAW)
        assert await anext(stream) == "word"
        await stream.aclose()
        spent = client.ledger.snapshot()
        assert (spent.replies, spent.prompt_tokens, spent.completion_tokens) == (0, 10, 2)
        assert (spent.failures, spent.estimated) == (0, 1)
        assert (await client.complete(ASK, DRAW)).text == "ok"  # its place is free again

    with OpenAIServer([Spoken(text="word" * 5000, pause_s=0.001), "ok"]) as server:
        with_client(server, leave, concurrency=1)
        for _ in range(200):
            if server.disconnects:
                break
            asyncio.run(asyncio.sleep(0.01))
        assert server.disconnects == 1


# retries


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504])
def test_what_may_pass_is_asked_again(status: int):
    async def use(client: ChatClient) -> ChatReply:
        reply = await client.complete(ASK, DRAW)
        spent = client.ledger.snapshot()
        assert (spent.requests, spent.retries, spent.failures) == (3, 2, 0)
        return reply

    with OpenAIServer([Fault(status=status), Fault(status=status), "Paris"]) as server:
        assert with_client(server, use).text == "Paris"


@pytest.mark.parametrize(
    "fault",
    [
        Fault(then="drop"),
        Fault(then="end"),
        Fault(then="error", body={"error": {"message": "worker died", "code": 500}}),
        Fault(then="error", body={"error": "worker died"}),
        Fault(headers={"Content-Type": "text/event-stream"}, body="data: {broken\n\n"),
        Fault(headers={"Content-Type": "text/event-stream"}, body="data: [1]\n\n"),
        Fault(body="{broken"),
        Fault(body={"choices": []}),
    ],
)
def test_a_stream_that_breaks_before_its_first_piece_is_asked_for_again(fault: Fault):
    with OpenAIServer([fault, "Paris"]) as server:
        pieces, reply = with_client(server, streamed)
    assert "".join(pieces) == reply.text == "Paris"
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    "fault",
    [
        Fault(text="The capital", then="drop"),
        Fault(text="The capital", then="end"),
        Fault(text="The capital", then="error", body={"error": {"message": "worker died"}}),
    ],
)
def test_a_stream_that_breaks_later_is_an_error_and_never_begins_anew(fault: Fault):
    async def listen(client: ChatClient) -> str:
        heard = ""
        with pytest.raises(EndpointError):
            async for piece in client.stream(ASK, DRAW):
                heard += str(piece)
        spent = client.ledger.snapshot()
        assert (spent.requests, spent.failures, spent.replies, spent.completion_tokens) == (1, 1, 0, 4)
        return heard

    with OpenAIServer([fault, "Paris"]) as server:
        assert with_client(server, listen) == "The capital"
    assert len(server.requests) == 1


def test_a_wait_the_server_asks_for_is_kept_up_to_the_longest():
    async def use(client: ChatClient) -> float:
        await client.complete(ASK, DRAW)
        return client.ledger.snapshot().waiting_s

    faults = [Fault(status=429, headers={"Retry-After": wait}) for wait in ("0.05", "7200")]
    with OpenAIServer([*faults, "ok"]) as server:
        waited_s = with_client(server, use, max_wait_s=0.1)
    first, second, third = (request.time_s for request in server.requests)
    assert second - first >= 0.05
    assert third - second >= 0.1
    assert waited_s >= 0.15


def test_a_wait_the_server_asks_for_holds_back_the_other_requests_too():
    async def use(client: ChatClient) -> None:
        first = asyncio.create_task(complete(client))
        while not client.ledger.snapshot().retries:
            await asyncio.sleep(0.001)
        await asyncio.gather(first, complete(client))

    with OpenAIServer([Fault(status=429, headers={"Retry-After": "0.2"}), "ok", "ok"]) as server:
        with_client(server, use, model="test-model")
    refused, *others = (request.time_s for request in server.requests)
    assert min(others) - refused >= 0.2


def test_retry_after_is_read_as_seconds_and_as_a_date():
    now = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
    assert retry_after_s("2.5", now) == 2.5
    assert retry_after_s("Thu, 01 Jan 2026 12:00:30 GMT", now) == 30.0
    assert retry_after_s("Thu, 01 Jan 2026 11:00:00 GMT", now) == 0.0
    for nonsense in (None, "", "soon", "nan", "inf"):
        assert retry_after_s(nonsense, now) is None
    assert retry_after_s("-3", now) == 0.0


def test_when_nothing_helps_the_last_error_comes_through():
    loading = Fault(status=503, body={"error": {"message": "loading model"}})
    words = r"the server failed \(503\); it says: loading model"
    with OpenAIServer(loading) as server, pytest.raises(EndpointUnavailableError, match=words):
        with_client(server, complete, retries=2)
    assert len(server.requests) == 3


def test_nobody_listens_at_the_address():
    with OpenAIServer() as server:
        address = server.base_url
    settings = ChatSettings(base_url=address, model="m", retries=1, backoff_s=0.001)
    with pytest.raises(EndpointUnavailableError, match="is the server running"):
        asyncio.run(ChatClient(settings).complete(ASK, DRAW))


# refusals


@pytest.mark.parametrize(
    ("fault", "advice"),
    [
        (Fault(status=401), "it wants a key, set VIMRAG_API_KEY"),
        (Fault(status=403), "it wants a key"),
        (Fault(status=404), "usually ends in /v1"),
        (Fault(status=413), "prompt is too long"),
        (Fault(status=422, body={"detail": [{"loc": ["body", "n"], "msg": "bad"}]}), "it says: bad"),
        (Fault(status=301, headers={"Location": "http://127.0.0.1:1/"}), "redirects"),
        (Fault(headers={"Content-Type": "text/html"}, body="<html>"), "a web page"),
        (
            Fault(
                status=400,
                body={
                    "error": {
                        "message": "invalid: 'max_tokens' or 'max_completion_tokens' is too large: 64. This "
                        "model's maximum context length is 4096 tokens.",
                        "param": "max_tokens",
                    }
                },
            ),
            "prompt is too long",
        ),
        (Fault(status=400, body={"message": "test-model is not a multimodal model"}), "takes no images"),
        (
            Fault(status=429, body={"error": {"message": "quota", "code": "insufficient_quota"}}),
            "no credit left",
        ),
    ],
)
def test_a_refusal_is_one_line_that_says_what_to_do_and_is_not_repeated(fault: Fault, advice: str):
    with OpenAIServer(fault) as server:
        with pytest.raises(RequestRefusedError) as caught:
            with_client(server, complete)
        assert server.base_url in str(caught.value)
    assert advice in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(server.requests) == 1


def test_an_unknown_model_is_answered_with_those_that_are_there():
    with OpenAIServer(models=("qwen", "llama")) as server:
        with pytest.raises(RequestRefusedError, match="no model 'qwem'; there are: qwen, llama"):
            with_client(server, complete, model="qwem")
        with pytest.raises(RequestRefusedError, match="say which model to ask; there are: qwen, llama"):
            with_client(server, complete)
        assert with_client(server, lambda client: client.models()) == ["qwen", "llama"]


def test_a_single_model_needs_no_name():
    async def twice(client: ChatClient) -> str:
        await client.complete(ASK, DRAW)
        await client.complete(ASK, DRAW)
        return await client.model()

    with OpenAIServer() as server:
        assert with_client(server, twice) == "test-model"
    assert server.listings == 1


@pytest.mark.parametrize("named", ["seed", "top_p", "temperature"])
def test_a_parameter_the_server_refuses_is_left_out_from_then_on(
    named: str, caplog: pytest.LogCaptureFixture
):
    async def twice(client: ChatClient) -> frozenset[str]:
        await client.complete(ASK, DRAW)
        await streamed(client)
        return client.refused

    with OpenAIServer("ok", refuses=(named,)) as server:
        assert with_client(server, twice) == {named}
    assert [named in request.body for request in server.requests] == [True, False, False]
    assert f"{named} is refused" in caplog.text


def test_newer_servers_get_the_length_under_its_newer_name():
    def reply(messages: object) -> Fault | str:
        if "max_tokens" not in server.requests[-1].body:
            return "ok"
        message = "Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens' instead."
        return Fault(status=400, body={"error": {"message": message, "param": "max_tokens"}})

    with OpenAIServer(reply) as server:
        assert with_client(server, complete).text == "ok"
    assert server.requests[-1].body["max_completion_tokens"] == 64


def test_an_answer_that_is_too_long_is_refused():
    for endless in (Fault(body=b" " * 4096), Spoken(text="x" * 4096)):
        with (
            OpenAIServer(endless) as server,
            pytest.raises(RequestRefusedError, match="longer than 2048 bytes"),
        ):
            with_client(server, complete, max_reply_bytes=2048)
        with (
            OpenAIServer(endless) as server,
            pytest.raises(RequestRefusedError, match="longer than 2048 bytes"),
        ):
            with_client(server, streamed, max_reply_bytes=2048)


def test_no_more_of_a_refusal_is_quoted_than_a_line():
    prompt = "the whole prompt again " * 5000
    for size in (1, 10):
        echo = Fault(status=400, body={"error": {"message": prompt * size}})
        with OpenAIServer(echo) as server, pytest.raises(RequestRefusedError) as caught:
            with_client(server, complete)
        assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    "body", [b"", b"no json", b"[]", b'{"error": null}', b'{"detail": [1]}', b"[" * 100_000]
)
def test_any_refusal_can_be_read(body: bytes):
    assert stated(body).message == ""


# secrets


def test_the_key_is_sent_and_never_shown(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)

    async def failing(client: ChatClient) -> None:
        assert KEY not in repr(client.settings) and KEY not in repr(client.__dict__)
        with pytest.raises(EndpointError) as caught:
            await client.complete(ASK, DRAW)
        error: BaseException | None = caught.value
        while error is not None:
            assert KEY not in str(error) and KEY not in repr(error) and KEY not in repr(error.__dict__)
            error = error.__cause__

    with OpenAIServer(key="another key") as server:  # it echoes the header it got
        with_client(server, failing, api_key=KEY, model="test-model")
        assert server.requests[0].authorization == f"Bearer {KEY}"
    with OpenAIServer(Fault(then="drop")) as server:
        with_client(server, failing, api_key=KEY, model="test-model", retries=0)
    with OpenAIServer(Fault(body={"error": {"message": f"who is {KEY}?", "code": 400}})) as server:
        with_client(server, failing, api_key=KEY, model="test-model")
    assert KEY not in caplog.text


@pytest.mark.parametrize(
    "settings",
    [
        {"base_url": "ftp://host/v1"},
        {"base_url": "host:8000"},
        {"base_url": f"http://user:{KEY}@host/v1"},
        {"base_url": f"http://host/v1?key={KEY}"},
        {"base_url": "http://host:port/v1"},
        {"base_url": "http://host/v1", "api_key": f"{KEY}\n"},
        {"base_url": "http://host/v1", "api_key": ""},
        {"base_url": "http://host/v1", "concurrency": 0},
        {"base_url": "http://host/v1", "timeout_s": 0},
        {"base_url": "http://host/v1", "requests_per_minute": 0},
    ],
)
def test_settings_that_cannot_work_are_refused_at_once_without_the_key(settings: dict[str, Any]):
    with pytest.raises(ValueError) as caught:
        ChatSettings(**settings)
    assert KEY not in str(caught.value)


# counting


def test_the_ledger_adds_up_tokens_and_money():
    # 2 replies of 6 + 3 tokens: 12 at 2 and 6 at 10 a million = 84 millionths
    async def use(client: ChatClient) -> None:
        await client.complete(ASK, DRAW)
        await streamed(client)
        spent = client.ledger.snapshot()
        assert (spent.requests, spent.replies, spent.retries, spent.failures) == (2, 2, 0, 0)
        assert (spent.prompt_tokens, spent.completion_tokens, spent.estimated) == (12, 6, 0)
        assert spent.cost == pytest.approx(84e-6)
        assert spent.generation_s > 0

    with OpenAIServer("Paris, of course") as server:
        with_client(server, use, model="test-model", prices=Prices(prompt=2.0, completion=10.0))
        assert (server.prompt_tokens, server.completion_tokens) == (12, 6)
