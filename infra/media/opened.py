"""Files that stay open in the decoding process while their parts are asked for one by one."""

from dataclasses import replace
from pathlib import Path

from PIL import Image

from infra.documents.blocks import Document
from infra.limits import (
    MAX_DOCUMENT_TEXT_BYTES,
    MAX_EMBEDDED_BYTES,
    MAX_OWN_PAGE_BYTES,
    MAX_PAGE_PIXELS,
    MAX_PIECE_SECONDS,
    MAX_TEXT_BYTES,
    PAGE_DPI,
    SOUND_RATE,
)
from infra.media import jobs
from infra.media.answers import (
    PIXEL_BYTES,
    SAMPLE_BYTES,
    blocks_of,
    boxes_of,
    image_count,
    images_of,
    page_count,
    page_of,
    plain_page_of,
    samples_of,
    seconds_of,
)
from infra.media.jobs import file_key, location, token, video_job
from infra.media.sandbox.process import Job, JobRunner
from infra.media.tiles import Box
from infra.media.types import PdfPage, PlainPage
from infra.media.word_places import PlaceBox


class OpenImages:
    """A file of images that is open in the decoding process, and opened again in the next if that is lost.

    ``is_animated``: they follow each other in time; else they are pages.
    """

    def __init__(self, runner: JobRunner, source: Path | bytes, max_pixels: int) -> None:
        self._runner, self._max_pixels = runner, max_pixels
        arguments, payload = location(source)
        arguments |= {"max_pixels": max_pixels, "token": token()}
        self._job = Job(
            operation="open_images",
            arguments=arguments,
            payload=payload,
            limits=jobs.SHORT,
            file=file_key(source),
        )
        self.num_images, self.is_animated = runner.call(self._job, image_count)

    def image(self, number: int) -> Image.Image:
        """Image ``number`` (from 1) as upright RGB.

        Raises:
            ValueError: if there is no such image.
            MediaError: ``image_too_large``, ``image_truncated``, or as the module says.
        """
        if not 1 <= number <= self.num_images:
            raise ValueError(f"image {number} of a file with {self.num_images}")
        arguments = {**self._job.arguments, "number": number}
        limit = PIXEL_BYTES * self._max_pixels
        job = replace(self._job, operation="image", arguments=arguments, max_bytes=limit)
        return self._runner.call(job, lambda answer: images_of(answer, 1, self._max_pixels)[0])

    def close(self) -> None:
        """Let the decoding process close it too, unless that is gone."""
        if self._runner.pid is not None:
            self._runner.call(Job(operation="close_images", arguments={}), lambda _: None)


class PdfDocument:
    """A document that is open in the decoding process, and opened again in the next if that is lost.

    Pages are independent: one that fails leaves the others readable. ``is_damaged``: there may have been more.
    """

    def __init__(self, runner: JobRunner, source: Path | bytes, page_limit: int) -> None:
        self._runner = runner
        arguments, payload = location(source)
        arguments |= {"page_limit": page_limit, "token": token()}
        self._job = Job(
            operation="open_pdf",
            arguments=arguments,
            payload=payload,
            limits=jobs.SHORT,
            file=file_key(source),
        )
        self.num_pages, self.is_damaged = runner.call(
            self._job, lambda answer: page_count(answer, page_limit)
        )

    def page(
        self, number: int, *, dpi: float = PAGE_DPI, max_pixels: int = MAX_PAGE_PIXELS, box: Box | None = None
    ) -> PdfPage:
        """Page ``number`` (from 1) rendered at ``dpi``, or at less where it would exceed ``max_pixels``.

        ``box``: only this part of it, in pixels at ``dpi``.

        Raises:
            ValueError: if there is no such page.
            MediaError: ``pdf_page_unreadable``, or as the module says.
        """
        if not 1 <= number <= self.num_pages:
            raise ValueError(f"page {number} of a document with {self.num_pages} pages")
        arguments = {**self._job.arguments, "number": number, "dpi": dpi, "max_pixels": max_pixels}
        arguments["box"] = None if box is None else list(box)
        limit = PIXEL_BYTES * max_pixels + MAX_TEXT_BYTES
        job = replace(self._job, operation="page", arguments=arguments, max_bytes=limit)
        return self._runner.call(job, lambda answer: page_of(answer, number, max_pixels))

    def plain_page(
        self, number: int, *, dpi: float = PAGE_DPI, max_pixels: int = MAX_PAGE_PIXELS
    ) -> PlainPage:
        """Page ``number`` (from 1) as text and as a PDF of its own, not rendered. Raises as ``page``."""
        if not 1 <= number <= self.num_pages:
            raise ValueError(f"page {number} of a document with {self.num_pages} pages")
        arguments = {**self._job.arguments, "number": number, "dpi": dpi, "max_pixels": max_pixels}
        limit = MAX_OWN_PAGE_BYTES + MAX_TEXT_BYTES
        job = replace(self._job, operation="plain_page", arguments=arguments, max_bytes=limit)
        return self._runner.call(job, lambda answer: plain_page_of(answer, number, max_pixels))

    def beside(self) -> Document:
        """What lies beside the pages: attached files, and the values of a form that is not drawn. Raises ``MediaError``."""
        limit = MAX_DOCUMENT_TEXT_BYTES + MAX_EMBEDDED_BYTES
        return self._runner.call(replace(self._job, operation="beside", max_bytes=limit), blocks_of)

    def find(self, number: int, words: str) -> list[PlaceBox]:
        """Where ``words`` stand on a page in its text layer, a box a line; raises as ``page`` does."""
        if not 1 <= number <= self.num_pages:
            raise ValueError(f"page {number} of a document with {self.num_pages} pages")
        arguments = {**self._job.arguments, "number": number, "words": words}
        return self._runner.call(replace(self._job, operation="find", arguments=arguments), boxes_of)

    def close(self) -> None:
        """Let the decoding process close it too, unless that is gone."""
        if self._runner.pid is not None:
            self._runner.call(Job(operation="close_pdf", arguments={}), lambda _: None)


class OpenSound:
    """What is heard in a file that is open in the decoding process, in pieces of ``piece_s`` seconds.

    A piece that is not the next one is decoded from the beginning of the file. ``duration_s``: as the file tells, else 0.
    """

    def __init__(self, runner: JobRunner, source: Path | bytes, piece_s: float) -> None:
        if not 0 < piece_s <= MAX_PIECE_SECONDS:
            raise ValueError(f"a piece of sound has up to {MAX_PIECE_SECONDS:g} s, not {piece_s}")
        self._runner, self._most = runner, SAMPLE_BYTES * round(piece_s * SOUND_RATE)
        self._job = video_job("open_sound", source, {"token": token(), "piece_s": piece_s})
        self.duration_s = runner.call(self._job, seconds_of)

    def piece(self, index: int) -> bytes:
        """The samples of piece ``index`` (from 0), float32, ``SOUND_RATE`` a second; fewer at the end, none behind it.

        Raises:
            MediaError: ``sound_unreadable``, ``sound_too_long``, or as the module says.
        """
        arguments = {**self._job.arguments, "index": index}
        job = replace(self._job, operation="sound_piece", arguments=arguments, max_bytes=self._most)
        return self._runner.call(job, lambda answer: samples_of(answer, self._most))

    def close(self) -> None:
        """Let the decoding process close it too, unless that is gone."""
        if self._runner.pid is not None:
            self._runner.call(Job(operation="close_sound", arguments={}), lambda _: None)
