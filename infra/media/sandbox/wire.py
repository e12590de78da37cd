"""What travels between a process and its decoding process: a JSON header and raw bytes, each with its length in front.

Nothing is pickled. The side that trusts the other less says how much it is willing to take before it reads.
"""

import json
import os
import select
import struct
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

LENGTHS = struct.Struct("!IQ")  # bytes of the header, bytes of everything behind it
MAX_HEADER_BYTES = 1 << 20
PIPE_BYTES = (
    1 << 20
)  # Linux grants this much to anyone: a page then takes some six turns of the two processes
EXIT_MEMORY = 77  # of a decoding process: not even the answer that there is no memory found room


class OperationResult(NamedTuple):
    """What an operation found: ``result`` is json-able; ``parts`` are made and sent one at a time."""

    result: dict[str, Any]
    sizes: tuple[int, ...] = ()
    parts: Iterable[Any] = ()


Operation = Callable[[dict[str, Any], bytes | None], OperationResult]
"""Takes the arguments of a job and its payload (None: it has none)."""


class WireError(Exception):
    """The other side closed the pipe, or sent what cannot be a message."""


class WireTimeout(Exception):
    """The other side was not done in time."""


class WireMessage(NamedTuple):
    """A message: ``header`` is its JSON object, ``parts`` are the bytes behind it."""

    header: dict[str, Any]
    parts: list[bytearray]


def send(
    fd: int,
    header: dict[str, Any],
    sizes: Sequence[int],
    parts: Iterable[Any],
    *,
    deadline: float | None = None,
) -> None:
    """Write a message whose parts, bytes or the like, have the given sizes; they are asked for one at a time.

    With a ``deadline`` (of ``time.monotonic``), ``fd`` must be non-blocking.

    Raises:
        WireError: if nobody reads any more.
        WireTimeout: if the deadline passes.
    """
    described = json.dumps(header | {"sizes": list(sizes)}).encode()
    _write(fd, LENGTHS.pack(len(described), sum(sizes)) + described, deadline)
    for size, part in zip(sizes, parts, strict=True):
        assert len(part) == size
        _write(fd, part, deadline)


def receive(fd: int, *, max_bytes: int, deadline: float | None = None) -> WireMessage:
    """Read a message of at most ``max_bytes`` behind its header.

    Raises:
        WireError: if the pipe ends, or the message is larger or malformed.
        WireTimeout: if the deadline passes.
    """
    header_bytes, total = LENGTHS.unpack(_read(fd, LENGTHS.size, deadline))
    if header_bytes > MAX_HEADER_BYTES or total > max_bytes:
        raise WireError(
            f"a message of {header_bytes} + {total} bytes, limit {MAX_HEADER_BYTES} + {max_bytes}"
        )
    try:
        header = json.loads(_read(fd, header_bytes, deadline))
        sizes = header.pop("sizes")
        fits = all(type(size) is int and size >= 0 for size in sizes) and sum(sizes) == total
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise WireError(f"a header that is none: {type(error).__name__}") from error
    if not fits:
        raise WireError("sizes that do not add up")
    return WireMessage(header, [_read(fd, size, deadline) for size in sizes])


def _write(fd: int, data: Any, deadline: float | None) -> None:
    left = memoryview(data)
    while left:
        _wait(fd, select.POLLOUT, deadline)
        try:
            left = left[os.write(fd, left) :]
        except BlockingIOError:
            continue
        except OSError as error:
            raise WireError(f"nobody reads: {error.strerror}") from error


def _read(fd: int, size: int, deadline: float | None) -> bytearray:
    data = bytearray(size)
    left = memoryview(data)
    while left:
        _wait(fd, select.POLLIN, deadline)
        count = os.readv(fd, [left])
        if not count:
            raise WireError("the pipe ended")
        left = left[count:]
    return data


def _wait(fd: int, event: int, deadline: float | None) -> None:
    if deadline is None:
        return
    poll = select.poll()
    poll.register(fd, event)
    if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
        raise WireTimeout
