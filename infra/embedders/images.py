"""Images as an embedder takes them: in RGB, no larger than a limit. Pillow only."""

import math

from PIL import Image

MAX_RATIO = 200  # of the longer side to the shorter; the image processors of Qwen-VL refuse more


def rgb(image: Image.Image) -> Image.Image:
    """The image in RGB; what is transparent is white, as on paper."""
    if image.mode == "RGB":
        return image
    if "A" in image.getbands() or "transparency" in image.info:
        layer = image.convert("RGBA")
        paper = Image.new("RGBA", image.size, (255, 255, 255, 255))
        return Image.alpha_composite(paper, layer).convert("RGB")
    return image.convert("RGB")


def check_proportions(width: int, height: int) -> None:
    """Refuse what no embedder reads.

    Raises:
        ValueError: for an image without area or one that is more than 200 times longer than wide.
    """
    if min(width, height) < 1 or max(width, height) > MAX_RATIO * min(width, height):
        raise ValueError(
            f"an image of {width} x {height} px is too narrow: one side may be {MAX_RATIO} times the other"
        )


def shrunk(image: Image.Image, max_pixels: int) -> Image.Image:
    """The image in RGB with an area of at most ``max_pixels``, proportions kept; errors as ``check_proportions``."""
    check_proportions(image.width, image.height)
    image = rgb(image)
    scale = math.sqrt(max_pixels / (image.width * image.height))
    if scale >= 1:
        return image
    size = (max(1, math.floor(image.width * scale)), max(1, math.floor(image.height * scale)))
    return image.resize(size, Image.Resampling.LANCZOS)
