"""``vimrag ask`` with servers that behave as users of real ones reported: it ends with an answer or with the reason."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from assets.miniature.writers.pdf import pdf_bytes
from infra.llm.client import ChatClient
from infra.llm.sight import SightMemory, probe_sight, read_sight
from infra.llm.types import ChatSettings, Decoding
from memory_graph.actions import Answer, Memorize, Search
from memory_graph.parsing import parse
from tests.app.command_line import Vimrag
from tests.app.server.reader_model import ANSWER, QuietServer, reply
from tests.app.server.small_root import REPORT
from tests.servers.openai_server import Answer as Reply
from tests.servers.openai_server import Fault, OpenAIServer, Received, Spoken, text_of

QUESTION = "When did the crane open?"
REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    from app.cli import main

    folder = tmp_path_factory.mktemp("odd")
    (folder / "harbour.pdf").write_bytes(pdf_bytes(REPORT, width=300, height=200))
    assert main(["ingest", str(folder / "harbour.pdf"), "--root", str(folder / "root"), "--json"]) == 0
    yield folder / "root"


class Odd(QuietServer):
    """Replies as ``reply`` does unless ``oddity`` has something else to say."""

    def __init__(self, oddity: Callable[[Received], Reply | None]) -> None:
        super().__init__(reply)
        self.oddity = oddity

    def respond(self, received: Received) -> Reply:
        return self.oddity(received) or super().respond(received)


async def complete(server: OpenAIServer) -> str:
    client = ChatClient(ChatSettings(base_url=server.base_url))
    try:
        messages = [{"role": "user", "content": QUESTION}]
        return (await client.complete(messages, Decoding(temperature=0, top_p=1, max_tokens=9))).text
    finally:
        await client.close()


def refused(message: str, status: int = 400) -> Fault:
    return Fault(status=status, body={"error": {"message": message}})


def test_a_prompt_that_is_too_long_is_shortened_until_it_is_taken(vimrag: Vimrag, root: Path):
    words = "The decoder prompt (length 900) is longer than the maximum model length of 400."
    sizes: list[int] = []

    def oddity(received: Received) -> Reply | None:
        sizes.append(sum(image.width * image.height for image in received.images))
        return refused(words) if sizes[-1] > 20_000 else None

    with Odd(oddity) as server:
        said = vimrag("ask", QUESTION, "--root", root, "--endpoint", server.base_url, "--json")
    assert said.code == 0 and said.json["answer"] == ANSWER
    assert "too long for the model; asked again" in said.json["notices"][0] and "note: " in said.err
    shown = [size for size in sizes if size]
    assert shown[0] > 20_000 and any(size <= 20_000 for size in sizes[2:])  # smaller, then it went on
    questions = [text_of(each.messages[1]) for each in server.requests]
    assert all(QUESTION in question for question in questions)


def test_a_prompt_that_stays_too_long_ends_with_the_servers_words(vimrag: Vimrag, root: Path):
    with Odd(lambda received: refused("prompt is too long: 9 > 8")) as server:
        said = vimrag("ask", QUESTION, "--root", root, "--endpoint", server.base_url)
    assert said.code == 1 and "the prompt is too long for it" in said.err and len(server.requests) == 6


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (500, "image input is not supported - hint: you may need to provide the mmproj"),
        (404, "No endpoints found that support image input"),
        (400, "unknown variant `image_url`, expected `text`"),
    ],
)
def test_a_model_without_eyes_is_sent_no_second_picture_and_reads_the_texts(
    vimrag: Vimrag, root: Path, status: int, words: str
):
    with Odd(lambda received: refused(words, status) if received.images else None) as server:
        said = vimrag("ask", QUESTION, "--root", root, "--endpoint", server.base_url, "--json")
    assert said.code == 0 and (said.json["answer"], said.json["sees_pictures"]) == (ANSWER, False)
    assert [bool(each.images) for each in server.requests] == [False, True, False, False]  # no retry
    [notice] = said.json["notices"]
    assert "takes no images" in notice and "--mmproj" in notice and "going on with the texts" in notice
    final = server.requests[-1].text
    assert (
        "opened in 1931. It lifts" in final.partition("Kept evidence:")[2]
    )  # the page's text, after memorize


def test_a_server_that_only_streams_is_asked_so(vimrag: Vimrag, root: Path):
    words = "parameter.enable_thinking must be set to false for non-streaming calls"
    with Odd(lambda received: None if received.body["stream"] else refused(words)) as server:
        said = vimrag("ask", QUESTION, "--root", root, "--endpoint", server.base_url, "--json")
        whole = asyncio.run(complete(server))  # asked for whole, it is asked for again as a stream
    assert said.code == 0 and {each.body["stream"] for each in server.requests[:3]} == {True}
    assert "look it up" in whole and [each.body["stream"] for each in server.requests[3:]] == [False, True]


def test_thinking_is_switched_off_where_streams_are_refused_for_it_too(vimrag: Vimrag, root: Path):
    words = "parameter.enable_thinking must be set to false"
    with Odd(lambda received: refused(words) if "enable_thinking" not in received.body else None) as server:
        said = vimrag("ask", QUESTION, "--root", root, "--endpoint", server.base_url, "--json")
    assert said.code == 0 and server.requests[-1].body["enable_thinking"] is False


def test_a_server_that_drops_the_front_of_prompts_is_noticed(vimrag: Vimrag, root: Path):
    def short(received: Received) -> Reply:
        said = reply(received.messages)
        return Spoken(text=said.text, tokens=(min(600, 2 * len(received.text.split())), 20))

    with Odd(short) as server:
        said = vimrag("ask", QUESTION, "--root", root, "--endpoint", server.base_url)
    assert said.code == 0 and said.err.count("the server counted 600 tokens of a prompt") == 1
    assert "num_ctx" in said.err
    with QuietServer(reply) as honest:
        assert "counted" not in vimrag("ask", QUESTION, "--root", root, "--endpoint", honest.base_url).err


@pytest.mark.parametrize("inline", [True, False])
def test_a_reply_that_is_all_thought_is_given_more_room_once(vimrag: Vimrag, root: Path, inline: bool):
    thought = "Let me think. " * 30
    spent = Spoken(
        text="<think>" + thought if inline else "",
        reasoning="" if inline else thought,
        finish_reason="length",
    )
    with Odd(lambda received: spent if received.body["max_tokens"] == 100 else None) as server:
        said = vimrag(
            "ask", QUESTION, "--root", root, "--endpoint", server.base_url, "--max-tokens", 100, "--json"
        )
    assert said.code == 0 and server.requests[1].body["max_tokens"] == 400
    assert "all 100 tokens of the reply went into thinking" in said.json["notices"][0]
    with QuietServer(spent) as server:
        said = vimrag("ask", QUESTION, "--root", root, "--endpoint", server.base_url, "--max-tokens", 100)
    assert said.code == 1 and len(server.requests) == 2 and "all 400 tokens" in said.err
    assert "--max-tokens" in said.err


def test_a_forced_answer_in_plain_words_is_an_answer(vimrag: Vimrag, root: Path):
    def plain(received: Received) -> Reply | None:
        last = text_of(received.messages[-1])
        return "**Answer:** It opened in 1931." if "Answer now" in last else None

    with Odd(plain) as server:
        said = vimrag("ask", QUESTION, "--root", root, "--endpoint", server.base_url, "--calls", 3, "--json")
    assert (said.json["answer"], said.json["outcome"]) == ("It opened in 1931.", "forced")
    assert [citation["page"] for citation in said.json["citations"]] == [2]


@pytest.mark.parametrize("memory", ["vimrag", "react"])
def test_for_a_model_that_never_searches_the_question_is_looked_up_and_that_is_said(
    vimrag: Vimrag, root: Path, memory: str
):
    with Odd(lambda _: "It opened in 1931.") as server:
        arguments = ("ask", QUESTION, "--root", root, "--endpoint", server.base_url, "--memory", memory)
        said = vimrag(*arguments, "--json")
        told = vimrag(*arguments).err
    answer = said.json
    assert (answer["answer"], answer["outcome"]) == ("It opened in 1931.", "forced")
    # three replies that were no call, and the one that had to be an answer, which saw what was found
    assert (answer["counters"]["model_calls"], answer["counters"]["searches"]) == (4, 1)
    prompts = ["\n".join(map(text_of, request.messages)) for request in server.requests[:4]]
    assert ["lifts forty tons" in prompt for prompt in prompts] == [False, False, False, True]
    assert [claim["verdict"] for claim in answer["claims"]] == ["supported"]
    assert answer["citations"][0]["page"] == 2  # the rest was found and not used
    [notice] = answer["notices"]
    assert notice.startswith("the model asked for no search, so one was made for it")
    assert told.splitlines().count(f"  note: {notice}") == 1


def test_nothing_is_looked_up_for_a_model_that_searched_or_has_one_call(vimrag: Vimrag, root: Path):
    def plain_at_the_end(received: Received) -> Reply | None:
        return "It opened in 1931." if "n1 <-" in "".join(map(text_of, received.messages)) else None

    with Odd(plain_at_the_end) as server:
        searched = vimrag("ask", QUESTION, "--root", root, "--endpoint", server.base_url, "--json").json
    with Odd(lambda _: "It opened in 1931.") as server:
        arguments = ("ask", QUESTION, "--root", root, "--endpoint", server.base_url, "--calls", 1, "--json")
        at_once = vimrag(*arguments).json
    assert (searched["counters"]["searches"], searched["notices"]) == (1, [])
    assert (at_once["counters"]["searches"], at_once["notices"]) == (0, [])


def test_estimated_numbers_are_marked(vimrag: Vimrag, root: Path):
    def uncounted(received: Received) -> Reply:
        return Spoken(text=reply(received.messages).text, usage=False)

    with Odd(uncounted) as server:
        said = vimrag("ask", QUESTION, "--root", root, "--endpoint", server.base_url)
    assert " · about " in said.out.splitlines()[-1]


def test_what_the_probe_finds_is_told_from_words_and_remembered(tmp_path: Path):
    assert read_sight("Yellow and purple.").sees is True
    assert read_sight("<think>red?</think>Violet, gold").sees is True
    assert read_sight("I can't see images.").sees is False and read_sight("Red and blue").sees is False
    assert read_sight('<tool_call>{"name": "answer"}</tool_call>').sees is None
    memory = SightMemory(tmp_path)
    memory.keep("http://a/v1/", "m", sees=False)
    assert SightMemory(tmp_path).recall("http://a/v1", "m") is False
    assert memory.recall("http://a/v1", "other") is None
    (tmp_path / "vimrag" / "sight.json").write_text("[broken")
    assert memory.recall("http://a/v1", "m") is None


def test_the_probe_shows_two_colours_and_believes_a_refusal():
    def sees(received: Received) -> Reply:
        [picture] = received.images
        left, right = picture.getpixel((5, 100)), picture.getpixel((219, 100))
        return "yellow and purple" if left[0] > 200 > right[1] + 100 else "no idea"  # type: ignore[index,operator]

    async def ask(server: OpenAIServer) -> bool | None:
        client = ChatClient(ChatSettings(base_url=server.base_url))
        try:
            return (await probe_sight(client)).sees
        finally:
            await client.close()

    with Odd(sees) as server:
        assert asyncio.run(ask(server)) is True
    with Odd(lambda received: refused("does not support image input", 500)) as server:
        assert asyncio.run(ask(server)) is False


def test_calls_of_one_reply_that_share_an_index_stay_apart(vimrag: Vimrag, root: Path):
    act = parse(reply([{"role": "user", "content": QUESTION}]).text).action
    assert isinstance(act, Search) and not isinstance(act, Memorize | Answer)
    import json

    from infra.llm.assembly import ReplyAssembler

    first = json.dumps({"id": act.id, "parents": list(act.parents), "query": act.query})
    assembly = ReplyAssembler()
    for call_id, arguments in (("a", first), ("b", first.replace("crane", "other"))):
        function = {"name": "search", "arguments": arguments}
        delta = {"tool_calls": [{"index": 0, "id": call_id, "function": function}]}
        list(assembly.take({"choices": [{"index": 0, "delta": delta}]}))
    list(assembly.end())
    assert parse(assembly.text).action == act


def test_what_was_found_before_a_failure_is_kept(vimrag: Vimrag, root: Path):
    def breaks(received: Received) -> Reply | None:
        return refused("out of order") if "n1 <-" in received.text else None

    with Odd(breaks) as server:
        told = vimrag("ask", QUESTION, "--root", root, "--endpoint", server.base_url)
        as_json = vimrag("ask", QUESTION, "--root", root, "--endpoint", server.base_url, "--json")
    assert told.code == 1 and "It opened in 1931." in told.out and "out of order" in told.err
    found = as_json.json
    assert (as_json.code, found["outcome"], found["answer"]) == (1, "failed", "")
    assert found["nodes"][0]["summary"] == "It opened in 1931." and "out of order" in found["notices"][-1]


def test_a_model_that_falls_silent_is_waited_for_as_long_as_was_said(vimrag: Vimrag, root: Path):
    with Odd(lambda received: Fault(text="hm", then="stall") if "n1 <-" in received.text else None) as server:
        said = vimrag("ask", QUESTION, "--root", root, "--endpoint", server.base_url, "--timeout", 1)
    assert said.code == 1 and "fell silent" in said.err and "It opened in 1931." in said.out


def test_an_answer_is_printed_into_a_pipe_by_a_process_of_its_own(root: Path):
    with QuietServer(reply) as server:
        command = [
            sys.executable,
            "-m",
            "app.cli",
            "ask",
            QUESTION,
            "--root",
            str(root),
            "--endpoint",
            server.base_url,
        ]
        ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=100)
    assert ended.returncode == 0 and ended.stdout.startswith(f"{ANSWER} [1]"), ended.stderr
