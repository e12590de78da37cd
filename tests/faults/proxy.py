"""A proxy before an S3 server that sees each request of one process, and acts when the point is reached.

Requests are passed on as they are, one after another a connection; what comes back is passed on unread. The request that the
process is hurt at is passed on after the act, unless the act takes away who would answer it or who asks.
"""

from __future__ import annotations

import re
import signal
import socket
import socketserver
from threading import Lock, Thread
from typing import Any

from tests.faults import acts
from tests.faults.orders import Act, Point

CHUNK = 1 << 16


class Proxy:
    """Listens on a free port of the loopback interface; ``endpoint`` is what the process is told."""

    def __init__(self, server_port: int) -> None:
        self._server_port, self._lock = server_port, Lock()
        self._point: Point | None = None
        self._act: Act | None = None
        self.hurt = 0
        """The process that is hurt."""
        self.struck = False
        proxy = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                proxy._serve(self.request)

        self._server = _Server(("127.0.0.1", 0), Handler)
        Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def endpoint(self) -> str:
        """As a URL."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def arm(self, point: Point | None, act: Act | None) -> None:
        """Act at the first request that is at the point; uploads are cut from then on, for clients try again."""
        self._point, self._act, self.struck, self.hurt = point, act, False, 0

    def close(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()

    def _serve(self, client: socket.socket) -> None:
        try:
            with socket.create_connection(("127.0.0.1", self._server_port), timeout=60) as server, client:
                Thread(target=_pump, args=(server, client), daemon=True).start()
                while head := _head(client):
                    body = _length(head)
                    act = self._due(head)
                    if act is None:
                        _pass(client, server, head, body)
                        continue
                    acts.do(act, hurt=self.hurt)
                    if act.kind == "cut":
                        _pass(client, server, head, body // 2)
                        return
                    if act.kind == "signal" and act.number == signal.SIGKILL and not act.pid:
                        return
                    _pass(client, server, head, body)
        except OSError:
            return  # either side is gone

    def _due(self, head: bytes) -> Act | None:
        point, act = self._point, self._act
        if point is None or act is None:
            return None
        method, path = head.split(b" ", 2)[:2]
        if method.decode() != point.event or not re.search(point.path, path.decode().partition("?")[0]):
            return None
        with self._lock:
            first, self.struck = not self.struck, True
        return act if first or act.kind == "cut" else None


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """The process that is hurt hangs up; nobody wants to read of it."""


def _head(client: socket.socket) -> bytes:
    """Request line and headers; empty if there is no other request."""
    head = bytearray()
    while not head.endswith(b"\r\n\r\n"):
        if not (byte := client.recv(1)):
            return b""
        head += byte
    return bytes(head)


def _length(head: bytes) -> int:
    found = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
    return int(found[1]) if found else 0


def _pass(client: socket.socket, server: socket.socket, head: bytes, body: int) -> None:
    server.sendall(head)
    while body:
        data = client.recv(min(CHUNK, body))
        if not data:
            return
        server.sendall(data)
        body -= len(data)


def _pump(server: socket.socket, client: socket.socket) -> None:
    try:
        while data := server.recv(CHUNK):
            client.sendall(data)
    except OSError:
        pass
    finally:
        for side in (server, client):
            try:
                side.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
