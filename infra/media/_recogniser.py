"""Whether a file is a recognition model of PP-OCR, and what it can tell apart. Runs in the decoding process only."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from infra.errors import MediaError
from infra.limits import MAX_OCR_CHARACTERS_BYTES
from infra.media.scripts import scripts_of

UNUSABLE = "ocr_model_unusable"
USUAL_HEIGHT = 48  # pixels of a line, where the model does not say
_CHARACTERS = "character"  # key of the metadata
_BESIDE = (1, 2)  # classes more than characters: one for nothing, and mostly one for the blank
_LINES, _WIDTH = 2, 320  # of the picture that it is tried with


class Recogniser(NamedTuple):
    """What a model is. ``characters``: which of the text files they are in; None where the model holds them itself."""

    characters: int | None
    height: int
    scripts: dict[str, int]


def examine(model: Path, beside: Sequence[Path]) -> Recogniser:
    """What ``model`` is, its characters being in itself or in one of the text files ``beside``.

    Raises:
        MediaError: ``ocr_model_unusable``; its detail says why, and what to do.
    """
    session = _session(model)
    height, num_classes = _shape(session)
    held: str | None = session.get_modelmeta().custom_metadata_map.get(_CHARACTERS)
    if held is not None:
        characters = held.splitlines()
        if num_classes - len(characters) not in _BESIDE:
            raise _unfit(num_classes, {"its metadata": len(characters)})
        return Recogniser(None, height, scripts_of(characters))
    counts: dict[str, int] = {}
    for number, file in enumerate(beside):
        characters = _lines(file)
        if num_classes - len(characters) in _BESIDE:
            return Recogniser(number, height, scripts_of(characters))
        counts[file.name] = len(characters)
    if not counts:
        raise MediaError(
            UNUSABLE,
            f"it does not hold its characters: put the text file of them, one a line, beside it as {model.stem}.txt",
        )
    raise _unfit(num_classes, counts)


def package_model() -> Path:
    """The recognition model that travels in the package."""
    import rapidocr

    return next(Path(rapidocr.__file__).parent.joinpath("models").glob("*_rec_*.onnx"))


def _session(model: Path) -> Any:
    from onnxruntime import InferenceSession, SessionOptions

    options = SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    try:
        return InferenceSession(str(model), sess_options=options, providers=["CPUExecutionProvider"])
    except MemoryError:
        raise
    except Exception as error:
        raise MediaError(UNUSABLE, "damaged, or no ONNX model: fetch it again") from error


def _shape(session: Any) -> tuple[int, int]:
    """Height of a line in pixels, and number of classes, by reading two blank lines."""
    inputs = session.get_inputs()
    sides = inputs[0].shape
    height = sides[2] if len(sides) == 4 and isinstance(sides[2], int) else USUAL_HEIGHT
    try:
        blank = np.zeros((_LINES, 3, height, _WIDTH), dtype=np.float32)
        answer = session.run(None, {inputs[0].name: blank})[0]
    except Exception as error:
        raise MediaError(UNUSABLE, _other("it does not take pictures of lines")) from error
    if len(inputs) != 1 or answer.ndim != 3 or len(answer) != _LINES:
        raise MediaError(UNUSABLE, _other(f"of two lines it gives {' x '.join(map(str, answer.shape))}"))
    return height, answer.shape[2]


def _other(what: str) -> str:
    return f'no recognition model of PP-OCR ({what}): take the one that has "rec" in its name'


def _unfit(num_classes: int, counts: dict[str, int]) -> MediaError:
    found = ", ".join(f"{count:,} in {name}" for name, count in counts.items())
    return MediaError(
        UNUSABLE, f"it tells {num_classes - 2:,} characters apart, but there are {found}: give it its own"
    )


def _lines(file: Path) -> list[str]:
    """The characters in a text file as RapidOCR reads them; none if it is no such file."""
    if file.stat().st_size > MAX_OCR_CHARACTERS_BYTES:
        return []
    try:
        text = file.read_bytes().decode()
    except UnicodeDecodeError:
        return []
    return text.removesuffix("\n").split("\n")
