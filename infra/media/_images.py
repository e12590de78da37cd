"""Raw decoding of images, with limits on their size. Runs in the decoding process only.

A file may hold several: the pages of a TIFF, the frames of an animation. Colours are ``_tones.py``.
"""

import io
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pi_heif
from PIL import Image, UnidentifiedImageError
from PIL.Image import Transpose

from infra.errors import MediaError
from infra.limits import MAX_IMAGE_PIXELS, MAX_IMAGES
from infra.media._grey_layouts import list_grey_layouts, unpack_as_decoded
from infra.media._tones import to_rgb

JPEG_START, JPEG_END = b"\xff\xd8", b"\xff\xd9"
# what the benchmarks hold and what phones and scanners write; every further decoder is attack surface
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF")
ANIMATED = frozenset({"PNG", "WEBP", "GIF", "AVIF"})  # several images of these follow each other in time
ORIENTATION = 0x0112  # the EXIF tag
SUBFILE_TYPE, REDUCED = 254, 1  # the TIFF tag and its bit: a smaller copy of another image of the file
_UPRIGHT = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}
_MARKS = {
    **{b"\x89PNG": "PNG", b"\xff\xd8\xff": "JPEG", b"GIF8": "GIF", b"II*\0": "TIFF", b"MM\0*": "TIFF"},
    **{b"WEBPVP8": "WebP", b"ftypavi": "AVIF", b"ftyphe": "HEIC", b"ftypmif": "HEIC", b"ftypmsf": "HEIC"},
}
pi_heif.register_heif_opener(thumbnails=False)
list_grey_layouts()


class ImageFile:
    """An open file with one image or more, numbered from 1 in their order."""

    def __init__(self, image: Image.Image, max_pixels: int) -> None:
        self._image, self._max_pixels = image, max_pixels
        self.is_animated = image.format in ANIMATED
        self._places = _places(image)
        self.num_images = len(self._places)

    def image(self, number: int) -> Image.Image:
        """Image ``number`` as upright RGB. Raises ``ValueError`` for none, ``MediaError`` as ``decode``."""
        if not 1 <= number <= self.num_images:
            raise ValueError(f"image {number} of a file with {self.num_images}")
        image = self._image
        try:
            if self.num_images > 1:
                image.seek(self._places[number - 1])
            _check_size(image, self._max_pixels)
            deep = ";16" in str(getattr(image, "tile", ""))
            unpack_as_decoded(image)
            image.load()
            return _upright(to_rgb(image, deep=deep), image)
        except (MediaError, MemoryError):
            raise
        except Exception as error:
            raise MediaError("image_truncated", str(error) or type(error).__name__) from error


@contextmanager
def open_images(source: Path | bytes, *, max_pixels: int = MAX_IMAGE_PIXELS) -> Iterator[ImageFile]:
    """Open a file of one image or more.

    Raises:
        MediaError: as ``MediaDecoder.open_images``.
    """
    with ExitStack() as stack:
        try:
            # never by its path: Pillow maps the pixels of a file into memory, those of a turned TIFF as if it were upright
            file = io.BytesIO(source) if isinstance(source, bytes) else stack.enter_context(source.open("rb"))
            image = stack.enter_context(Image.open(file, formats=FORMATS))
        except Image.DecompressionBombError as error:
            raise MediaError("image_too_large", str(error)) from error
        except FileNotFoundError as error:
            raise MediaError("image_missing", str(error.filename)) from error
        except MemoryError:
            raise
        except Exception as error:
            what = "no known picture" if isinstance(error, UnidentifiedImageError) else str(error)
            raise MediaError("image_unreadable", _named(source) + (what or type(error).__name__)) from error
        yield ImageFile(image, max_pixels)


def decode(data: bytes, *, max_pixels: int = MAX_IMAGE_PIXELS) -> Image.Image:
    """The first image of a file as upright RGB.

    Raises:
        MediaError: as ``MediaDecoder.image``.
    """
    with open_images(data, max_pixels=max_pixels) as images:
        return images.image(1)


def decode_truncated(data: bytes, *, max_pixels: int = MAX_IMAGE_PIXELS) -> Image.Image:
    """As ``decode``, but of a JPEG that is cut short what there is, the rest grey.

    Raises:
        MediaError: as ``decode``; ``image_truncated`` for any other format.
    """
    # libjpeg shows what came before an end marker, and Pillow does not see that it came too early
    return decode(data + JPEG_END if data.startswith(JPEG_START) else data, max_pixels=max_pixels)


def _named(source: Path | bytes) -> str:
    """What a file claims to be, which its name may not say."""
    if isinstance(source, Path):
        with source.open("rb") as file:
            head = file.read(32)
    else:
        head = source[:32]
    name = next((name for mark, name in _MARKS.items() if mark in head), "")
    return f"damaged {name}: " if name else ""


def _check_size(image: Image.Image, max_pixels: int) -> None:
    if image.width * image.height > max_pixels:
        raise MediaError("image_too_large", f"{image.width} x {image.height} pixels, limit {max_pixels}")


def _places(image: Image.Image) -> range | list[int]:
    """Where the images are that are not smaller copies of others; only the first if the others cannot be found."""
    if image.format in ("JPEG", "MPO"):  # further images of a photograph: previews, depth, the other eye
        return [0]
    try:
        count = min(getattr(image, "n_frames", 1), MAX_IMAGES)
        if image.format != "TIFF" or count == 1:
            return range(count)
        places = [place for place in range(count) if not _is_reduced(image, place)]
        image.seek(0)
    except MemoryError:
        raise
    except Exception:
        return [0]
    return places or [0]


def _is_reduced(image: Image.Image, place: int) -> bool:
    image.seek(place)
    kind = getattr(image, "tag_v2", {}).get(SUBFILE_TYPE, 0)
    return isinstance(kind, int) and bool(kind & REDUCED)


def _upright(rgb: Image.Image, image: Image.Image) -> Image.Image:
    """Turned as the EXIF data of the loaded ``image`` say, if they can be read."""
    try:
        turn = _UPRIGHT.get(image.getexif().get(ORIENTATION, 1))
    except Exception:
        return rgb
    return rgb if turn is None else rgb.transpose(turn)
