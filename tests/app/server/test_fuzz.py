"""Ten thousand odd requests against the application itself: every one is answered, in order and in words."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

import pytest
from starlette.types import ASGIApp, Message

from app.answers.corpus_handle import CorpusHandle
from app.server.application import create_app
from app.server.settings import ServerSettings
from app.server.state import ServerState
from infra.storage.root import Storage
from memory_graph.actions import Answer, render
from model.agent.context import estimate_tokens
from model.agent.prompts import FULL
from model.rl import trajectory_store
from model.types import Completion, Sampling
from tests.app.server.stored import trajectory

REQUESTS = 10_000
ANSWER_S = 20.0  # a request that takes longer hangs
GROWTH_KB = 150 * 1024  # of memory, once the libraries have theirs
WARM_UP = 1_500

PATHS = (
    *("/", "/viewer", "/static/index.html", "/static/nothing.js", "/docs", "/openapi.json", "/v1/status"),
    *("/v1/ask", "/v1/search", "/search", "/v1/media", "/v1/items/documents:text:note-txt", "/v1/runs"),
    *("/v1/trajectories", "/v1/trajectory", "/v1/files/a.bin", "/v1/files/", "/v1", "/favicon.ico"),
)
METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE", "get", "FOO")
TEXTS = (
    *(
        "",
        "crane",
        "a" * 9_000,
        "\x00",
        "nul\x00inside",
        "\ud800",
        "\udfff\ud800",
        "\ufeff",
        "\u202e",
        "..",
        "../../etc/passwd",
    ),
    *(
        "%00",
        "%ff",
        "😀" * 50,
        "' OR 1=1 --",
        "{{7*7}}",
        "${x}",
        "<script>",
        "\r\nX: y",
        "NaN",
        "null",
        "study/a.parquet",
    ),
    *("documents", "vimrag", "react", "right", "documents:text:none", "1" * 400),
)
NUMBERS: tuple[Any, ...] = (0, -1, 1, 3, 10**6, 2**31, 2**63, -(2**63), 10**30, 1.5, -0.0, 1e308, True, None)
ODD_JSON = (
    *(
        b"",
        b"{",
        b"null",
        b"[]",
        b'""',
        b"0",
        b"{}",
        b"NaN",
        b"Infinity",
        b'{"a":',
        b"\xff\xfe",
        b"\xef\xbb\xbf{}",
        b"\x00",
    ),
    b"[" * 60_000,
    b'{"question":' * 5_000,
    b'{"question":"q","calls":' + b"9" * 5_000 + b"}",
    b'{"question":"q","calls":1e999}',
    b'{"query":"\\ud800","top_k":1}',
    b'{"query":"\\u0000","top_k":1}',
    b'{"query":"a","query":"b"}',
    b'{"queries":[' + b'"a",' * 10_000 + b'"a"]}',
    '{"query":"é"}'.encode("utf-16"),
    '{"query":"é"}'.encode("latin-1"),
    b"query=a&top_k=1",
    b'{"query":"a"}' + b" " * 65_536,
    b"\x1f\x8b\x08\x00" + b"\x00" * 100,
)
CONTENT_TYPES = (
    *(
        b"application/json",
        b"application/json; charset=utf-16",
        b"text/plain",
        b"multipart/form-data; boundary=x",
        b"",
    ),
    *(
        b"application/x-www-form-urlencoded",
        b"application/problem+json",
        b"\xff\xfe",
        b"application/json" * 100,
    ),
)
HEADERS: tuple[tuple[bytes, bytes], ...] = (
    *(
        (b"authorization", value)
        for value in (b"Bearer", b"Bearer \xff", b"Basic Og==", b"Bearer " + b"a" * 5_000)
    ),
    *(
        (b"cookie", value)
        for value in (b"vimrag_session=\xff", b";;;=", b"a=b; " * 500, b'vimrag_session="\\777"')
    ),
    *((b"if-none-match", value) for value in (b"*", b'"', b"W/" * 300, b"\xff")),
    *(
        (b"origin", value)
        for value in (b"null", b"http://localhost", b"http://[", b"\xff", b"http://evil.example")
    ),
    *(
        (b"host", value)
        for value in (b"", b"evil.example", b"[", b"[::1", b"127.0.0.1:99999999", b"\xff", b"a" * 300)
    ),
    *((b"content-length", value) for value in (b"-1", b"0", b"9" * 30, b"\xb2", b"1_0", b"70000")),
    *((b"accept", b"text/html"), (b"transfer-encoding", b"chunked"), (b"content-encoding", b"gzip")),
    *(
        (b"sec-fetch-site", b"cross-site"),
        (b"range", b"bytes=0-1"),
        (b"expect", b"100-continue"),
        (b"x-\xff", b"\xff"),
    ),
)
QUERY_NAMES = (
    "file",
    "row",
    "offset",
    "limit",
    "verdict",
    "memory",
    "dataset",
    "outcome",
    "q",
    "item",
    "t",
    "width",
    "height",
    "token",
    "x",
)


BODIES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("/v1/ask", {"question": "Which year?", "memory": "vimrag", "calls": 3, "datasets": ["documents"]}),
    ("/v1/search", {"query": "crane", "top_k": 2, "datasets": ["documents"]}),
    ("/search", {"queries": ["crane", "mill"], "top_k": 2, "search_corpus": "documents", "vrag_ret": False}),
)
QUERIES: tuple[tuple[str, dict[str, str]], ...] = (
    ("/v1/media", {"item": "ITEM", "width": "20", "height": "20", "t": "1"}),
    (
        "/v1/trajectories",
        {"file": "study/a.parquet", "offset": "0", "limit": "5", "verdict": "right", "q": "year"},
    ),
    ("/v1/trajectory", {"file": "study/a.parquet", "row": "0"}),
)
"""Requests that are right; ITEM stands for the id of an item."""


class Odd(NamedTuple):
    """One request as a server would hand it to the application."""

    method: str
    path: str
    query: bytes
    headers: list[tuple[bytes, bytes]]
    body: list[bytes]


class Said(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


class Parrot:
    """A model in this process that answers at once."""

    name, profile, sampling, fingerprint = "parrot", FULL, Sampling(), "parrot"
    sees, sight = True, None

    def policy(self, media: object) -> Parrot:
        return self

    async def complete(self, request: object) -> Completion:
        return Completion(text=render(Answer(parents=("root",), text="so")))

    def count_tokens(self, turns: Any, /) -> int:
        return estimate_tokens(turns)

    def cost(self, prompt_tokens: int, completion_tokens: int) -> float | None:
        return None

    async def close(self) -> None:
        return None


def value(draw: random.Random, depth: int = 0) -> Any:
    """Any JSON value, small most of the time."""
    kind = draw.randrange(8 if depth < 4 else 5)
    if kind < 3:
        return draw.choice(TEXTS)
    if kind < 5:
        return draw.choice(NUMBERS)
    inner = [value(draw, depth + 1) for _ in range(draw.randrange(4))]
    return inner if kind < 7 else {draw.choice(TEXTS): each for each in inner}


def body(draw: random.Random) -> bytes:
    """JSON that is nearly right, or hardly."""
    if draw.random() < 0.25:
        return draw.choice(ODD_JSON)
    if draw.random() < 0.1:
        return draw.randbytes(draw.randrange(200))
    names = (
        "question",
        "query",
        "queries",
        "top_k",
        "memory",
        "calls",
        "datasets",
        "search_corpus",
        "vrag_ret",
        "x",
    )
    fields = {name: value(draw) for name in draw.sample(names, draw.randrange(4))}
    if draw.random() < 0.5:
        fields |= draw.choice(({"question": "Which?"}, {"query": "crane"}, {"queries": ["crane", "\x00"]}))
    if draw.random() < 0.3:
        fields["datasets"] = draw.choice((["documents"], ["documents", "squad"], [], [""], None))
    text = json.dumps(fields, ensure_ascii=draw.random() < 0.9)
    data = text.encode("utf-8", errors="surrogatepass")
    return data[: draw.randrange(len(data))] if draw.random() < 0.1 else data


def query(draw: random.Random) -> bytes:
    parts = []
    for _ in range(draw.randrange(5)):
        name = draw.choice(QUERY_NAMES)
        given = draw.choice(
            (*TEXTS, *map(str, NUMBERS), "-1", "1e9", "0x1", "nan", "study/a.parquet", "0", "1")
        )
        raw = given.encode("utf-8", errors="surrogatepass").replace(b"&", b"%26")
        parts.append(name.encode() + b"=" + raw[:2_000].replace(b"#", b"%23").replace(b" ", b"+"))
    return b"&".join(parts)


def path(draw: random.Random) -> str:
    known = draw.choice(PATHS)
    if draw.random() < 0.7:
        return known
    text = draw.choice(TEXTS).encode("utf-8", errors="replace").decode()
    odd = (
        known + "/",
        "/" + known,
        known + text,
        known + "/" + text,
        known.replace("v1", text),
        "//",
        text,
        known.upper(),
    )
    return draw.choice(odd)[:3_000] or "/"


def nearly_right(draw: random.Random, item: str) -> Odd:
    """A request that is right but for one value, if that."""
    headers = [(b"host", b"localhost"), (b"content-type", b"application/json")]
    if draw.random() < 0.5:
        given, fields = draw.choice(BODIES)
        if draw.random() < 0.7:
            fields = fields | {draw.choice(list(fields)): value(draw)}
        data = json.dumps(fields).encode()
        return Odd("POST", given, b"", headers, [data])
    given, texts = draw.choice(QUERIES)
    texts = {name: item if text == "ITEM" else text for name, text in texts.items()}
    if draw.random() < 0.7:
        odd = draw.choice((*TEXTS, *map(str, NUMBERS)))
        texts |= {draw.choice(list(texts)): odd}
    raw = "&".join(f"{name}={quote(text, errors='replace')}" for name, text in texts.items())
    return Odd("GET", given, raw.encode(), headers, [b""])


def request(draw: random.Random) -> Odd:
    """A request that is wrong in any number of ways."""
    given = path(draw)
    usual = {"/v1/ask": "POST", "/v1/search": "POST", "/search": "POST", "/v1/files/a.bin": "PUT"}.get(
        given, "GET"
    )
    method = usual if draw.random() < 0.8 else draw.choice(METHODS)
    headers = [(b"host", b"localhost")] if draw.random() < 0.95 else []
    if draw.random() < 0.9:
        headers.append(
            (b"content-type", b"application/json" if draw.random() < 0.7 else draw.choice(CONTENT_TYPES))
        )
    headers += draw.sample(HEADERS, draw.choice((0, 0, 0, 0, 1, 2)))
    whole = body(draw) if method not in ("GET", "HEAD") or draw.random() < 0.05 else b""
    cut = draw.randrange(len(whole) + 1)
    return Odd(method, unquote(given), query(draw), headers, [whole[:cut], whole[cut:]])


async def send(app: ASGIApp, odd: Odd) -> Said:
    """Through the interface that the server uses; what is sent has to be a whole response."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": odd.method,
        "scheme": "http",
        "path": odd.path,
        "raw_path": odd.path.encode("utf-8", errors="replace"),
        "query_string": odd.query,
        "root_path": "",
        "headers": odd.headers,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "state": {},
    }
    parts = [
        {"type": "http.request", "body": part, "more_body": index + 1 < len(odd.body)}
        for index, part in enumerate(odd.body)
    ]
    sent: list[Message] = []

    async def receive() -> Message:
        if parts:
            return parts.pop(0)
        await asyncio.Event().wait()  # the client stays
        raise AssertionError

    async def take(message: Message) -> None:
        sent.append(message)

    async with asyncio.timeout(ANSWER_S):
        await app(scope, receive, take)
    start, *rest = sent
    assert start["type"] == "http.response.start" and not rest[-1].get("more_body"), sent
    headers = {name.decode("latin-1"): text.decode("latin-1") for name, text in start["headers"]}
    return Said(start["status"], headers, b"".join(each.get("body", b"") for each in rest))


def check(odd: Odd, said: Said) -> None:
    """An answer, or an error object; never a failure of the server."""
    assert said.status < 500 or said.status == 503, (odd, said)
    assert "content-security-policy" in said.headers
    if said.status >= 400 and odd.method != "HEAD":
        error = json.loads(said.body)["error"]
        assert set(error) == {"code", "message"} and error["code"] and error["message"], (odd, said)
        assert len(said.body) < 4_000 and "Traceback" not in error["message"], said


def resident_kb() -> int:
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))


async def bombard(app: ASGIApp, requests: Sequence[Odd]) -> Counter[int]:
    statuses: Counter[int] = Counter()
    grown_from = 0
    for number, odd in enumerate(requests):
        if number == WARM_UP:
            grown_from = resident_kb()
        said = await send(app, odd)
        check(odd, said)
        statuses[said.status] += 1
    assert resident_kb() - grown_from < GROWTH_KB
    return statuses


@pytest.mark.timeout(600)
def test_ten_thousand_odd_requests_are_all_answered(root: Path, tmp_path: Path):
    copy = tmp_path / "root"
    shutil.copytree(root, copy)
    trajectory_store.write(copy / "trajectories" / "study" / "a.parquet", [trajectory(0, correct=True)])
    draw = random.Random(2602)
    corpus = CorpusHandle(Storage(str(copy)))
    item = corpus.snapshot().index.search("crane")[0].item_id
    requests = [nearly_right(draw, item) if draw.random() < 0.4 else request(draw) for _ in range(REQUESTS)]

    async def run() -> tuple[Counter[int], int]:
        state = ServerState(corpus=corpus, model=Parrot(), settings=ServerSettings(keep_alive_s=5))
        statuses = await bombard(create_app(state), requests)
        return statuses, state.questions.free

    statuses, free = asyncio.run(run())
    assert free == ServerSettings().questions_at_once  # every place was given back
    assert {200, 400, 403, 404, 405, 413} <= set(statuses), statuses  # it went everywhere
    assert statuses[200] > 1_000, statuses
