"""Asking a running server: first for its proof, then for what a command wants. Standard library only.

Everything that goes wrong means that there is no server to ask; the command then does the work itself.
"""

import contextlib
import hmac
import http.client
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from app.answers.running.announcement import Announcement, announcements, proof

TOKEN_VARIABLE = "VIMRAG_TOKEN"
HELLO = "/v1/hello"
HELLO_S = 2.0  # a server that is busy decoding still answers this
SEARCH_S = 120.0
MOST_BYTES = 64 * 1024 * 1024
EVENT_LINE_BYTES = 16 * 1024 * 1024


class NoServerError(Exception):
    """The server did not do what was asked."""


class RunningServer(NamedTuple):
    """A server that has proved to be the one of its file. The token is that of this process's environment."""

    url: str
    token: str

    def search(self, body: Mapping[str, Any]) -> list[dict[str, Any]]:
        """``POST /v1/search``. Raises ``NoServerError`` for anything but hits."""
        try:
            with self._post("/v1/search", body, SEARCH_S) as response:
                return list(json.loads(response.read(MOST_BYTES))["hits"])
        except (OSError, ValueError, KeyError, TypeError, http.client.HTTPException) as error:
            raise NoServerError(str(error)) from error

    def ask(self, body: Mapping[str, Any], silence_s: float) -> Iterator[dict[str, Any]]:
        """The events of ``POST /v1/ask``. Raises ``NoServerError`` if they do not begin, or break off."""
        try:
            with self._post("/v1/ask", body, silence_s) as response:
                while line := response.readline(EVENT_LINE_BYTES):
                    if line.startswith(b"data: "):
                        yield json.loads(line[len(b"data: ") :])
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise NoServerError(str(error)) from error

    @contextlib.contextmanager
    def _post(
        self, path: str, body: Mapping[str, Any], timeout_s: float
    ) -> Iterator[http.client.HTTPResponse]:
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        with contextlib.closing(_connection(self.url, timeout_s)) as connection:
            connection.request("POST", path, json.dumps(dict(body)).encode(), headers)
            response = connection.getresponse()
            if response.status != 200:
                raise NoServerError(_reason(response))
            yield response


def running_server(root: str) -> RunningServer | None:
    """The server that runs over a local root, if there is one that proves it."""
    if "://" in root:
        return None
    for said in announcements(Path(root).expanduser()):
        if _proves(said):
            return RunningServer(said.url, os.environ.get(TOKEN_VARIABLE, ""))
    return None


def _proves(said: Announcement) -> bool:
    nonce = secrets.token_hex(16)
    try:
        with contextlib.closing(_connection(said.url, HELLO_S)) as connection:
            connection.request("GET", f"{HELLO}?nonce={quote(nonce)}")
            response = connection.getresponse()
            answer = json.loads(response.read(10_000)) if response.status == 200 else {}
        return hmac.compare_digest(str(answer.get("proof", "")), proof(said.key, nonce))
    except (OSError, ValueError, AttributeError, http.client.HTTPException):
        return False


def _connection(url: str, timeout_s: float) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout_s)


def _reason(response: http.client.HTTPResponse) -> str:
    try:
        return str(json.loads(response.read(10_000))["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return f"status {response.status}"
