"""Free ports of the loopback interface for the servers that tests start."""

from __future__ import annotations

import socket
import time


def free_ports(count: int) -> list[int]:
    """Free ports below 55,535, each with the one 10,000 above it, which some servers open as well."""
    ports: list[int] = []
    for candidate in range(20_000 + (time.time_ns() // 1000) % 20_000, 55_000):
        if _is_free(candidate) and _is_free(candidate + 10_000):
            ports.append(candidate)
            if len(ports) == count:
                return ports
    raise RuntimeError("no free ports")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
