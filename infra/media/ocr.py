"""Which recognition model OCR reads with: the package's, or one of PP-OCR that lies on this machine.

It is named by whoever asks, else by ``VIMRAG_OCR_MODEL``. A model is tried in the decoding process before anything is read with
it; nothing is downloaded.
"""

import hashlib
import os
from functools import cache
from pathlib import Path
from typing import NamedTuple

from infra.errors import MediaError
from infra.media import jobs
from infra.media.decoding import SandboxedOcr, shared_runner
from infra.media.sandbox.process import Job, JobResult
from infra.media.types import OcrModel

MODEL_VARIABLE = "VIMRAG_OCR_MODEL"
MOST_TEXTS = 16  # beside a model, that may hold its characters
TALLEST = 512  # pixels of a line


class ExaminedModel(NamedTuple):
    """What the decoding process found: the number of the text file with the characters, or None, and the rest."""

    name: str
    characters: int | None
    height: int
    scripts: tuple[str, ...]


def ocr_reader(model: str | Path | None = None, *, num_threads: int = 0) -> SandboxedOcr:
    """What reads pictures: with ``model``, else with that of the environment, else with the package's.

    Raises:
        ValueError: as ``ocr_model``.
    """
    named = model or os.environ.get(MODEL_VARIABLE)
    return SandboxedOcr(num_threads=num_threads, model=ocr_model(named) if named else None)


def ocr_model(place: str | Path) -> OcrModel:
    """The recognition model at ``place``: an ``.onnx`` file, or a folder with one.

    Raises:
        ValueError: if there is none, or it cannot be used; one line that says what to do.
    """
    path = _file_of(Path(place).expanduser())
    beside = _texts_beside(path)
    keys = tuple(jobs.file_key(each) for each in (path, *beside))
    try:
        return _examined(path, beside, keys)
    except MediaError as error:
        raise ValueError(f"the OCR model {path} cannot be used: {error.detail or error.reason}") from error
    except OSError as error:
        raise ValueError(f"the OCR model {path} cannot be read: {error.strerror}") from error


def package_model() -> ExaminedModel:
    """The recognition model that travels in the package. Raises ``ExternalError``."""
    return _ask("", ())


def _file_of(place: Path) -> Path:
    wanted = "give the .onnx file of a PP-OCR recognition model, or its folder"
    if not place.exists():
        raise ValueError(f"there is no OCR model at {str(place)!r}: {wanted}")
    if not place.is_dir():
        return place.absolute()
    models = sorted(place.glob("*.onnx"))
    recognisers = [each for each in models if "rec" in each.stem.lower()]
    fitting = models if len(models) == 1 else recognisers
    if len(fitting) != 1:
        found = f"{len(models)} .onnx files, which of them is not clear" if models else "no .onnx file"
        raise ValueError(f"the folder {str(place)!r} has {found}: {wanted}")
    return fitting[0].absolute()


def _texts_beside(model: Path) -> tuple[Path, ...]:
    texts = sorted(each for each in model.parent.glob("*.txt") if each.is_file())
    return tuple(sorted(texts, key=lambda each: each.stem != model.stem)[:MOST_TEXTS])


@cache
def _examined(path: Path, beside: tuple[Path, ...], keys: tuple[str, ...]) -> OcrModel:
    """``keys`` are others once a file has changed."""
    found = _ask(str(path), beside)
    characters = None if found.characters is None else beside[found.characters]
    hashed = hashlib.sha256()
    for file in filter(None, (path, characters)):
        with file.open("rb") as opened:
            hashed.update(hashlib.file_digest(opened, "sha256").digest())
    return OcrModel(str(path), str(characters or ""), found.height, found.scripts, hashed.hexdigest())


def _ask(path: str, beside: tuple[Path, ...]) -> ExaminedModel:
    job = Job(
        operation="examine",
        arguments={"path": path, "beside": [str(each) for each in beside]},
        limits=jobs.SHORT,
    )

    def believed(answer: JobResult) -> ExaminedModel:
        name, characters, height, scripts = (
            answer.result.get(key) for key in ("name", "characters", "height", "scripts")
        )
        is_text = isinstance(characters, int) and 0 <= characters < len(beside)
        if not (characters is None or is_text) or not isinstance(height, int) or not 0 < height <= TALLEST:
            raise MediaError("decoder_failed", "an answer about a model that is none")
        named = tuple(str(script)[:40] for script in scripts) if isinstance(scripts, list) else ()
        return ExaminedModel(str(name)[:200], characters, height, named)

    return shared_runner("ocr").call(job, believed)
