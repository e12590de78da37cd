"""A server of the OpenAI chat protocol on loopback, told what to reply and how to fail.

    with OpenAIServer(replies=["first reply", Fault(status=429, headers={"Retry-After": "0"}), "second"]) as server:
        ...  # a client of server.base_url
    server.requests  # what it was asked, pictures decoded

A real HTTP server in threads: chunked transfer encoding, server-sent events cut at any byte, broken connections.
"""

from __future__ import annotations

import base64
import io
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import cycle
from typing import Any, Self, TypeAlias

from PIL import Image


@dataclass(frozen=True, kw_only=True)
class Spoken:
    """A reply in detail; a plain ``str`` is one with these defaults."""

    text: str
    reasoning: str = ""  # sent apart from the text, as ``reasoning_content``
    finish_reason: str | None = "stop"
    tokens: tuple[int, int] | None = None  # prompt and completion; None counts words and pictures
    usage: bool = True  # whether the server counts tokens at all
    piece_chars: int = 4  # of text in one chunk of a stream
    cuts: tuple[int, ...] = (1 << 20,)  # bytes of each write, repeated
    newline: str = "\n"
    comments: bool = False  # keep-alive comments between chunks
    done: bool = True  # whether ``[DONE]`` ends the stream
    ignores_stream: bool = False  # answers with one JSON object whatever is asked
    tool_calls: Sequence[Mapping[str, Any]] = ()  # taken out of the text, as servers with a tool parser do
    pause_s: float = 0.0  # between the chunks of a stream


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A way to fail. ``text`` is streamed first; then a status, raw bytes, an error object, silence or a broken line."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | str | Mapping[str, Any] = b""
    text: str = ""
    then: str = "body"  # "body" | "error" (object within a stream) | "stall" | "drop" | "end" (stream ends unfinished)


Messages: TypeAlias = Sequence[Mapping[str, Any]]
Answer: TypeAlias = str | Spoken | Fault
Scripted: TypeAlias = Answer | Callable[[Messages], Answer]


@dataclass(frozen=True, kw_only=True)
class Received:
    """One chat request as it came in."""

    body: Mapping[str, Any]
    authorization: str
    images: tuple[Image.Image, ...]  # in reading order
    at_once: int  # requests under way, this one included
    time_s: float  # monotonic

    @property
    def messages(self) -> Messages:
        return self.body["messages"]

    @property
    def text(self) -> str:
        """All text of all turns; a picture is ``[image]``."""
        return "\n".join(text_of(message) for message in self.messages)


def text_of(message: Mapping[str, Any]) -> str:
    """The text of one turn."""
    content = message["content"]
    if isinstance(content, str):
        return content
    return "".join(part["text"] if part["type"] == "text" else "[image]" for part in content)


class OpenAIServer:
    """The server; ``replies`` is one answer for every request, or answers in order (a request too many gets a 400).

    Args:
        replies: texts, functions of the messages, or faults.
        models: what ``GET /models`` lists; a request for another model gets a 404.
        key: refuse requests without it.
        refuses: parameters that get a 400 which names them.
    """

    def __init__(
        self,
        replies: Scripted | Sequence[Scripted] = "ok",
        *,
        models: Sequence[str] = ("test-model",),
        key: str | None = None,
        refuses: Sequence[str] = (),
    ) -> None:
        self._fixed = None if isinstance(replies, Sequence) and not isinstance(replies, str) else replies
        self._script = iter(()) if self._fixed is not None else iter(replies)  # type: ignore[arg-type]
        self.models, self.key, self.refuses = models, key, refuses
        self.requests: list[Received] = []
        self.listings = 0  # how often the models were asked for
        self.disconnects = 0  # replies that nobody waited for any more
        self.prompt_tokens = self.completion_tokens = 0  # of all complete replies that were counted
        self._lock = threading.Lock()
        self._under_way = 0
        self._closing = threading.Event()
        self._http: ThreadingHTTPServer | None = None

    @property
    def base_url(self) -> str:
        """For clients; ends in /v1."""
        assert self._http is not None, "the server is not running"
        return f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    @property
    def most_at_once(self) -> int:
        """The most requests that were under way together."""
        return max((each.at_once for each in self.requests), default=0)

    def respond(self, received: Received) -> Answer:
        """The answer to one request; a subclass may compute it."""
        with self._lock:
            line = self._fixed if self._fixed is not None else next(self._script, _USED_UP)
        return line(received.messages) if callable(line) else line

    def __enter__(self) -> Self:
        handler = type("Handler", (_Handler,), {"owner": self})
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._http.daemon_threads = True
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._http is not None
        self._closing.set()
        self._http.shutdown()
        self._http.server_close()

    @contextmanager
    def receiving(self, body: Mapping[str, Any], authorization: str) -> Iterator[Received]:
        """Book a request for as long as it is under way."""
        with self._lock:
            self._under_way += 1
            received = Received(
                body=body,
                authorization=authorization,
                images=tuple(_images(body.get("messages", ()))),
                at_once=self._under_way,
                time_s=time.monotonic(),
            )
            self.requests.append(received)
        try:
            yield received
        finally:
            with self._lock:
                self._under_way -= 1

    def count(self, usage: Mapping[str, int]) -> None:
        """Book the tokens of a complete reply."""
        with self._lock:
            self.prompt_tokens += usage["prompt_tokens"]
            self.completion_tokens += usage["completion_tokens"]

    def stall(self) -> None:
        """Say nothing until the server is closed."""
        self._closing.wait(timeout=60)


_USED_UP = Fault(status=400, body={"error": {"message": "the script of the test server is used up"}})


def _images(messages: Messages) -> Iterator[Image.Image]:
    for message in messages:
        for part in message["content"] if isinstance(message["content"], list) else ():
            if part["type"] == "image_url":
                head, _, data = part["image_url"]["url"].partition(",")
                assert head in ("data:image/png;base64", "data:image/jpeg;base64"), head
                yield Image.open(io.BytesIO(base64.b64decode(data)))


class _Handler(BaseHTTPRequestHandler):
    owner: OpenAIServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: object) -> None:
        return

    def do_GET(self) -> None:
        if self.path != "/v1/models":
            return self._json(404, {"detail": "Not Found"})
        self.owner.listings += 1
        if self._is_locked():
            return self._json(401, {"error": {"message": "no such key", "code": "invalid_api_key"}})
        self._json(
            200, {"object": "list", "data": [{"id": name, "object": "model"} for name in self.owner.models]}
        )

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path != "/v1/chat/completions":
            return self._json(404, {"detail": "Not Found"})
        with self.owner.receiving(body, self.headers.get("Authorization", "")) as received:
            refusal = self._refusal(body)
            if refusal is not None:
                return self._json(*refusal)
            try:
                self._answer(self.owner.respond(received), received)
            except (BrokenPipeError, ConnectionResetError):
                self.owner.disconnects += 1
                self.close_connection = True

    def _is_locked(self) -> bool:
        return self.owner.key is not None and self.headers.get("Authorization") != f"Bearer {self.owner.key}"

    def _refusal(self, body: Mapping[str, Any]) -> tuple[int, Mapping[str, Any]] | None:
        if self._is_locked():
            given = self.headers.get("Authorization")
            return 401, {
                "error": {"message": f"Incorrect API key provided: {given}", "code": "invalid_api_key"}
            }
        if body["model"] not in self.owner.models:
            return 404, {"error": {"message": f"The model `{body['model']}` does not exist.", "code": 404}}
        if named := next((name for name in self.owner.refuses if name in body), None):
            return 400, {"error": {"message": f"Unsupported parameter: '{named}'", "param": named}}
        return None

    def _answer(self, answer: Answer, received: Received) -> None:
        if isinstance(answer, Fault):
            return self._fail(answer)
        reply = Spoken(text=answer) if isinstance(answer, str) else answer
        usage = _usage(reply, received)
        if received.body.get("stream") and not reply.ignores_stream:
            self._stream(reply, usage, received.body)
        else:
            self._json(200, _completion(reply, usage, received.body["model"]))
        if reply.usage:
            self.owner.count(usage)

    def _stream(self, reply: Spoken, usage: Mapping[str, int], body: Mapping[str, Any]) -> None:
        counts = reply.usage and body.get("stream_options", {}).get("include_usage")
        self._start(200, {"Content-Type": "text/event-stream; charset=utf-8"})
        cuts = cycle(reply.cuts)
        end = reply.newline * 2
        pending = b""
        for chunk in _chunks(reply, usage if counts else None, body["model"]):
            comment = f": keep-alive{end}" if reply.comments else ""
            pending += (comment + f"data: {json.dumps(chunk, ensure_ascii=False)}{end}").encode()
            if reply.pause_s:
                time.sleep(reply.pause_s)
                self._chunk(pending)
                pending = b""
        pending += f"data: [DONE]{end}".encode() if reply.done else b""
        while pending:
            size = next(cuts)
            self._chunk(pending[:size])
            pending = pending[size:]
        self._chunk(b"")

    def _fail(self, fault: Fault) -> None:
        if fault.then == "body":
            data = fault.body if isinstance(fault.body, bytes | str) else json.dumps(fault.body)
            return self._send(fault.status, data.encode() if isinstance(data, str) else data, fault.headers)
        if fault.text or fault.then in ("error", "end"):
            self._start(200, {"Content-Type": "text/event-stream", **fault.headers})
            for chunk in _chunks(Spoken(text=fault.text, finish_reason=None), None, "test-model"):
                self._chunk(f"data: {json.dumps(chunk)}\n\n".encode())
        if fault.then == "stall":
            self.owner.stall()
        if fault.then == "error":
            self._chunk(f"data: {json.dumps(fault.body)}\n\n".encode())
        if fault.then in ("error", "end"):
            return self._chunk(b"")
        self._drop()

    def _drop(self) -> None:
        """Break the connection off with a reset."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
        self.connection.close()
        self.close_connection = True

    def _json(self, status: int, body: Mapping[str, Any]) -> None:
        self._send(status, json.dumps(body).encode(), {"Content-Type": "application/json"})

    def _send(self, status: int, data: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _start(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()


def _usage(reply: Spoken, received: Received) -> dict[str, int]:
    """Words count as tokens, a picture as one for every 32 x 32 pixels."""
    words = len(received.text.split()), len((reply.reasoning + " " + reply.text).split())
    pictures = sum(image.width * image.height // 1024 for image in received.images)
    prompt, completion = reply.tokens or (words[0] + pictures, words[1])
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def _completion(reply: Spoken, usage: Mapping[str, int], model: str) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": reply.text}
    if reply.reasoning:
        message["reasoning_content"] = reply.reasoning
    if reply.tool_calls:
        message["tool_calls"] = [{"type": "function", "function": dict(call)} for call in reply.tool_calls]
    choice = {"index": 0, "message": message, "finish_reason": reply.finish_reason}
    answer: dict[str, Any] = {"object": "chat.completion", "model": model, "choices": [choice]}
    return {**answer, "usage": usage} if reply.usage else answer


def _chunks(reply: Spoken, usage: Mapping[str, int] | None, model: str) -> Iterator[dict[str, Any]]:
    def chunk(delta: Mapping[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        return {"object": "chat.completion.chunk", "model": model, "choices": [choice]}

    yield chunk({"role": "assistant", "content": ""})
    for name, text in (("reasoning_content", reply.reasoning), ("content", reply.text)):
        for start in range(0, len(text), reply.piece_chars):
            yield chunk({name: text[start : start + reply.piece_chars]})
    for index, call in enumerate(reply.tool_calls):
        half = len(call["arguments"]) // 2
        for function in (
            {**call, "arguments": call["arguments"][:half]},
            {"arguments": call["arguments"][half:]},
        ):
            yield chunk({"tool_calls": [{"index": index, "function": function}]})
    if reply.finish_reason is not None:
        yield chunk({}, reply.finish_reason)
    if usage is not None:
        yield {"object": "chat.completion.chunk", "model": model, "choices": [], "usage": dict(usage)}
