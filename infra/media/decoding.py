"""Documents, pictures and films as the corpus reads them: decoded in a process of their own, with limits.

The functions are those of ``_images.py``, ``_pdf.py``, ``_video.py`` and ``ocr.py``, with the same results to the last byte;
beyond their errors a file may end its decoder (``decoder_crashed``), exceed its time (``too_slow``) or its memory
(``too_much_memory``), or do so again and again (``decoder_gave_up``). ``in_process`` leads back to those modules, for tests
and for media one trusts; so does the environment variable ``VIMRAG_DECODE=in-process``.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from PIL import Image

from infra.errors import MediaError
from infra.limits import (
    FILM_JOB_SECONDS,
    MAX_IMAGE_PIXELS,
    MAX_PAGE_PIXELS,
    MAX_PDF_PAGES,
    MAX_TEXT_BYTES,
    MAX_VIDEO_PIXELS,
    PAGE_DPI,
    WALL_FACTOR,
)
from infra.media import _images as images
from infra.media import _pdf as pdf
from infra.media import _video as films
from infra.media._pdf import Pdf, PdfPage
from infra.media._video import Frame, VideoInfo
from infra.media.ocr import MIN_SIDE, OcrError, RapidOcr
from infra.media.sandbox.process import Job, JobLimits, JobResult, Sandbox

VARIABLE, IN_PROCESS = "VIMRAG_DECODE", "in-process"
PIXEL_BYTES = 4  # as Pillow keeps RGB: a copy without packing is a seventh of the time
SHORT = JobLimits()
LONG = JobLimits(cpu_s=FILM_JOB_SECONDS, wall_s=FILM_JOB_SECONDS * WALL_FACTOR)
_trusting = 0  # blocks of ``in_process`` that are open
_tokens = itertools.count()


@contextmanager
def in_process() -> Iterator[None]:
    """While the block runs, everything is decoded in this process, by all of its threads."""
    global _trusting
    _trusting += 1
    try:
        yield
    finally:
        _trusting -= 1


@cache
def sandbox(kind: str = "media") -> Sandbox:
    """The decoding process of this one; that of ``text`` holds the models of the OCR engine."""
    return Sandbox()


def is_sandboxed() -> bool:
    """Whether files are decoded in a process of their own."""
    return not _trusting and os.environ.get(VARIABLE) != IN_PROCESS


def decode(data: bytes, *, max_pixels: int = MAX_IMAGE_PIXELS) -> Image.Image:
    """See ``images.decode``."""
    if not is_sandboxed():
        return images.decode(data, max_pixels=max_pixels)
    return _decoded(data, max_pixels, truncated=False)


def decode_truncated(data: bytes, *, max_pixels: int = MAX_IMAGE_PIXELS) -> Image.Image:
    """See ``images.decode_truncated``."""
    if not is_sandboxed():
        return images.decode_truncated(data, max_pixels=max_pixels)
    return _decoded(data, max_pixels, truncated=True)


def _decoded(data: bytes, max_pixels: int, *, truncated: bool) -> Image.Image:
    job = Job(
        operation="decode",
        arguments={"max_pixels": max_pixels, "truncated": truncated},
        payload=data,
        limits=SHORT,
        max_bytes=PIXEL_BYTES * max_pixels,
    )
    return sandbox().call(job, lambda answer: _pictures(answer, 1, max_pixels)[0])


class SandboxedPdf:
    """As ``pdf.Pdf``: a document that is open in the decoding process, and opened again in the next if that is lost."""

    def __init__(self, source: Path | bytes, page_limit: int) -> None:
        where, payload = _located(source)
        where |= {"page_limit": page_limit, "token": f"{os.getpid()}-{next(_tokens)}"}
        self._job = Job(
            operation="open_pdf", arguments=where, payload=payload, limits=SHORT, file=_file_key(source)
        )
        self.num_pages = sandbox().call(self._job, lambda answer: _page_count(answer, page_limit))

    def page(self, number: int, *, dpi: int = PAGE_DPI, max_pixels: int = MAX_PAGE_PIXELS) -> PdfPage:
        """See ``pdf.Pdf.page``."""
        if not 1 <= number <= self.num_pages:
            raise ValueError(f"page {number} of a document with {self.num_pages} pages")
        arguments = {**self._job.arguments, "number": number, "dpi": dpi, "max_pixels": max_pixels}
        limit = PIXEL_BYTES * max_pixels + MAX_TEXT_BYTES
        job = replace(self._job, operation="page", arguments=arguments, max_bytes=limit)
        return sandbox().call(job, lambda answer: _page(answer, number, max_pixels))

    def close(self) -> None:
        """Let the decoding process close it too, unless that is gone."""
        if sandbox().pid is not None:
            sandbox().call(Job(operation="close_pdf", arguments={}), lambda _: None)


@contextmanager
def open_pdf(source: Path | bytes, *, page_limit: int = MAX_PDF_PAGES) -> Iterator[Pdf | SandboxedPdf]:
    """See ``pdf.open_pdf``."""
    if not is_sandboxed():
        with pdf.open_pdf(source, page_limit=page_limit) as document:
            yield document
        return
    document = SandboxedPdf(source, page_limit)
    try:
        yield document
    finally:
        document.close()


def probe(source: Path | bytes) -> VideoInfo:
    """See ``frames.probe``."""
    if not is_sandboxed():
        return films.probe(source)
    return sandbox().call(_film("probe", source), _facts)


def frames(source: Path | bytes, times_s: Sequence[float]) -> list[Frame]:
    """See ``frames.frames``."""
    if not is_sandboxed() or any(time_s < 0 for time_s in times_s):
        return films.frames(source, times_s)
    count = len(times_s)
    job = _film("frames", source, {"times": list(times_s)}, PIXEL_BYTES * MAX_VIDEO_PIXELS * count)
    pictures = sandbox().call(job, lambda answer: _pictures(answer, count, MAX_VIDEO_PIXELS))
    return [Frame(time_s, picture) for time_s, picture in zip(times_s, pictures, strict=True)]


class SandboxedOcr:
    """As ``ocr.RapidOcr``, with the engine in a decoding process of its own."""

    def __init__(self, *, num_threads: int = 0) -> None:
        """``num_threads`` of the engine; 0 leaves the choice to onnxruntime."""
        self._num_threads, self._engine = num_threads, RapidOcr(num_threads=num_threads)

    def text(self, image: Image.Image) -> str:
        """See ``ocr.Ocr.text``.

        Raises:
            OcrError: if the engine cannot be loaded or fails.
            MediaError: if the picture ends its process, or exceeds a limit.
        """
        if not is_sandboxed():
            return self._engine.text(image)
        if min(image.size) < MIN_SIDE:
            return ""
        arguments = {"num_threads": self._num_threads, "width": image.width, "height": image.height}
        job = Job(
            operation="read",
            arguments=arguments,
            payload=image.convert("RGB").tobytes(),
            limits=LONG,
            max_bytes=MAX_TEXT_BYTES,
        )
        return sandbox("text").call(job, _text)


def _film(
    operation: str, source: Path | bytes, arguments: Mapping[str, Any] | None = None, max_bytes: int = 0
) -> Job:
    where, payload = _located(source)
    return Job(
        operation=operation,
        arguments={**where, **(arguments or {})},
        payload=payload,
        limits=LONG,
        max_bytes=max_bytes,
        file=_file_key(source),
    )


def _located(source: Path | bytes) -> tuple[dict[str, Any], bytes | None]:
    """How the decoding process, which has another working directory, finds a source."""
    return ({"path": os.path.abspath(source)}, None) if isinstance(source, Path) else ({}, source)


def _file_key(source: Path | bytes) -> str:
    """One for all jobs of a file, another once it is changed; "" for bytes, of which nobody asks twice."""
    if isinstance(source, bytes):
        return ""
    try:
        status = source.stat()
    except OSError:
        return ""
    return f"{status.st_dev}-{status.st_ino}-{status.st_size}-{status.st_mtime_ns}"


# What follows reads answers, and believes nothing of them.


def _page_count(answer: JobResult, limit: int) -> int:
    count = answer.result.get("num_pages")
    if type(count) is not int or not 0 <= count <= limit:
        raise MediaError("decoder_failed", f"{count!r} pages"[:500])
    return count


def _page(answer: JobResult, number: int, max_pixels: int) -> PdfPage:
    text = _text(answer)
    (image,) = _pictures(JobResult(answer.result, answer.parts[1:]), 1, max_pixels)
    return PdfPage(number, image, text, image.width, image.height)


def _facts(answer: JobResult) -> VideoInfo:
    info = answer.result
    try:
        return VideoInfo(
            float(info["duration_s"]), float(info["fps"]), int(info["width"]), int(info["height"])
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise MediaError("decoder_failed", f"no facts about the film: {error!r}"[:500]) from error


def _text(answer: JobResult) -> str:
    if "failed" in answer.result:
        raise OcrError(str(answer.result["failed"])[:500])
    if not answer.parts or len(answer.parts[0]) > MAX_TEXT_BYTES:
        raise MediaError("decoder_failed", "no text, or too much")
    return bytes(answer.parts[0]).decode("utf-8", "replace")


def _pictures(answer: JobResult, count: int, max_pixels: int) -> list[Image.Image]:
    """The pictures of an answer, if they are as many and as large as they must be."""
    sizes = answer.result.get("pictures")
    if not isinstance(sizes, list) or not len(sizes) == len(answer.parts) == count:
        raise MediaError("decoder_failed", f"{len(answer.parts)} pictures, asked for {count}")
    return [_picture(size, part, max_pixels) for size, part in zip(sizes, answer.parts, strict=True)]


def _picture(size: Any, data: bytearray | memoryview, max_pixels: int) -> Image.Image:
    match size:
        case [int(width), int(height)] if width > 0 and height > 0 and width * height <= max_pixels:
            if len(data) == PIXEL_BYTES * width * height:
                return Image.frombytes("RGB", (width, height), data, "raw", "RGBX")
    raise MediaError("decoder_failed", f"a picture of {size!r} in {len(data)} bytes"[:500])
