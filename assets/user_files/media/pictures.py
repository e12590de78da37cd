"""A file of pictures to items: one each, for the pages of a TIFF, the scenes of an animation, the pieces of a strip."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from assets.corpus.item import Item, Modality
from assets.parsers.identity import text_hash
from assets.parsers.images import image_item, read_text
from assets.parsers.types import ParseContext, ParsedItem, SkippedRecord
from assets.user_files.media.inline_pictures import InlinePicture
from assets.user_files.records import DATASET, FileRecord, ReaderNote
from infra.errors import MediaError
from infra.media import OpenImages, media_decoder, strip_boxes, widened

MAX_LOOKED_AT = 200  # frames of an animation that are compared, evenly spread
MAX_SCENES = 24  # of an animation; of more, as many are kept evenly spread
LOOK = (256, 256)  # pixels to which frames are made smaller before they are compared
CHANGE = 32  # of 255, by which a pixel must differ to have changed
NOTHING_SHARE = 0.98  # of a cut picture's pixels that are alike: hardly a line of it is there
CHANGED_SHARE = 0.001  # of the pixels that makes another scene: a line of text among many


class PictureName(NamedTuple):
    """Which of a file's pictures: ``number`` 0 if it has one only; ``noun`` is what they are."""

    number: int = 0
    noun: str = "page"

    @property
    def title(self) -> str:
        """What follows the file's name."""
        return f" {self.noun} {self.number}" if self.number else ""


def picture_records(path: Path, context: ParseContext) -> Iterator[FileRecord]:
    """Every picture in a file, in order.

    Raises:
        MediaError: as ``MediaDecoder.open_images``, and if nothing of the only picture can be read.
    """
    with media_decoder().open_images(path, max_pixels=context.max_pixels) as images:
        noun = "frame" if images.is_animated else "page"
        numbers: Sequence[int] = range(1, images.num_images + 1)
        if images.is_animated and images.num_images > 1:
            numbers = _scenes(images)
        if len(numbers) < images.num_images:
            yield ReaderNote(f"{len(numbers)} of {images.num_images:,} frames, those that differ most")
        for number in numbers:
            name = PictureName(number, noun) if len(numbers) > 1 else PictureName()
            try:
                yield from pieces(images.image(number), name, context)
            except MediaError as error:
                if images.num_images > 1:
                    yield SkippedRecord.of(error, name.title.strip())
                    continue
                yield from pieces(_left_of(path, error, context), name, context)
                yield SkippedRecord.of(error, "end of the picture")


def _left_of(path: Path, error: MediaError, context: ParseContext) -> Image.Image:
    """What there is of a JPEG that is cut short, the rest grey. Raises ``error`` if that is nothing to be seen."""
    if error.reason != "image_truncated":
        raise error
    try:
        image = media_decoder().image(path.read_bytes(), max_pixels=context.max_pixels, truncated=True)
    except MediaError:
        raise error from None
    if max(image.convert("L").histogram()) > NOTHING_SHARE * image.width * image.height:
        raise error
    return image


def inline_picture_records(pictures: Sequence[InlinePicture], context: ParseContext) -> Iterator[FileRecord]:
    """The pictures inside of a text, with what it says of them."""
    for number, picture in enumerate(pictures, start=1):
        name = PictureName(number, "picture")
        try:
            image = media_decoder().image(picture.data, max_pixels=context.max_pixels)
            yield from pieces(image, name, context, said=picture.alt)
        except MediaError as error:
            yield SkippedRecord.of(error, name.title.strip())
            if said := "\n".join(filter(None, (picture.alt, picture.svg_text))):
                yield ParsedItem(
                    item=Item(
                        id=f"text:#picture-{number}",
                        dataset=DATASET,
                        modality=Modality.TEXT,
                        content_hash=text_hash(name.title, said),
                        title=name.title,
                        text=said,
                        position=float(number),
                    )
                )


def pieces(
    image: Image.Image, name: PictureName, context: ParseContext, *, said: str = ""
) -> Iterator[FileRecord]:
    """The item of a picture, or of each piece of a strip, with what is ``said`` of it and what OCR reads in it."""
    boxes = strip_boxes(*image.size)
    if len(boxes) > 1:
        yield ReaderNote(f"{name.title.strip() or 'picture'} cut into {len(boxes)} parts")
    for part, box in enumerate(boxes, start=1):
        piece = image if len(boxes) == 1 else image.crop(box)
        where = f" part {part} of {len(boxes)}" if len(boxes) > 1 else ""
        place = f"{name.number or 1}-{part}" if len(boxes) > 1 else f"{name.number or ''}"
        item = Item(
            id=f"image:#{place}" if place else "image:",
            dataset=DATASET,
            modality=Modality.IMAGE,
            content_hash="",
            title=name.title + where,
            text="\n".join(filter(None, (said, read_text(piece, "", context)))),
            position=name.number + (part / 1000 if len(boxes) > 1 else 0.0),
        )
        yield image_item(item, widened(piece))


def _scenes(images: OpenImages) -> Sequence[int]:
    """The frames of an animation that differ from the one kept before."""
    chosen: list[int] = []
    last: NDArray[np.int16] | None = None
    for number in _spread(range(1, images.num_images + 1), MAX_LOOKED_AT):
        try:
            frame = images.image(number)
        except MediaError:
            if number == 1:
                return range(1, 2)  # to be reported as what it is
            break  # an animation that is cut short: what comes before is whole
        look = np.asarray(frame.convert("L").resize(LOOK, Image.Resampling.BOX), dtype=np.int16)
        if last is None or (np.abs(look - last) > CHANGE).mean() > CHANGED_SHARE:
            chosen.append(number)
            last = look
    return _spread(chosen, MAX_SCENES)


def _spread(numbers: Sequence[int], limit: int) -> Sequence[int]:
    """At most ``limit`` of ``numbers``, the first among them, at even distances."""
    if len(numbers) <= limit:
        return numbers
    return [numbers[index * len(numbers) // limit] for index in range(limit)]
