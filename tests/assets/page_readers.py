"""Readers of pictures that workers load by name: one that fails, one that kills its worker once, one that only counts."""

from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import Callable
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from infra.errors import MediaError
from infra.media import OcrError, media_decoder


def page(text: str) -> Image.Image:
    image = Image.new("RGB", (320, 80), "white")
    ImageDraw.Draw(image).text((12, 20), text, fill="black", font=ImageFont.load_default(28))
    return image


def size_of(image: Image.Image) -> str:
    return f"a picture of {image.width} x {image.height}"


class PartlyFailing:
    """OCR that fails on a picture whose first pixel is red."""

    def __init__(self, ocr: Callable[[Image.Image], str]) -> None:
        self._ocr = ocr

    def text(self, image: Image.Image) -> str:
        if image.getpixel((0, 0)) == (255, 0, 0):
            raise OcrError("OCR: a red corner")
        return self._ocr(image)


class Described:
    """Stands for a captioner: says size and hash of the pixels, and appends what it was given to a log."""

    def __init__(self, log: Path | None = None, *, dies_at: int = 0, once: Path | None = None) -> None:
        self._log, self._dies_at, self._once = log, dies_at, once
        self._count = 0

    def __call__(self, data: bytes) -> str:
        self._count += 1
        if self._count == self._dies_at:
            self._die()
        image = media_decoder().image(data)
        if image.getpixel((0, 0)) == (255, 0, 0):
            raise MediaError("caption_refused", "a red corner")
        digest = hashlib.sha256(image.tobytes()).hexdigest()
        if self._log:
            with self._log.open("a") as log:
                log.write(f"{digest}\n")
        return f"{image.width} x {image.height} {digest}"

    def _die(self) -> None:
        if self._once is not None:
            try:
                self._once.touch(exist_ok=False)
            except FileExistsError:
                return
        os.kill(os.getpid(), signal.SIGKILL)
