"""Text in images, by RapidOCR. Runs in the decoding process only.

The models travel inside the package, or lie on this machine: what RapidOCR would download is refused.
"""

import logging
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import numpy as np
from PIL import Image

from infra.errors import boundary
from infra.media.tiles import strip_boxes, widened
from infra.media.types import OcrError
from infra.media.visual_order import spoken_order
from infra.media.word_places import Piece, PlaceBox

ENLARGED_SIDE = 256  # pixels the shorter side is enlarged to for detection; the engine's 736 read no more, four times slower


LINE_WIDTH = 320  # pixels the engine enlarges shorter lines to; longer ones keep their length


class RecogniserFiles(NamedTuple):
    """A recognition model on this machine. ``characters`` is empty where it holds them itself; ``height`` of a line in pixels."""

    model: str
    characters: str
    height: int


class RapidOcr:
    """PP-OCR on onnxruntime, loaded at first use; one image at a time."""

    def __init__(self, *, num_threads: int = 0, recogniser: RecogniserFiles | None = None) -> None:
        """``num_threads`` of the engine; 0 leaves the choice to onnxruntime. Without a ``recogniser`` the package's reads."""
        self._num_threads, self._recogniser = num_threads, recogniser
        self._engine: Any = None

    def text(self, image: Image.Image) -> str:
        """The lines of an RGB image in reading order, joined by newlines. Raises ``OcrError``."""
        lines: list[str] = []
        for box in strip_boxes(*image.size):  # the detector refuses strips
            found = self._lines(image.crop(box))
            # where two pieces overlap, a line is read twice
            lines += found[1:] if lines and found[:1] == lines[-1:] else found
        return "\n".join(lines)

    def pieces(self, image: Image.Image) -> list[Piece]:
        """The lines of an RGB image with their places on it. Raises ``OcrError``."""
        found: list[Piece] = []
        for box in strip_boxes(*image.size):
            part = image.crop(box)
            wide = widened(part)
            left = box.left - (wide.width - part.width) // 2
            top = box.top - (wide.height - part.height) // 2
            read = self._read(wide)
            corners: Any = () if read.boxes is None else read.boxes
            for points, text in zip(corners, _texts(read), strict=True):
                xs, ys = [float(x) for x, _ in points], [float(y) for _, y in points]
                place = PlaceBox(
                    (left + min(xs)) / image.width,
                    (top + min(ys)) / image.height,
                    (max(xs) - min(xs)) / image.width,
                    (max(ys) - min(ys)) / image.height,
                )
                found.append(Piece(text, place))
        return found

    def _lines(self, image: Image.Image) -> list[str]:
        return _texts(self._read(widened(image)))

    def _read(self, image: Image.Image) -> Any:
        pixels = np.asarray(image)[:, :, ::-1]  # the engine expects BGR
        with boundary(OcrError, "OCR"):
            self._engine = self._engine or self._load()
            return self._engine(np.ascontiguousarray(pixels))

    def _load(self) -> Any:
        from rapidocr import RapidOCR  # imports onnxruntime and OpenCV: seconds that most builds never need
        from rapidocr.utils.download_file import DownloadFile

        DownloadFile._make_http_request = _refuse_download

        logging.getLogger("RapidOCR").setLevel(logging.ERROR)
        parameters: dict[str, Any] = {"Global.log_level": "error", "Det.limit_side_len": ENLARGED_SIDE}
        if self._num_threads:
            parameters["EngineConfig.onnxruntime.intra_op_num_threads"] = self._num_threads
        if recogniser := self._recogniser:
            parameters["Rec.model_path"] = recogniser.model
            parameters["Rec.rec_img_shape"] = [3, recogniser.height, LINE_WIDTH]
            if recogniser.characters:
                parameters["Rec.rec_keys_path"] = recogniser.characters
        return RapidOCR(params=parameters)


def _texts(read: Any) -> list[str]:
    return [spoken_order(text) for text in read.txts or ()]


def _refuse_download(url: str, logger: logging.Logger) -> NoReturn:
    raise OcrError(f"{Path(url).name} is not in the package of RapidOCR, and nothing is downloaded")
