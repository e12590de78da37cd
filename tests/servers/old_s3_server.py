"""An S3 server in memory with the manners of stores that know no checksum headers, for as long as a block lasts."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape


@dataclass
class OldS3:
    """What it holds by ``bucket/key``, and the headers that it refused."""

    url: str = ""
    objects: dict[str, bytes] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)


@contextmanager
def old_s3_server() -> Iterator[OldS3]:
    store = OldS3()
    http = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"store": store}))
    http.daemon_threads = True
    store.url = f"http://127.0.0.1:{http.server_port}"
    threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield store
    finally:
        http.shutdown()
        http.server_close()


class _Handler(BaseHTTPRequestHandler):
    store: OldS3
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        return

    def _send(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _refuse(self, status: int, code: str) -> None:
        self._send(status, f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode())

    def _key(self) -> str:
        return unquote(urlsplit(self.path).path).lstrip("/")

    def _taken(self) -> bytes | None:
        """The body; None, answered with 400, if a header of it is newer than this store."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        new = [name for name in self.headers if name.lower().startswith(("x-amz-checksum", "x-amz-trailer"))]
        if new or "aws-chunked" in (self.headers.get("Content-Encoding") or ""):
            self.store.refused += new or ["aws-chunked"]
            self._refuse(400, "InvalidRequest")
            return None
        return body

    def do_PUT(self) -> None:
        if (body := self._taken()) is not None:
            self.store.objects[self._key()] = body
            self._send(200, ETag=_tag(body))

    def do_POST(self) -> None:
        if self._taken() is not None:
            self._refuse(501, "NotImplemented")

    def do_DELETE(self) -> None:
        self.store.objects.pop(self._key(), None)
        self._send(204)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        bucket, _, name = self._key().partition("/")
        if not name:
            return self._send(200, self._listing(bucket))
        if (found := self.store.objects.get(f"{bucket}/{name}")) is None:
            return self._refuse(404, "NoSuchKey")
        self._send(200, found, ETag=_tag(found), Last_Modified="Fri, 17 May 2024 10:00:00 GMT")

    def _listing(self, bucket: str) -> bytes:
        asked = parse_qs(urlsplit(self.path).query, keep_blank_values=True)
        prefix, cut = asked.get("prefix", [""])[0], asked.get("delimiter", [""])[0]
        rows, folders = "", set()
        for key, data in sorted(self.store.objects.items()):
            name = key.removeprefix(f"{bucket}/")
            if name == key or not name.startswith(prefix):
                continue
            if cut and cut in name[len(prefix) :]:
                folders.add(prefix + name[len(prefix) :].partition(cut)[0] + cut)
                continue
            rows += (
                f"<Contents><Key>{escape(name)}</Key><LastModified>2024-05-17T10:00:00.000Z</LastModified>"
            )
            rows += f"<ETag>{_tag(data)}</ETag><Size>{len(data)}</Size></Contents>"
        rows += "".join(
            f"<CommonPrefixes><Prefix>{escape(f)}</Prefix></CommonPrefixes>" for f in sorted(folders)
        )
        head = f"<Name>{bucket}</Name><Prefix>{escape(prefix)}</Prefix><IsTruncated>false</IsTruncated>"
        return f"<ListBucketResult>{head}{rows}</ListBucketResult>".encode()


def _tag(data: bytes) -> str:
    return f'"{hashlib.md5(data).hexdigest()}"'
