"""A decoder that does what its files tell it to, and the ways in which one breaks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from infra.media import MediaDecoder, jobs
from infra.media.sandbox.process import JobLimits, Sandbox

WAYS = [
    ("segfault", "decoder_crashed"),
    ("spin", "too_slow"),
    ("hang", "too_slow"),
    ("allocate", "too_much_memory"),
]
"""What a file makes its decoder do, and the reason that it is refused with."""


def breaking(video: bytes, deed: str) -> bytes:
    """A video that looks whole and breaks the decoder."""
    return video + b"obey:" + deed.encode()


@contextmanager
def obedient_decoder(monkeypatch: pytest.MonkeyPatch, deed: str) -> Iterator[MediaDecoder]:
    """A real decoding process with little processor time for a job, and little time of any kind for one that waits."""
    limits = JobLimits(cpu_s=2.0, wall_s=5.0 if deed == "hang" else 60.0, memory_bytes=3 << 29)
    monkeypatch.setattr(jobs, "LONG", limits)
    sandbox = Sandbox("tests.infra.media.hostile_operations")
    yield MediaDecoder(sandbox)
    sandbox.close()
