"""A real server on loopback that embeds: letters of texts and colours of pictures, or fails as told."""

from __future__ import annotations

import base64
import io
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
from PIL import Image

WIDTH = 16
JSON = dict[str, Any]
Answer = tuple[int, bytes, dict[str, str]]


@dataclass
class Request:
    path: str
    body: JSON
    headers: dict[str, str]


@dataclass
class EmbeddingServer:
    """``vision``: takes messages with images, and sees them; ``blind``: takes them and looks at nothing.

    ``faults`` are answered first, one a request; ``change`` alters each good answer before it is sent.
    """

    vision: bool = False
    blind: bool = False
    many_images: bool = True
    width: int = WIDTH
    faults: list[Answer] = field(default_factory=list)
    change: Callable[[JSON], object] = lambda answer: answer
    refuses: Callable[[str], bool] = lambda text: False
    requests: list[Request] = field(default_factory=list)

    def __enter__(self) -> EmbeddingServer:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.requests.append(Request(self.path, body, dict(self.headers)))
                self._send(*(outer.faults.pop(0) if outer.faults else outer._answer(body)))

            def do_GET(self) -> None:
                self._send(200, json.dumps({"data": [{"id": "tiny-embedder"}]}).encode(), {})

            def _send(self, status: int, data: bytes, headers: dict[str, str]) -> None:
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", **headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def _answer(self, body: JSON) -> Answer:
        if "messages" in body:
            return self._of_messages(body["messages"])
        texts = body["input"]
        if any(self.refuses(text) for text in texts):
            return refused("the input is too long for the context")
        return self._good([text_vector(text, self.width) for text in texts], sum(map(len, texts)))

    def _of_messages(self, messages: list[JSON]) -> Answer:
        if not (self.vision or self.blind):
            return refused("messages: Extra inputs are not permitted")
        parts = messages[1]["content"]
        images = [_decoded(part["image_url"]["url"]) for part in parts if part["type"] == "image_url"]
        if len(images) > 1 and not self.many_images:
            return refused("At most 1 image(s) may be provided in one prompt.")
        texts = [
            messages[0]["content"][0]["text"],
            *(part["text"] for part in parts if part["type"] == "text"),
        ]
        vector = text_vector("".join(texts), self.width)
        for place, image in enumerate([] if self.blind else images):
            vector = vector + (place + 1) * image_vector(image, self.width)
        return self._good([vector], 7)

    def _good(self, vectors: list[np.ndarray], tokens: int) -> Answer:
        data = [
            {"object": "embedding", "index": index, "embedding": vector.tolist()}
            for index, vector in enumerate(vectors)
        ]
        answer = self.change(
            {"object": "list", "data": data, "model": "m", "usage": {"prompt_tokens": tokens}}
        )
        return 200, answer if isinstance(answer, bytes) else json.dumps(answer).encode(), {}


def refused(message: str, status: int = 400, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return status, json.dumps({"error": {"message": message}}).encode(), named


def text_vector(text: str, width: int = WIDTH) -> np.ndarray:
    vector = np.full(width, 0.01)
    for letter in text:
        vector[ord(letter) % width] += 1
    return vector


def image_vector(image: Image.Image, width: int = WIDTH) -> np.ndarray:
    vector = np.zeros(width)
    vector[:3] = np.asarray(image, dtype=float).mean(axis=(0, 1))
    return vector


def _decoded(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.partition("base64,")[2]))).convert("RGB")
