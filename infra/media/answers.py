"""What the decoding process answers, read without believing anything of it.

Raises ``MediaError`` (``decoder_failed``) for whatever is not as asked for.
"""

import json
import math
from typing import Any, NamedTuple

from PIL import Image

from infra.documents.blocks import Document, from_parts
from infra.errors import MediaError
from infra.limits import MAX_IMAGES, MAX_OWN_PAGE_BYTES, MAX_SOUND_SECONDS, MAX_TEXT_BYTES
from infra.media.sandbox.process import JobResult
from infra.media.types import (
    OcrError,
    PageFacts,
    PdfPage,
    PlainPage,
    SpeechError,
    SubtitleLine,
    SubtitleTrack,
    VideoInfo,
)
from infra.media.word_places import MOST_BOXES, PlaceBox

PIXEL_BYTES = 4  # as Pillow keeps RGB: a copy without packing is a seventh of the time
SAMPLE_BYTES = 4  # of sound, float32


class ImageCount(NamedTuple):
    """The images of a file; ``is_animated``: they follow each other in time."""

    num_images: int
    is_animated: bool


def image_count(answer: JobResult) -> ImageCount:
    """How many images a file has."""
    count = answer.result.get("num_images")
    if type(count) is not int or not 1 <= count <= MAX_IMAGES:
        raise MediaError("decoder_failed", f"{count!r} images"[:500])
    return ImageCount(count, answer.result.get("is_animated") is True)


class PageCount(NamedTuple):
    """The pages of a document; ``is_damaged``: there may have been more."""

    num_pages: int
    is_damaged: bool


def page_count(answer: JobResult, limit: int) -> PageCount:
    """How many pages a document has."""
    count = answer.result.get("num_pages")
    if type(count) is not int or not 0 <= count <= limit:
        raise MediaError("decoder_failed", f"{count!r} pages"[:500])
    return PageCount(count, answer.result.get("is_damaged") is True)


def page_of(answer: JobResult, number: int, max_pixels: int) -> PdfPage:
    """A page and its text."""
    text = text_of(answer)
    (image,) = images_of(JobResult(answer.result, answer.parts[1:]), 1, max_pixels)
    return PdfPage(number, image, text, image.width, image.height, _facts(answer))


def plain_page_of(answer: JobResult, number: int, max_pixels: int) -> PlainPage:
    """A page's text, its size and itself."""
    text = text_of(answer)
    match answer.result.get("size"):
        case [int(width), int(height)] if width > 0 and height > 0 and width * height <= max_pixels:
            pass
        case size:
            raise MediaError("decoder_failed", f"a page of {size!r} pixels"[:500])
    if len(answer.parts) != 2 or len(answer.parts[1]) > MAX_OWN_PAGE_BYTES:
        raise MediaError("decoder_failed", f"{len(answer.parts)} parts of a page")
    return PlainPage(number, text, width, height, _facts(answer), bytes(answer.parts[1]))


def _facts(answer: JobResult) -> PageFacts:
    match answer.result.get("facts"):
        case [int(width), int(height), *shares] if len(shares) == 3:
            return PageFacts(width, height, *(_share(share) for share in shares))
        case facts:
            raise MediaError("decoder_failed", f"facts about a page: {facts!r}"[:500])


def _share(value: Any) -> float:
    if not isinstance(value, int | float) or not 0 <= value <= 1:
        raise MediaError("decoder_failed", f"a share of {value!r}"[:500])
    return float(value)


def video_info_of(answer: JobResult) -> VideoInfo:
    """What a video holds."""
    info = answer.result
    try:
        return VideoInfo(
            float(info["duration_s"]), float(info["fps"]), int(info["width"]), int(info["height"])
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise MediaError("decoder_failed", f"no facts about the video: {error!r}"[:500]) from error


def seconds_of(answer: JobResult) -> float:
    """How long a sound says it is; 0 where it says nothing that can be."""
    told = answer.result.get("duration_s")
    return float(told) if isinstance(told, int | float) and 0 < told <= MAX_SOUND_SECONDS else 0.0


def samples_of(answer: JobResult, most: int) -> bytes:
    """The samples of a piece of sound, at most so many bytes. What numbers they are is not looked at."""
    samples = bytes_of(answer)
    if len(samples) > most or len(samples) % SAMPLE_BYTES:
        raise MediaError("decoder_failed", f"{len(samples)} bytes of sound, limit {most}")
    return samples


def heard_of(answer: JobResult, heard_s: float) -> SubtitleTrack:
    """What was recognised in ``heard_s`` seconds; ``SpeechError`` if the recogniser was not there."""
    if "failed" in answer.result:
        raise SpeechError(str(answer.result["failed"])[:500])
    track = next(iter(tracks_of(answer)), SubtitleTrack("", ()))
    lines = [
        line._replace(start_s=min(max(line.start_s, 0.0), heard_s))
        for line in track.lines
        if math.isfinite(line.start_s)
    ]
    return SubtitleTrack(track.language[:20], tuple(sorted(lines, key=lambda line: line.start_s)), "heard")


def bytes_of(answer: JobResult) -> bytes:
    """The one file of an answer."""
    if len(answer.parts) != 1:
        raise MediaError("decoder_failed", f"{len(answer.parts)} files, asked for one")
    return bytes(answer.parts[0])


def blocks_of(answer: JobResult) -> Document:
    """The blocks of a document."""
    try:
        return from_parts(answer.parts)
    except ValueError as error:
        raise MediaError("decoder_failed", str(error)[:500]) from error


def text_of(answer: JobResult) -> str:
    """The text in the first part; ``OcrError`` if the engine failed."""
    if "failed" in answer.result:
        raise OcrError(str(answer.result["failed"])[:500])
    if not answer.parts or len(answer.parts[0]) > MAX_TEXT_BYTES:
        raise MediaError("decoder_failed", "no text, or too much")
    return bytes(answer.parts[0]).decode("utf-8", "replace")


def boxes_of(answer: JobResult) -> list[PlaceBox]:
    """Places on a page; ``OcrError`` if the engine failed."""
    if "failed" in answer.result:
        raise OcrError(str(answer.result["failed"])[:500])
    boxes = answer.result.get("boxes")
    if not isinstance(boxes, list) or len(boxes) > MOST_BOXES:
        raise MediaError("decoder_failed", "no places, or too many")
    try:
        found = [PlaceBox(*(float(side) for side in box)) for box in boxes]
    except (TypeError, ValueError) as error:
        raise MediaError("decoder_failed", f"places: {error!r}"[:500]) from error
    if any(not -1 <= side <= 2 for box in found for side in box):
        raise MediaError("decoder_failed", "a place outside of its page")
    return found


def tracks_of(answer: JobResult) -> list[SubtitleTrack]:
    """The subtitle tracks of a file."""
    try:
        tracks = json.loads(bytes_of(answer))
        return [
            SubtitleTrack(
                str(language),
                tuple(SubtitleLine(float(start_s), str(text)) for start_s, text in lines),
                str(kind),
            )
            for language, lines, kind in tracks
        ]
    except (ValueError, TypeError, RecursionError) as error:
        raise MediaError("decoder_failed", f"no subtitles: {error!r}"[:500]) from error


def images_of(answer: JobResult, count: int, max_pixels: int) -> list[Image.Image]:
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
