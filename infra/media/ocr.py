"""Text in pictures. The models travel inside the package: nothing is downloaded.

Holds the Protocol and its RapidOCR adapter; when OCR is needed is decided by the dataset parsers.
"""

from __future__ import annotations

import logging
from threading import Lock
from typing import Any, Protocol

import numpy as np
from PIL import Image

from infra.errors import ExternalError, boundary

MIN_SIDE = 8  # pixels; nothing legible is smaller, and the detector fails on it
ENLARGED_SIDE = 256  # pixels the shorter side is enlarged to for detection; the engine's 736 read no more, four times slower


class OcrError(ExternalError):
    """The OCR engine could not be loaded or failed on a picture."""


class Ocr(Protocol):
    """Reads the text of a picture."""

    def text(self, image: Image.Image) -> str:
        """The lines in reading order, joined by newlines; empty where there is no text."""
        ...


class RapidOcr:
    """PP-OCR on onnxruntime: loaded at first use, one picture at a time; pickles without its engine."""

    def __init__(self, *, num_threads: int = 0) -> None:
        """``num_threads`` of the engine; 0 leaves the choice to onnxruntime."""
        self._num_threads = num_threads
        self._engine: Any = None
        self._lock = Lock()

    def text(self, image: Image.Image) -> str:
        """See ``Ocr.text``. Raises ``OcrError``."""
        if min(image.size) < MIN_SIDE:
            return ""
        pixels = np.asarray(image.convert("RGB"))[:, :, ::-1]  # the engine expects BGR
        with self._lock, boundary(OcrError, "OCR"):
            self._engine = self._engine or self._load()
            return "\n".join(self._engine(np.ascontiguousarray(pixels)).txts or ())

    def _load(self) -> Any:
        from rapidocr import RapidOCR  # imports onnxruntime and OpenCV: seconds that most builds never need

        logging.getLogger("RapidOCR").setLevel(logging.ERROR)
        parameters: dict[str, Any] = {"Global.log_level": "error", "Det.limit_side_len": ENLARGED_SIDE}
        if self._num_threads:
            parameters["EngineConfig.onnxruntime.intra_op_num_threads"] = self._num_threads
        return RapidOCR(params=parameters)

    def __getstate__(self) -> dict[str, int]:
        """The settings alone."""
        return {"num_threads": self._num_threads}

    def __setstate__(self, state: dict[str, int]) -> None:
        """Load the engine again at first use."""
        self.__init__(num_threads=state["num_threads"])
