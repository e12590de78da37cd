"""Images of items: how they are stored and what is read in them when they carry no text.

Holds the choice of format and the OCR rule only; decoding and encoding are ``infra.media``.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, ParamSpec

from PIL import Image

from assets.corpus.item import Item, Modality
from assets.parsers.identity import bytes_hash
from assets.parsers.types import MediaBlob, ParseContext, ParsedItem, SkippedRecord
from infra.errors import MediaError
from infra.media import OcrError, PdfDocument, SandboxedOcr, encode_jpeg, encode_png, media_decoder

LOSSLESS_SIDE = 128  # pixels; up to here PNG costs little, above it photographs and pages go as JPEG
JPEG_QUALITY = 90
MIN_LAYER_CHARACTERS = 16  # letters and digits of a page's own text; a scan with a stamped number has fewer
_Arguments = ParamSpec("_Arguments")


class StoredImage(NamedTuple):
    """An image as it is stored."""

    extension: str
    data: bytes


def encode(image: Image.Image) -> StoredImage:
    """PNG for a small image, else JPEG; equal bytes for equal pixels."""
    if max(image.size) <= LOSSLESS_SIDE:
        return StoredImage("png", encode_png(image))
    return StoredImage("jpg", encode_jpeg(image, quality=JPEG_QUALITY))


def read_by(reader: SandboxedOcr | None, context: ParseContext | None = None) -> ParseContext:
    """``context`` with what reads pages that have no text of their own; None reads none."""
    return replace(
        context or ParseContext(),
        ocr=reader.text if reader else None,
        ocr_model=reader.model_digest if reader else "",
    )


def read_text(image: Image.Image, text: str, context: ParseContext) -> str:
    """``text``; where it is hardly there, what OCR reads in ``image`` if that is more.

    Raises:
        MediaError: ``ocr_failed``.
    """
    if context.ocr is None or _num_characters(text) >= MIN_LAYER_CHARACTERS:
        return text
    try:
        return max(text, context.ocr(image).strip(), key=_num_characters)
    except OcrError as error:
        raise MediaError("ocr_failed", str(error)) from error


def _num_characters(text: str) -> int:
    """Letters and digits."""
    return sum(map(str.isalnum, text))


def read_image(path: Path, context: ParseContext) -> Image.Image:
    """The RGB image in a file.

    Raises:
        MediaError: ``image_missing``, or as ``MediaDecoder.image``.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise MediaError("image_missing", f"{path.name}: {error.strerror}") from error
    return media_decoder().image(data, max_pixels=context.max_pixels)


def pages_to_render(pdf: PdfDocument, context: ParseContext) -> range:
    """The numbers of the document's pages, as far as they are to be rendered."""
    return range(1, min(pdf.num_pages, context.max_pages or pdf.num_pages) + 1)


def item_or_skip(
    where: str,
    make: Callable[_Arguments, ParsedItem],
    *args: _Arguments.args,
    **kwargs: _Arguments.kwargs,
) -> ParsedItem | SkippedRecord:
    """The item that ``make`` gives; a skip at ``where`` if its media cannot be read."""
    try:
        return make(*args, **kwargs)
    except MediaError as error:
        return SkippedRecord.of(error, where)


def image_item(item: Item, image: Image.Image) -> ParsedItem:
    """``item`` completed with its image: modality, size, media key and, unless it has one, content hash."""
    encoded = encode(image)
    completed = replace(
        item,
        modality=Modality.IMAGE,
        content_hash=item.content_hash or bytes_hash(encoded.data),
        media_key=item.id,
        width=image.width,
        height=image.height,
    )
    return ParsedItem(item=completed, media=MediaBlob(members=((encoded.extension, encoded.data),)))
