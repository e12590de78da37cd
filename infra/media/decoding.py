"""Untrusted documents, images and videos, decoded by a limited process.

``media_decoder()`` is how the rest of the code reads media. The raw decoders are private and run on the other side of
``sandbox/``. Beyond the errors that they raise, a file may end its decoder (``decoder_crashed``), exceed its time
(``too_slow``) or its memory (``too_much_memory``), or do so again and again (``decoder_gave_up``). With
``VIMRAG_DECODE=in-process`` in the environment the same operations run in this process: for debugging, and for media one trusts.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from PIL import Image

from infra.documents.blocks import Document, from_parts
from infra.errors import MediaError
from infra.limits import (
    DOCUMENT_SECONDS,
    MAX_CLIP_BYTES,
    MAX_DOCUMENT_TEXT_BYTES,
    MAX_EMBEDDED_BYTES,
    MAX_IMAGE_PIXELS,
    MAX_PAGE_PIXELS,
    MAX_PDF_PAGES,
    MAX_TEXT_BYTES,
    MAX_VIDEO_PIXELS,
    PAGE_DPI,
    VIDEO_JOB_SECONDS,
    WALL_FACTOR,
)
from infra.media.sandbox.process import InProcessRunner, Job, JobLimits, JobResult, JobRunner, Sandbox
from infra.media.types import ClipRange, Frame, OcrError, PdfPage, VideoInfo

VARIABLE, IN_PROCESS = "VIMRAG_DECODE", "in-process"
PIXEL_BYTES = 4  # as Pillow keeps RGB: a copy without packing is a seventh of the time
MIN_OCR_SIDE = 8  # pixels; nothing legible is smaller, and the detector fails on it
SHORT = JobLimits()
DOCUMENT = JobLimits(cpu_s=DOCUMENT_SECONDS, wall_s=DOCUMENT_SECONDS * WALL_FACTOR)
LONG = JobLimits(cpu_s=VIDEO_JOB_SECONDS, wall_s=VIDEO_JOB_SECONDS * WALL_FACTOR)
_tokens = itertools.count()


@dataclass(frozen=True, slots=True)
class MediaDecoder:
    """Decodes media by the jobs of ``runner``, and believes nothing of what that answers."""

    runner: JobRunner

    def image(
        self, data: bytes, *, max_pixels: int = MAX_IMAGE_PIXELS, truncated: bool = False
    ) -> Image.Image:
        """The first frame of an image as upright RGB; ``truncated`` accepts a JPEG that is cut short.

        Raises:
            MediaError: ``image_unreadable`` (not a known image format), ``image_too_large`` (more than ``max_pixels``),
                ``image_truncated`` (the header is fine, the pixels are not), or as the module says.
        """
        job = Job(
            operation="decode",
            arguments={"max_pixels": max_pixels, "truncated": truncated},
            payload=data,
            limits=SHORT,
            max_bytes=PIXEL_BYTES * max_pixels,
        )
        return self.runner.call(job, lambda answer: _images(answer, 1, max_pixels)[0])

    @contextmanager
    def open_pdf(self, source: Path | bytes, *, page_limit: int = MAX_PDF_PAGES) -> Iterator[PdfDocument]:
        """Open a document.

        Raises:
            MediaError: ``pdf_missing``, ``pdf_empty``, ``pdf_unreadable`` (not a PDF), ``pdf_truncated`` (its end is gone),
                ``pdf_encrypted`` (needs a password), ``pdf_too_long`` (more than ``page_limit``), or as the module says.
        """
        document = PdfDocument(self.runner, source, page_limit)
        try:
            yield document
        finally:
            document.close()

    def probe(self, source: Path | bytes) -> VideoInfo:
        """Duration, rate and size of the first video stream.

        Raises:
            MediaError: ``video_missing``, ``video_unreadable``, ``video_without_picture``, ``video_too_large``,
                ``video_too_long``, or as the module says.
        """
        return self.runner.call(_video_job("probe", source), _video_info)

    def frames(self, source: Path | bytes, times_s: Sequence[float]) -> list[Frame]:
        """The images on screen at the given times (each the latest frame not after it), in the order asked for.

        Raises:
            ValueError: if a time is negative.
            MediaError: as ``probe``; ``video_truncated`` if the file ends before a time asked for can be decoded.
        """
        if any(time_s < 0 for time_s in times_s):
            raise ValueError(f"negative times: {[time_s for time_s in times_s if time_s < 0]}")
        count = len(times_s)
        max_bytes = PIXEL_BYTES * MAX_VIDEO_PIXELS * count
        job = _video_job("frames", source, {"times": list(times_s)}, max_bytes)
        images = self.runner.call(job, lambda answer: _images(answer, count, MAX_VIDEO_PIXELS))
        return [Frame(time_s, image) for time_s, image in zip(times_s, images, strict=True)]

    def cut(self, source: Path, clips: Sequence[ClipRange], targets: Sequence[Path]) -> list[Path]:
        """Write each of ``clips`` (in order, apart from each other) to its target as MP4; returns what was written.

        The video is decoded once. A target appears when it is whole.

        Raises:
            MediaError: as ``probe``; ``video_truncated`` if the file ends before the last clip begins.
        """
        if len(clips) != len(targets):
            raise ValueError(f"{len(clips)} clips for {len(targets)} targets")
        from infra.storage.root import Storage  # imports fsspec, which the decoding process does without

        arguments = {"token": _token(), "clips": [list(clip) for clip in clips]}
        written: list[Path] = []
        for index, target in enumerate(targets):
            job = _video_job("clip", source, {**arguments, "index": index}, MAX_CLIP_BYTES)
            if not (data := self.runner.call(job, _bytes)):
                break
            Storage(target.parent).write_bytes(target.name, data)
            written.append(target)
        return written

    def document(self, source: Path | bytes, *, name: str = "", encoding: str = "") -> Document:
        """The blocks of an office, web or mail document.

        ``name`` is what its file is called, ``encoding`` that of a text which does not state its own.

        Raises:
            MediaError: ``kind_unsupported`` (its detail says what the file is and how to convert it), ``document_encrypted``,
                ``archive_bomb``, ``xml_entities`` and the like, or as the module says.
        """
        location, payload = _location(source)
        job = Job(
            operation="document",
            arguments={**location, "name": name, "encoding": encoding},
            payload=payload,
            limits=DOCUMENT,
            max_bytes=8 * MAX_DOCUMENT_TEXT_BYTES
            + MAX_EMBEDDED_BYTES,  # a character takes up to 6 bytes as JSON
            file=_file_key(source),
        )
        return self.runner.call(job, _blocks)


class PdfDocument:
    """A document that is open in the decoding process, and opened again in the next if that is lost.

    Pages are independent: one that fails leaves the others readable.
    """

    def __init__(self, runner: JobRunner, source: Path | bytes, page_limit: int) -> None:
        self._runner = runner
        arguments, payload = _location(source)
        arguments |= {"page_limit": page_limit, "token": _token()}
        self._job = Job(
            operation="open_pdf", arguments=arguments, payload=payload, limits=SHORT, file=_file_key(source)
        )
        self.num_pages = runner.call(self._job, lambda answer: _page_count(answer, page_limit))

    def page(self, number: int, *, dpi: int = PAGE_DPI, max_pixels: int = MAX_PAGE_PIXELS) -> PdfPage:
        """Page ``number`` (from 1) rendered at ``dpi``, or at less where it would exceed ``max_pixels``.

        Raises:
            ValueError: if there is no such page.
            MediaError: ``pdf_page_unreadable``, or as the module says.
        """
        if not 1 <= number <= self.num_pages:
            raise ValueError(f"page {number} of a document with {self.num_pages} pages")
        arguments = {**self._job.arguments, "number": number, "dpi": dpi, "max_pixels": max_pixels}
        limit = PIXEL_BYTES * max_pixels + MAX_TEXT_BYTES
        job = replace(self._job, operation="page", arguments=arguments, max_bytes=limit)
        return self._runner.call(job, lambda answer: _page(answer, number, max_pixels))

    def close(self) -> None:
        """Let the decoding process close it too, unless that is gone."""
        if self._runner.pid is not None:
            self._runner.call(Job(operation="close_pdf", arguments={}), lambda _: None)


class SandboxedOcr:
    """The text in images, by RapidOCR in a decoding process of its own. Pickles as its settings."""

    def __init__(self, *, num_threads: int = 0) -> None:
        """``num_threads`` of the engine; 0 leaves the choice to onnxruntime."""
        self._num_threads = num_threads

    def text(self, image: Image.Image, *, runner: JobRunner | None = None) -> str:
        """The lines in reading order, joined by newlines; empty where there is no text.

        Raises:
            OcrError: if the engine cannot be loaded or fails.
            MediaError: if the image ends its process, or exceeds a limit.
        """
        if min(image.size) < MIN_OCR_SIDE:
            return ""
        job = Job(
            operation="read",
            arguments={"num_threads": self._num_threads, "width": image.width, "height": image.height},
            payload=image.convert("RGB").tobytes(),
            limits=LONG,
            max_bytes=MAX_TEXT_BYTES,
        )
        return (runner or shared_runner("ocr")).call(job, _text)


@cache
def sandbox(purpose: str) -> Sandbox:
    """The decoding process for ``purpose``; that of ``ocr`` holds the models of the OCR engine."""
    return Sandbox()


@cache
def _in_process(purpose: str) -> InProcessRunner:
    return InProcessRunner()


def shared_runner(purpose: str = "media") -> JobRunner:
    """What runs the jobs of this process: another process, unless the environment says otherwise."""
    return (_in_process if os.environ.get(VARIABLE) == IN_PROCESS else sandbox)(purpose)


def media_decoder() -> MediaDecoder:
    """The decoder that this process shares. Thread-safe, one job at a time."""
    return MediaDecoder(shared_runner())


def cut_clips(source: Path, clips: Sequence[ClipRange], targets: Sequence[Path]) -> list[Path]:
    """``MediaDecoder.cut`` in a process of its own: cutting takes minutes, and its jobs must not mix with others."""
    if os.environ.get(VARIABLE) == IN_PROCESS:
        return MediaDecoder(InProcessRunner()).cut(source, clips, targets)
    with closing(Sandbox()) as runner:
        return MediaDecoder(runner).cut(source, clips, targets)


def _video_job(
    operation: str, source: Path | bytes, arguments: Mapping[str, Any] | None = None, max_bytes: int = 0
) -> Job:
    location, payload = _location(source)
    return Job(
        operation=operation,
        arguments={**location, **(arguments or {})},
        payload=payload,
        limits=LONG,
        max_bytes=max_bytes,
        file=_file_key(source),
    )


def _location(source: Path | bytes) -> tuple[dict[str, Any], bytes | None]:
    """How the decoding process, which has another working directory, finds a source."""
    return ({"path": os.path.abspath(source)}, None) if isinstance(source, Path) else ({}, source)


def _token() -> str:
    return f"{os.getpid()}-{next(_tokens)}"


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
    (image,) = _images(JobResult(answer.result, answer.parts[1:]), 1, max_pixels)
    return PdfPage(number, image, text, image.width, image.height)


def _video_info(answer: JobResult) -> VideoInfo:
    info = answer.result
    try:
        return VideoInfo(
            float(info["duration_s"]), float(info["fps"]), int(info["width"]), int(info["height"])
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise MediaError("decoder_failed", f"no facts about the video: {error!r}"[:500]) from error


def _bytes(answer: JobResult) -> bytes:
    if len(answer.parts) != 1:
        raise MediaError("decoder_failed", f"{len(answer.parts)} files, asked for one")
    return bytes(answer.parts[0])


def _blocks(answer: JobResult) -> Document:
    try:
        return from_parts(answer.parts)
    except ValueError as error:
        raise MediaError("decoder_failed", str(error)[:500]) from error


def _text(answer: JobResult) -> str:
    if "failed" in answer.result:
        raise OcrError(str(answer.result["failed"])[:500])
    if not answer.parts or len(answer.parts[0]) > MAX_TEXT_BYTES:
        raise MediaError("decoder_failed", "no text, or too much")
    return bytes(answer.parts[0]).decode("utf-8", "replace")


def _images(answer: JobResult, count: int, max_pixels: int) -> list[Image.Image]:
    """The images of an answer, if they are as many and as large as they must be."""
    sizes = answer.result.get("images")
    if not isinstance(sizes, list) or not len(sizes) == len(answer.parts) == count:
        raise MediaError("decoder_failed", f"{len(answer.parts)} images, asked for {count}")
    return [_image(size, part, max_pixels) for size, part in zip(sizes, answer.parts, strict=True)]


def _image(size: Any, data: bytearray | memoryview, max_pixels: int) -> Image.Image:
    match size:
        case [int(width), int(height)] if width > 0 and height > 0 and width * height <= max_pixels:
            if len(data) == PIXEL_BYTES * width * height:
                return Image.frombytes("RGB", (width, height), data, "raw", "RGBX")
    raise MediaError("decoder_failed", f"an image of {size!r} in {len(data)} bytes"[:500])
