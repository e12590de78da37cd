"""Raw decoding of images, with limits on their size. Runs in the decoding process only."""

import io

from PIL import Image, ImageOps, UnidentifiedImageError

from infra.errors import MediaError
from infra.limits import MAX_IMAGE_PIXELS

JPEG_START, JPEG_END = b"\xff\xd8", b"\xff\xd9"
# what the benchmarks hold; every further decoder is attack surface
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")


def decode(data: bytes, *, max_pixels: int = MAX_IMAGE_PIXELS) -> Image.Image:
    """The first frame of an image as upright RGB, transparency over white.

    Raises:
        MediaError: as ``MediaDecoder.image``.
    """
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise MediaError("image_too_large", str(error)) from error
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise MediaError("image_unreadable", str(error) or type(error).__name__) from error
    if image.width * image.height > max_pixels:
        raise MediaError("image_too_large", f"{image.width} x {image.height} pixels, limit {max_pixels}")
    try:
        image.load()
        return _to_rgb(ImageOps.exif_transpose(image))
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise MediaError("image_truncated", str(error) or type(error).__name__) from error


def decode_truncated(data: bytes, *, max_pixels: int = MAX_IMAGE_PIXELS) -> Image.Image:
    """As ``decode``, but of a JPEG that is cut short what there is, the rest grey.

    Raises:
        MediaError: as ``decode``; ``image_truncated`` for any other format.
    """
    # libjpeg shows what came before an end marker, and Pillow does not see that it came too early
    return decode(data + JPEG_END if data.startswith(JPEG_START) else data, max_pixels=max_pixels)


def _to_rgb(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image.convert("RGB")
    rgba = image.convert("RGBA")
    opaque = Image.new("RGB", rgba.size, "white")
    opaque.paste(rgba, mask=rgba.getchannel("A"))
    return opaque
