"""The colours of a decoded image as RGB, whatever its mode. Runs in the decoding process only.

Holds the scaling of grey values that are not bytes, transparency, and colour spaces. Opening files is ``_images.py``.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

PHOTOMETRIC, WHITE_IS_ZERO = 262, 0  # the TIFF tag and its value
SAMPLE_FORMAT, UNSIGNED = 339, 1
OUTLIER_RATIO = 8  # a range this many times that of 99.8 % of the values is one of a few broken pixels
SAMPLE_PIXELS = 1_000_000  # looked at for the range without outliers
DARK_MAXIMUM = 64  # of 255; deeper samples than 8 bits of which only the low ones are used look black
LIGHT_MEAN = 200  # of 255, of what is not transparent: it would not be seen on white
_OPAQUE = 128


def to_rgb(image: Image.Image, *, deep: bool = False) -> Image.Image:
    """A loaded image in RGB: transparency over white, or over black if what is there is nearly white.

    Grey values of 16 bits and more are scaled to the range that they have. ``deep``: the file has samples of 16 bits of
    which Pillow kept the upper half.
    """
    if image.mode.startswith(("I", "F")):
        return Image.fromarray(_scaled(image)).convert("RGB")
    if image.mode == "LAB":
        return _from_lab(image)
    rgb = _brightened(image.convert("RGB")) if deep else image.convert("RGB")
    return _on_paper(rgb, image.convert("RGBA").getchannel("A")) if image.has_transparency_data else rgb


def _scaled(image: Image.Image) -> NDArray[np.uint8]:
    values = np.asarray(image)
    if values.dtype == np.int32 and _tag(image, SAMPLE_FORMAT, UNSIGNED) == UNSIGNED:
        values = values.view(np.uint32) if image.format == "TIFF" else values
    low, high = _range(values)
    if high <= low:  # one grey all over
        full = np.iinfo(values.dtype).max if values.dtype.kind in "iu" else 1.0
        low, high = 0.0, max(float(full), high)
    grey = (np.nan_to_num(values, nan=low, posinf=high, neginf=low).astype(np.float32) - low) / (high - low)
    scaled = (np.clip(grey, 0.0, 1.0) * 255 + 0.5).astype(np.uint8)
    # Pillow turns round what has one byte, and leaves the rest as it is stored
    return 255 - scaled if _tag(image, PHOTOMETRIC, 1) == WHITE_IS_ZERO else scaled


def _range(values: NDArray[np.generic]) -> tuple[float, float]:
    flat = values.reshape(-1)
    finite = flat[np.isfinite(flat)]
    if not finite.size:
        return 0.0, 0.0
    low, high = float(finite.min()), float(finite.max())
    sample = finite[:: max(1, finite.size // SAMPLE_PIXELS)].astype(np.float64)
    inner_low, inner_high = (float(value) for value in np.percentile(sample, (0.1, 99.9)))
    is_outlying = inner_high > inner_low and high - low > OUTLIER_RATIO * (inner_high - inner_low)
    return (inner_low, inner_high) if is_outlying else (low, high)


def _tag(image: Image.Image, number: int, default: int) -> int:
    """A number of the TIFF's directory."""
    value = getattr(image, "tag_v2", {}).get(number, default)
    value = value[0] if isinstance(value, tuple) and value else value
    return value if isinstance(value, int) else default


def _from_lab(image: Image.Image) -> Image.Image:
    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
    return converted or image.getchannel("L").convert("RGB")


def _on_paper(rgb: Image.Image, alpha: Image.Image) -> Image.Image:
    visible = np.asarray(alpha) >= _OPAQUE
    grey = np.asarray(rgb.convert("L"))
    is_light = visible.any() and not visible.all() and grey[visible].mean() >= LIGHT_MEAN
    paper = Image.new("RGB", rgb.size, "black" if is_light else "white")
    paper.paste(rgb, mask=alpha)
    return paper


def _brightened(rgb: Image.Image) -> Image.Image:
    values = np.asarray(rgb)
    brightest = int(values.max(initial=0))
    if not 0 < brightest <= DARK_MAXIMUM:
        return rgb
    return Image.fromarray((values.astype(np.uint16) * 255 // brightest).astype(np.uint8))
