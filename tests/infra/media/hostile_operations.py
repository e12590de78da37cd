"""What a decoder that was broken, or taken over, by its file may do; run in a real decoding process."""

from __future__ import annotations

import ctypes
import json
import os
import select
import socket
from functools import partial
from pathlib import Path
from typing import Any

from infra.media.sandbox.wire import OperationResult

_KEPT: list[bytearray] = []


def allocate(arguments: dict[str, Any], payload: bytes | None) -> OperationResult:
    while True:
        _KEPT.append(bytearray(1 << 24))


def spin(arguments: dict[str, Any], payload: bytes | None) -> OperationResult:
    while True:
        pass


def hang(arguments: dict[str, Any], payload: bytes | None) -> OperationResult:
    if fifo := arguments.get("fifo"):
        os.close(os.open(fifo, os.O_WRONLY))  # whoever reads it knows that the job has begun
    select.select([], [], [])
    return OperationResult({})


def segfault(arguments: dict[str, Any], payload: bytes | None) -> OperationResult:
    ctypes.string_at(0)
    return OperationResult({})


def leave(arguments: dict[str, Any], payload: bytes | None) -> OperationResult:
    os._exit(arguments["code"])


def fail(arguments: dict[str, Any], payload: bytes | None) -> OperationResult:
    raise ZeroDivisionError("x" * 10_000)


def echo(arguments: dict[str, Any], payload: bytes | None) -> OperationResult:
    data = payload or b""
    return OperationResult({"pid": os.getpid()}, (len(data),), (data,))


def claim(arguments: dict[str, Any], payload: bytes | None) -> OperationResult:
    """A result that says one thing, and parts that are another."""
    sizes = arguments["sizes"]
    return OperationResult(arguments["result"], tuple(sizes), (bytes(size) for size in sizes))


def lie(arguments: dict[str, Any], payload: bytes | None) -> OperationResult:
    """What the payload, which is JSON, wants to be claimed."""
    return claim(json.loads(payload or b""), None)


def obey(name: str, arguments: dict[str, Any], payload: bytes | None) -> OperationResult:
    """What the end of a file, "obey:<operation>", tells; of a file that tells nothing the real operation ``name``."""
    if payload is not None:
        return lie(arguments, payload)
    _, told, deed = Path(arguments["path"]).read_bytes().rpartition(b"obey:")
    if told:
        return OPERATIONS[deed.decode()]({}, None)
    from infra.media.sandbox import operations

    return operations.OPERATIONS[name](arguments, payload)


def refuse_to_read(arguments: dict[str, Any], payload: bytes | None) -> OperationResult:
    return OperationResult({"failed": "OCR: no engine"})


def look_around(arguments: dict[str, Any], payload: bytes | None) -> OperationResult:
    return OperationResult(
        {
            "environment": sorted(os.environ),
            "descriptors": [os.readlink(f"/proc/self/fd/{name}") for name in _descriptors()],
            "directory": os.getcwd(),
        }
    )


def _descriptors() -> list[str]:
    return [name for name in os.listdir("/proc/self/fd") if os.path.lexists(f"/proc/self/fd/{name}")]


def write(arguments: dict[str, Any], payload: bytes | None) -> OperationResult:
    with open(arguments["path"], "wb") as file:
        file.write(b"x")
    return OperationResult({})


def open_many(arguments: dict[str, Any], payload: bytes | None) -> OperationResult:
    return OperationResult({"sockets": len([socket.socket() for _ in range(1_000)])})


OPERATIONS = {
    "allocate": allocate,
    "spin": spin,
    "hang": hang,
    "segfault": segfault,
    "leave": leave,
    "fail": fail,
    "echo": echo,
    "claim": claim,
    "look_around": look_around,
    "write": write,
    "open_many": open_many,
    **dict.fromkeys(("decode", "open_pdf", "page"), lie),
    **{name: partial(obey, name) for name in ("probe", "frames", "clip")},
    "read": refuse_to_read,
}
