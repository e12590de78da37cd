"""Jobs for the decoding process: their limits, and how it finds the file."""

import itertools
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infra.limits import (
    DOCUMENT_SECONDS,
    MAX_DOCUMENT_WORKER_BYTES,
    MAX_SPEECH_WORKER_BYTES,
    SPEECH_FACTOR,
    SPEECH_LOAD_SECONDS,
    VIDEO_JOB_SECONDS,
    WALL_FACTOR,
)
from infra.media.sandbox.process import Job, JobLimits

SHORT = JobLimits()
DOCUMENT = JobLimits(
    cpu_s=DOCUMENT_SECONDS,
    wall_s=DOCUMENT_SECONDS * WALL_FACTOR,
    memory_bytes=MAX_DOCUMENT_WORKER_BYTES,
)
LONG = JobLimits(cpu_s=VIDEO_JOB_SECONDS, wall_s=VIDEO_JOB_SECONDS * WALL_FACTOR)
LOAD_SPEECH = JobLimits(
    cpu_s=SPEECH_LOAD_SECONDS, wall_s=SPEECH_LOAD_SECONDS * WALL_FACTOR, memory_bytes=MAX_SPEECH_WORKER_BYTES
)
_tokens = itertools.count()


def speech_limits(heard_s: float) -> JobLimits:
    """For a recogniser that has its model loaded and hears so many seconds."""
    cpu_s = SPEECH_LOAD_SECONDS + heard_s * SPEECH_FACTOR  # its process may be a new one
    return JobLimits(cpu_s=cpu_s, wall_s=cpu_s, memory_bytes=MAX_SPEECH_WORKER_BYTES)


def video_job(
    operation: str, source: Path | bytes, arguments: Mapping[str, Any] | None = None, max_bytes: int = 0
) -> Job:
    """A job on a video, which may take long."""
    place, payload = location(source)
    return Job(
        operation=operation,
        arguments={**place, **(arguments or {})},
        payload=payload,
        limits=LONG,
        max_bytes=max_bytes,
        file=file_key(source),
    )


def location(source: Path | bytes) -> tuple[dict[str, Any], bytes | None]:
    """How the decoding process, which has another working directory, finds a source."""
    return ({"path": os.path.abspath(source)}, None) if isinstance(source, Path) else ({}, source)


def token() -> str:
    """Names what stays open in the decoding process between jobs."""
    return f"{os.getpid()}-{next(_tokens)}"


def file_key(source: Path | bytes) -> str:
    """One for all jobs of a file, another once it is changed; "" for bytes, of which nobody asks twice."""
    if isinstance(source, bytes):
        return ""
    try:
        status = source.stat()
    except OSError:
        return ""
    return f"{status.st_dev}-{status.st_ino}-{status.st_size}-{status.st_mtime_ns}"
