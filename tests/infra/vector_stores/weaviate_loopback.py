"""A server on loopback that speaks Weaviate's protocol to the real client, for errors that a real one cannot be made to give.

It keeps what is written and does not search. Which objects it refuses, how often, and its version, is told to it.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
from weaviate.proto.v1 import batch_pb2, health_weaviate_pb2, weaviate_pb2_grpc

from infra.vector_stores.weaviate_collections import WeaviateAddress


@dataclass
class Loopback:
    """What the server holds, and what it refuses."""

    address: WeaviateAddress = field(default_factory=lambda: WeaviateAddress(url=""))
    version: str = "1.36.0"
    objects: dict[str, Any] = field(default_factory=dict)  # uuid -> BatchObject
    refusals: Counter[str] = field(default_factory=Counter)  # uuid -> how many times it is still refused
    reason: str = "vector lengths don't match"


class _Grpc(weaviate_pb2_grpc.WeaviateServicer):
    def __init__(self, state: Loopback) -> None:
        self.state = state

    def BatchObjects(self, request: Any, context: Any) -> Any:
        errors = []
        for at, sent in enumerate(request.objects):
            if self.state.refusals[sent.uuid] > 0:
                self.state.refusals[sent.uuid] -= 1
                errors.append(batch_pb2.BatchObjectsReply.BatchError(index=at, error=self.state.reason))
            else:
                self.state.objects[sent.uuid] = sent
        return batch_pb2.BatchObjectsReply(took=0.1, errors=errors)


class _Rest(BaseHTTPRequestHandler):
    state: Loopback

    def log_message(self, format: str, *args: Any) -> None:
        return

    def do_GET(self) -> None:
        is_meta = self.path.startswith("/v1/meta")
        body = json.dumps({"version": self.state.version, "hostname": "loopback", "modules": {}}).encode()
        self.send_response(200 if is_meta else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body) if is_meta else 0))
        self.end_headers()
        if is_meta:
            self.wfile.write(body)


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
    port = server.add_insecure_port("127.0.0.1:0")
    state.address = WeaviateAddress(url=f"http://127.0.0.1:{rest.server_address[1]}", grpc_port=port)
    server.start()
    try:
        yield state
    finally:
        server.stop(None)
        rest.shutdown()
        rest.server_close()
