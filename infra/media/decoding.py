"""Untrusted documents, images and videos, decoded by a limited process.

``media_decoder()`` is how the rest of the code reads media. The raw decoders are private and run on the other side of
``sandbox/``. Beyond the errors that they raise, a file may end its decoder (``decoder_crashed``), exceed its time
(``too_slow``) or its memory (``too_much_memory``), or do so again and again (``decoder_gave_up``). With
``VIMRAG_DECODE=in-process`` in the environment the same operations run in this process: for debugging, and for media one trusts.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from PIL import Image

from infra.documents.blocks import Document
from infra.limits import (
    MAX_CLIP_BYTES,
    MAX_DOCUMENT_TEXT_BYTES,
    MAX_EMBEDDED_BYTES,
    MAX_IMAGE_PIXELS,
    MAX_PDF_PAGES,
    MAX_TEXT_BYTES,
    MAX_VIDEO_PIXELS,
)
from infra.media import jobs
from infra.media.answers import (
    PIXEL_BYTES,
    blocks_of,
    boxes_of,
    bytes_of,
    images_of,
    text_of,
    tracks_of,
    video_info_of,
)
from infra.media.jobs import file_key, location, token, video_job
from infra.media.opened import OpenImages, OpenSound, PdfDocument
from infra.media.sandbox.process import InProcessRunner, Job, JobResult, JobRunner, Sandbox
from infra.media.types import ClipRange, Frame, OcrModel, SubtitleTrack, VideoInfo
from infra.media.word_places import PlaceBox

VARIABLE, IN_PROCESS = "VIMRAG_DECODE", "in-process"
MIN_OCR_SIDE = 8  # pixels; nothing legible is smaller, and the detector fails on it


@dataclass(frozen=True, slots=True)
class MediaDecoder:
    """Decodes media by the jobs of ``runner``, and believes nothing of what that answers."""

    runner: JobRunner

    def image(
        self, data: bytes, *, max_pixels: int = MAX_IMAGE_PIXELS, truncated: bool = False
    ) -> Image.Image:
        """The first image of a file as upright RGB; ``truncated`` accepts a JPEG that is cut short.

        Raises:
            MediaError: ``image_unreadable`` (not a known image format), ``image_too_large`` (more than ``max_pixels``),
                ``image_truncated`` (the header is fine, the pixels are not), or as the module says.
        """
        job = Job(
            operation="decode",
            arguments={"max_pixels": max_pixels, "truncated": truncated},
            payload=data,
            limits=jobs.SHORT,
            max_bytes=PIXEL_BYTES * max_pixels,
        )
        return self.runner.call(job, lambda answer: images_of(answer, 1, max_pixels)[0])

    @contextmanager
    def open_images(
        self, source: Path | bytes, *, max_pixels: int = MAX_IMAGE_PIXELS
    ) -> Iterator[OpenImages]:
        """Open a file of one image or more.

        Raises:
            MediaError: ``image_missing``, ``image_unreadable`` (not a known image format), or as the module says.
        """
        images = OpenImages(self.runner, source, max_pixels)
        try:
            yield images
        finally:
            images.close()

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

    def own_page(self, data: bytes) -> Image.Image:
        """The picture of a page that is kept as a PDF of its own (``PlainPage.own``). Raises ``MediaError`` as ``open_pdf``."""
        with self.open_pdf(data, page_limit=1) as pdf:
            return pdf.page(1).image

    def probe(self, source: Path | bytes) -> VideoInfo:
        """Duration, rate and size of the first video stream.

        Raises:
            MediaError: ``video_missing``, ``video_unreadable``, ``video_without_picture``, ``video_too_large``,
                ``video_too_long``, or as the module says.
        """
        return self.runner.call(video_job("probe", source), video_info_of)

    def frames(
        self, source: Path | bytes, times_s: Sequence[float], *, is_partial: bool = False
    ) -> list[Frame]:
        """The images on screen at the given times (each the latest frame not after it), in the order asked for.

        ``is_partial``: of a film that is cut short or damaged, those of ascending times that can be decoded; one at least.

        Raises:
            ValueError: if a time is negative.
            MediaError: as ``probe``; ``video_truncated`` if the file ends before a time asked for can be decoded.
        """
        if any(time_s < 0 for time_s in times_s):
            raise ValueError(f"negative times: {[time_s for time_s in times_s if time_s < 0]}")
        count = len(times_s)
        max_bytes = PIXEL_BYTES * MAX_VIDEO_PIXELS * count
        job = video_job("frames", source, {"times": list(times_s), "is_partial": is_partial}, max_bytes)

        def found(answer: JobResult) -> list[Image.Image]:
            most = max(1, min(count, len(answer.parts))) if is_partial else count
            return images_of(answer, most, MAX_VIDEO_PIXELS)

        return [
            Frame(time_s, image)
            for time_s, image in zip(times_s, self.runner.call(job, found), strict=not is_partial)
        ]

    def spoken(self, source: Path | bytes) -> list[SubtitleTrack]:
        """The subtitle tracks inside of a film or a sound file, as far as they are text.

        Raises:
            MediaError: as ``probe``, but for files without pictures.
        """
        job = video_job("spoken", source, max_bytes=MAX_TEXT_BYTES)
        return self.runner.call(job, tracks_of)

    @contextmanager
    def open_sound(self, source: Path | bytes, *, piece_s: float) -> Iterator[OpenSound]:
        """Open what is heard in a film or a sound file, to be read in pieces of ``piece_s`` seconds.

        Raises:
            MediaError: ``sound_missing`` (nothing is to be heard in it), ``sound_unreadable``, ``video_missing``,
                ``video_unreadable``, or as the module says.
        """
        sound = OpenSound(self.runner, source, piece_s)
        try:
            yield sound
        finally:
            sound.close()

    def cut(self, source: Path, clips: Sequence[ClipRange], targets: Sequence[Path]) -> list[Path]:
        """Write each of ``clips`` (in order, apart from each other) to its target as MP4; returns what was written.

        The video is decoded once. A target appears when it is whole.

        Raises:
            MediaError: as ``probe``; ``video_truncated`` if the file ends before the last clip begins.
        """
        if len(clips) != len(targets):
            raise ValueError(f"{len(clips)} clips for {len(targets)} targets")
        from infra.storage.root import Storage  # imports fsspec, which the decoding process does without

        arguments = {"token": token(), "clips": [list(clip) for clip in clips]}
        written: list[Path] = []
        for index, target in enumerate(targets):
            job = video_job("clip", source, {**arguments, "index": index}, MAX_CLIP_BYTES)
            if not (data := self.runner.call(job, bytes_of)):
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
        place, payload = location(source)
        job = Job(
            operation="document",
            arguments={**place, "name": name, "encoding": encoding},
            payload=payload,
            limits=jobs.DOCUMENT,
            max_bytes=8 * MAX_DOCUMENT_TEXT_BYTES
            + MAX_EMBEDDED_BYTES,  # a character takes up to 6 bytes as JSON
            file=file_key(source),
        )
        return self.runner.call(job, blocks_of)


class SandboxedOcr:
    """The text in images, by RapidOCR in a decoding process of its own. Pickles as its settings."""

    def __init__(self, *, num_threads: int = 0, model: OcrModel | None = None) -> None:
        """``num_threads`` of the engine; 0 leaves the choice to onnxruntime. Without a ``model`` the package's reads."""
        self._num_threads, self._model = num_threads, model

    @property
    def model_digest(self) -> str:
        """Hash of the model that reads in place of the package's, in hex; empty if none does."""
        return self._model.digest if self._model else ""

    def text(self, image: Image.Image, *, runner: JobRunner | None = None) -> str:
        """The lines in reading order, joined by newlines; empty where there is no text.

        Raises:
            OcrError: if the engine cannot be loaded or fails.
            MediaError: if the image ends its process, or exceeds a limit.
        """
        if min(image.size) < MIN_OCR_SIDE:
            return ""
        return (runner or shared_runner("ocr")).call(self._job("read", image), text_of)

    def find(self, image: Image.Image, words: str) -> list[PlaceBox]:
        """Where ``words`` stand in an image, as far as they can be read there; raises as ``text`` does."""
        if min(image.size) < MIN_OCR_SIDE:
            return []
        job = self._job("find_read", image)
        job = replace(job, arguments={**job.arguments, "words": words})
        return shared_runner("ocr").call(job, boxes_of)

    def _job(self, operation: str, image: Image.Image) -> Job:
        return Job(
            operation=operation,
            arguments={
                "num_threads": self._num_threads,
                "model": self._model._asdict() if self._model else None,
                "width": image.width,
                "height": image.height,
            },
            payload=image.convert("RGB").tobytes(),
            limits=jobs.LONG,
            max_bytes=MAX_TEXT_BYTES,
        )


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
