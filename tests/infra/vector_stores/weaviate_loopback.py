"""A server on loopback that speaks Weaviate's protocol to the real client: enough of it to read what we send.

It keeps what is written and hands it back by id; it does not rank. Which objects it refuses, and how often, is told to it.
"""

from __future__ import annotations

import json
import struct
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
from weaviate.proto.v1 import batch_pb2, health_weaviate_pb2, search_get_pb2, weaviate_pb2_grpc


@dataclass
class Loopback:
    """What the server holds and what it was asked."""

    port: int = 0
    grpc_port: int = 0
    schema: dict[str, Any] = field(default_factory=dict)  # collection -> its definition
    aliases: dict[str, str] = field(default_factory=dict)
    objects: dict[str, dict[str, Any]] = field(default_factory=dict)  # collection -> uuid -> BatchObject
    searches: list[Any] = field(default_factory=list)
    refusals: Counter[str] = field(default_factory=Counter)  # uuid -> how many times it is still refused


class _Grpc(weaviate_pb2_grpc.WeaviateServicer):
    def __init__(self, state: Loopback) -> None:
        self.state = state

    def BatchObjects(self, request: Any, context: Any) -> Any:
        errors = []
        for at, given in enumerate(request.objects):
            if self.state.refusals[given.uuid] > 0:
                self.state.refusals[given.uuid] -= 1
                errors.append(batch_pb2.BatchObjectsReply.BatchError(index=at, error="shard is read-only"))
            else:
                self.state.objects.setdefault(given.collection, {})[given.uuid] = given
        return batch_pb2.BatchObjectsReply(took=0.1, errors=errors)

    def Search(self, request: Any, context: Any) -> Any:
        self.state.searches.append(request)
        reply = search_get_pb2.SearchReply(took=0.1)
        name = self.state.aliases.get(request.collection, request.collection)
        wanted = set(request.filters.value_text_array.values)
        for uuid, given in self.state.objects.get(name, {}).items():
            if wanted and uuid not in wanted:
                continue
            result = reply.results.add()
            result.metadata.id = uuid
            result.metadata.distance, result.metadata.distance_present = 0.25, True
            result.metadata.score, result.metadata.score_present = 1.5, True
            for vectors in given.vectors if request.metadata.vectors or request.metadata.vector else ():
                result.metadata.vectors.add().CopyFrom(vectors)
            for key, value in given.properties.non_ref_properties.items():
                kept = result.properties.non_ref_props.fields[key]
                if isinstance(value, str):
                    kept.text_value = value
                else:
                    kept.number_value = value
        return reply


class _Rest(BaseHTTPRequestHandler):
    state: Loopback

    def log_message(self, *_: object) -> None:
        return

    def _answer(self, status: int, body: Any = None) -> None:
        data = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _body(self) -> dict[str, Any]:
        return json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")

    def do_GET(self) -> None:
        kind, _, name = self.path.removeprefix("/v1/").split("?")[0].partition("/")
        if kind == "meta":
            return self._answer(200, {"version": "1.36.0", "hostname": "loopback", "modules": {}})
        if kind == "schema":
            if not name:
                return self._answer(
                    200, {"classes": [{"class": known, "vectorConfig": {}} for known in self.state.schema]}
                )
            found = self.state.schema.get(self.state.aliases.get(name, name))
            return self._answer(200, found) if found else self._answer(404)
        if kind == "aliases":
            target = self.state.aliases.get(name)
            return self._answer(200, {"alias": name, "class": target}) if target else self._answer(404)
        return self._answer(404)

    def do_POST(self) -> None:
        body = self._body()
        if self.path == "/v1/schema":
            self.state.schema[body["class"]] = body
        else:
            self.state.aliases[body["alias"]] = body["class"]
        self._answer(200, body)

    def do_PUT(self) -> None:
        body = self._body()
        self.state.aliases[self.path.rpartition("/")[2]] = body["class"]
        self._answer(200, body)

    def do_DELETE(self) -> None:
        self.state.schema.pop(self.path.rpartition("/")[2], None)
        self._answer(200)


def _health() -> grpc.GenericRpcHandler:
    reply = health_weaviate_pb2.WeaviateHealthCheckResponse
    check = grpc.unary_unary_rpc_method_handler(
        lambda request, context: reply(status=reply.SERVING),
        request_deserializer=health_weaviate_pb2.WeaviateHealthCheckRequest.FromString,
        response_serializer=reply.SerializeToString,
    )
    return grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": check})


@contextmanager
def loopback() -> Iterator[Loopback]:
    """The server, until the block ends."""
    state = Loopback()
    rest = ThreadingHTTPServer(("127.0.0.1", 0), type("Rest", (_Rest,), {"state": state}))
    threading.Thread(target=rest.serve_forever, daemon=True).start()
    server = grpc.server(ThreadPoolExecutor(4))
    weaviate_pb2_grpc.add_WeaviateServicer_to_server(_Grpc(state), server)
    server.add_generic_rpc_handlers((_health(),))
    state.port, state.grpc_port = rest.server_address[1], server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield state
    finally:
        server.stop(None)
        rest.shutdown()
        rest.server_close()


def floats(data: bytes) -> list[float]:
    """Little-endian float32 values."""
    return list(struct.unpack(f"<{len(data) // 4}f", data))
