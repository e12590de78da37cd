"""Our own pixels as PNG, JPEG and data URIs. Nothing that comes from outside is read here."""

import base64
import io

from PIL import Image


def encode_png(image: Image.Image, *, compress_level: int = 6) -> bytes:
    """Lossless bytes, equal for equal pixels and level (no time stamps, no metadata); 1 is fastest, 9 smallest."""
    return _encode(image, "PNG", compress_level=compress_level)


def encode_jpeg(image: Image.Image, *, quality: int = 90) -> bytes:
    """Lossy bytes for photographs and video frames; equal for equal pixels and quality."""
    return _encode(image, "JPEG", quality=quality)


def data_uri(data: bytes, media_type: str) -> str:
    """``data:<media type>;base64,...``."""
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


def _encode(image: Image.Image, image_format: str, **parameters: int) -> bytes:
    target = io.BytesIO()
    rgb = image if image.mode == "RGB" else image.convert("RGB")  # which would copy it
    rgb.save(target, image_format, **parameters)
    return target.getvalue()
