"""A file server on 127.0.0.1 that misbehaves as it is told, request by request, and remembers what it was asked."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple


class Request(NamedTuple):
    path: str
    headers: dict[str, str]


@dataclass
class Served:
    """One file and its faults; a fault that counts down ends by itself."""

    body: bytes = b""
    etag: str = '"v1"'
    statuses: list[int] = field(
        default_factory=list
    )  # answered first, one a request; the last of them stays if ``forever``
    forever: bool = False
    headers: dict[str, str] = field(default_factory=dict)
    cut_after: list[int] = field(
        default_factory=list
    )  # bytes after which the connection is closed, one a request
    stall: list[int] = field(default_factory=list)  # bytes after which nothing more comes, one a request
    ignores_range: bool = False
    ignores_if_range: bool = False
    says_length: bool = True
    location: str = ""
    on_request: Callable[[Served], None] = lambda served: None


@dataclass
class FileServer:
    """What it serves by path, and the requests it got."""

    url: str
    files: dict[str, Served] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    def put(self, path: str, body: bytes = b"", **faults: object) -> Served:
        self.files[path] = Served(body=body, **faults)  # type: ignore[arg-type]
        return self.files[path]

    def asked(self, path: str) -> list[Request]:
        return [request for request in self.requests if request.path == path]


@contextmanager
def file_server() -> Iterator[FileServer]:
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    httpd.daemon_threads = True
    server = FileServer(f"http://127.0.0.1:{httpd.server_port}")
    httpd.shared = server  # type: ignore[attr-defined]
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        httpd.shutdown()
        httpd.server_close()


class _Handler(BaseHTTPRequestHandler):
    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, *, with_body: bool) -> None:
        server: FileServer = self.server.shared  # type: ignore[attr-defined]
        path = self.path.split("?")[0]
        server.requests.append(Request(path, {name.lower(): value for name, value in self.headers.items()}))
        served = server.files.get(self.path) or server.files.get(path)
        if served is None:
            self._plain(404)
            return
        served.on_request(served)
        if served.location:
            self._plain(302, {"Location": served.location})
        elif served.statuses:
            last = len(served.statuses) == 1 and served.forever
            self._plain(served.statuses[0] if last else served.statuses.pop(0), served.headers)
        else:
            self._send(served, server, with_body=with_body)

    def _plain(self, status: int, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send(self, served: Served, server: FileServer, *, with_body: bool) -> None:
        start = self._start(served)
        if start is not None and start >= len(served.body):
            self._plain(416, {"Content-Range": f"bytes */{len(served.body)}", "ETag": served.etag})
            return
        rest = served.body[start or 0 :]
        self.send_response(200 if start is None else 206)
        headers = {"Content-Type": "application/octet-stream", "ETag": served.etag, "Accept-Ranges": "bytes"}
        if start is not None:
            headers["Content-Range"] = f"bytes {start}-{len(served.body) - 1}/{len(served.body)}"
        if served.says_length:
            headers["Content-Length"] = str(len(rest))
        for name, value in {**headers, **served.headers}.items():
            if value:
                self.send_header(name, value)
        self.end_headers()
        if not with_body:
            return
        try:
            if served.stall:
                self.wfile.write(rest[: served.stall.pop(0)])
                self.wfile.flush()
                server.released.wait(20)
            elif served.cut_after:
                self.wfile.write(rest[: served.cut_after.pop(0)])
            else:
                self.wfile.write(rest)
        except OSError:
            pass
        self.close_connection = True

    def _start(self, served: Served) -> int | None:
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if match is None or served.ignores_range:
            return None
        condition = self.headers.get("If-Range")
        if condition not in (None, served.etag) and not served.ignores_if_range:
            return None
        return int(match.group(1))

    def log_message(self, format: str, *args: object) -> None:
        pass
