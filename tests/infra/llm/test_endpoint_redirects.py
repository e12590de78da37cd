"""An endpoint that sends elsewhere is not followed: neither the question nor the key reaches another server."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from infra.errors import ExternalError
from infra.llm.client import ChatClient
from infra.llm.tokens.client import TokenClient
from infra.llm.tokens.types import TokenServerSettings
from infra.llm.types import ChatSettings, Decoding

KEY = "key-Of.Mine"


@pytest.fixture
def sender() -> Iterator[tuple[str, list[str]]]:
    """A server that redirects everything to a second one, and what the second one was asked."""
    asked: list[str] = []

    class Second(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(f"{self.path} {self.headers.get('Authorization')}")
            self.send_response(200)
            self.end_headers()

        do_POST = do_GET

        def log_message(self, format: str, *args: object) -> None:
            return

    second = ThreadingHTTPServer(("127.0.0.1", 0), Second)

    class First(Second):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(307)
            self.send_header("Location", f"http://127.0.0.1:{second.server_address[1]}{self.path}")
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_POST = do_GET

    first = ThreadingHTTPServer(("127.0.0.1", 0), First)
    for server in (first, second):
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield f"http://127.0.0.1:{first.server_address[1]}/v1", asked
    for server in (first, second):
        server.shutdown()
        server.server_close()


def test_neither_questions_nor_tokens_follow_a_redirect(sender: tuple[str, list[str]]):
    url, asked = sender

    async def both() -> None:
        chat = ChatClient(ChatSettings(base_url=url, api_key=KEY, model="m", retries=0))
        with pytest.raises(ExternalError):
            await chat.complete(
                [{"role": "user", "content": "private"}], Decoding(temperature=0, top_p=1, max_tokens=4)
            )
        tokens = TokenClient(TokenServerSettings(base_url=url, api_key=KEY))
        with pytest.raises(ExternalError):
            await tokens.models()
        await tokens.close()

    asyncio.run(both())
    assert asked == []
