"""What the decoding process can be asked for; the asking side of each operation is in ``infra/media/decoding.py``.

The only importer of the raw decoders. Images are answered as Pillow keeps RGB: four bytes for each pixel, the last without
meaning, row by row.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow as pa
from PIL import Image

from infra.documents.blocks import to_parts
from infra.documents.bounds import bounded
from infra.documents.formats import read_document
from infra.media import _clip_files, _images, _pdf, _recogniser, _sound, _spoken, _video
from infra.media._ocr import RapidOcr, RecogniserFiles
from infra.media._speech import WhisperSpeech
from infra.media.sandbox.wire import Operation, OperationResult
from infra.media.tiles import Box
from infra.media.types import ClipRange, OcrError, SpeechError
from infra.media.word_places import find


class _OpenDocument:
    """The document that is open; its pages are asked for one by one."""

    def __init__(self) -> None:
        self._token = ""
        self._open = ExitStack()
        self._pdf: _pdf.Pdf | None = None

    def get(self, arguments: dict[str, Any], payload: bytes | None) -> _pdf.Pdf:
        if self._pdf is None or self._token != arguments["token"]:
            self.close()
            source, page_limit = _source(arguments, payload), arguments["page_limit"]
            self._pdf = self._open.enter_context(_pdf.open_pdf(source, page_limit=page_limit))
            self._token = arguments["token"]
        return self._pdf

    def close(self) -> None:
        self._pdf = None
        self._open.close()


class _OpenImages:
    """The file of images that is open; they are asked for one by one."""

    def __init__(self) -> None:
        self._token = ""
        self._open = ExitStack()
        self._images: _images.ImageFile | None = None

    def get(self, arguments: dict[str, Any], payload: bytes | None) -> _images.ImageFile:
        if self._images is None or self._token != arguments["token"]:
            self.close()
            source, max_pixels = _source(arguments, payload), arguments["max_pixels"]
            self._images = self._open.enter_context(_images.open_images(source, max_pixels=max_pixels))
            self._token = arguments["token"]
        return self._images

    def close(self) -> None:
        self._images = None
        self._open.close()


class _OpenCut:
    """The video that is being cut; its clips are asked for one by one, in order."""

    def __init__(self) -> None:
        self._token = ""
        self._clips: Iterator[bytes] = iter(())
        self._next = 0

    def clip(self, arguments: dict[str, Any]) -> bytes:
        if self._token != arguments["token"]:
            ranges = [ClipRange(*limits) for limits in arguments["clips"]]
            self._clips = _clip_files.encoded_clips(Path(arguments["path"]), ranges)
            self._token, self._next = arguments["token"], 0
        if arguments["index"] != self._next:
            raise ValueError(f"clip {arguments['index']} was asked for, clip {self._next} is next")
        self._next += 1
        return next(self._clips, b"")


class _OpenSound:
    """The sound that is open; its pieces are asked for one by one, mostly in order."""

    def __init__(self) -> None:
        self._token = ""
        self._pieces: Iterator[bytes] = iter(())
        self._next = 0

    def piece(self, arguments: dict[str, Any], payload: bytes | None) -> bytes:
        if (self._token, self._next) != (arguments["token"], arguments["index"]):
            source, index = _source(arguments, payload), arguments["index"]
            self._pieces = _sound.pieces(source, piece_s=arguments["piece_s"], first=index)
            self._token, self._next = arguments["token"], index
        self._next += 1
        return next(self._pieces, b"")

    def close(self) -> None:
        self._token, self._pieces = "", iter(())


_DOCUMENT = _OpenDocument()
_IMAGES = _OpenImages()
_CUT = _OpenCut()
_SOUND = _OpenSound()
_SPEECH: dict[str, WhisperSpeech] = {}  # by the folder of their model; one process has one
_OCR_ENGINES: dict[
    tuple[int, str], RapidOcr
] = {}  # by the number of their threads and the hash of their model


def _source(arguments: dict[str, Any], payload: bytes | None) -> Path | bytes:
    return Path(arguments["path"]) if payload is None else payload


def _decode(arguments: dict[str, Any], payload: bytes | None) -> OperationResult:
    decode = _images.decode_truncated if arguments["truncated"] else _images.decode
    return _pixels([decode(payload or b"", max_pixels=arguments["max_pixels"])])


def _open_images(arguments: dict[str, Any], payload: bytes | None) -> OperationResult:
    images = _IMAGES.get(arguments, payload)
    return OperationResult({"num_images": images.num_images, "is_animated": images.is_animated})


def _image(arguments: dict[str, Any], payload: bytes | None) -> OperationResult:
    return _pixels([_IMAGES.get(arguments, payload).image(arguments["number"])])


def _close_images(arguments: dict[str, Any], payload: bytes | None) -> OperationResult:
    _IMAGES.close()
    return OperationResult({})


def _open_pdf(arguments: dict[str, Any], payload: bytes | None) -> OperationResult:
    document = _DOCUMENT.get(arguments, payload)
    return OperationResult({"num_pages": document.num_pages, "is_damaged": document.is_damaged})


def _page(arguments: dict[str, Any], payload: bytes | None) -> OperationResult:
    document = _DOCUMENT.get(arguments, payload)
    box = Box(*arguments["box"]) if arguments.get("box") else None
    page = document.page(
        arguments["number"], dpi=arguments["dpi"], max_pixels=arguments["max_pixels"], box=box
    )
    text = page.text.encode("utf-8", "replace")
    image = _pixels([page.image])
    result = {**image.result, "facts": list(page.facts)}
    return OperationResult(result, (len(text), *image.sizes), (text, *image.parts))


def _plain_page(arguments: dict[str, Any], payload: bytes | None) -> OperationResult:
    document = _DOCUMENT.get(arguments, payload)
    page = document.plain_page(arguments["number"], dpi=arguments["dpi"], max_pixels=arguments["max_pixels"])
    text = page.text.encode("utf-8", "replace")
    result = {"size": [page.width, page.height], "facts": list(page.facts)}
    return OperationResult(result, (len(text), len(page.own)), (text, page.own))


def _beside(arguments: dict[str, Any], payload: bytes | None) -> OperationResult:
    parts = to_parts(bounded(_DOCUMENT.get(arguments, payload).beside()))
    return OperationResult({}, tuple(map(len, parts)), parts)


def _find(arguments: dict[str, Any], payload: bytes | None) -> OperationResult:
    boxes = _DOCUMENT.get(arguments, payload).find(arguments["number"], arguments["words"])
    return OperationResult({"boxes": [list(box) for box in boxes]})


def _find_read(arguments: dict[str, Any], payload: bytes | None) -> OperationResult:
    size = (arguments["width"], arguments["height"])
    try:
        pieces = _engine(arguments).pieces(Image.frombytes("RGB", size, payload or b""))
    except OcrError as error:
        return OperationResult({"failed": str(error)})
    return OperationResult({"boxes": [list(box) for box in find(pieces, arguments["words"])]})


def _engine(arguments: dict[str, Any]) -> RapidOcr:
    num_threads, model = arguments["num_threads"], arguments.get("model")
    files = RecogniserFiles(model["path"], model["characters"], model["height"]) if model else None
    key = (num_threads, model["digest"] if model else "")
    return _OCR_ENGINES.setdefault(key, RapidOcr(num_threads=num_threads, recogniser=files))


def _examine(arguments: dict[str, Any], payload: bytes | None) -> OperationResult:
    path = Path(arguments["path"]) if arguments["path"] else _recogniser.package_model()
    found = _recogniser.examine(path, [Path(each) for each in arguments["beside"]])
    return OperationResult({**found._asdict(), "scripts": list(found.scripts), "name": path.name})


def _close_pdf(arguments: dict[str, Any], payload: bytes | None) -> OperationResult:
    _DOCUMENT.close()
    return OperationResult({})


def _probe(arguments: dict[str, Any], payload: bytes | None) -> OperationResult:
    return OperationResult(_video.probe(_source(arguments, payload))._asdict())


def _frames(arguments: dict[str, Any], payload: bytes | None) -> OperationResult:
    source, is_partial = _source(arguments, payload), arguments.get("is_partial", False)
    found = _video.frames(source, arguments["times"], is_partial=is_partial)
    return _pixels([frame.image for frame in found])


def _spoken_words(arguments: dict[str, Any], payload: bytes | None) -> OperationResult:
    tracks = _spoken.subtitle_tracks(_source(arguments, payload))
    data = json.dumps(tracks).encode()
    return OperationResult({}, (len(data),), (data,))


def _open_sound(arguments: dict[str, Any], payload: bytes | None) -> OperationResult:
    return OperationResult({"duration_s": _sound.duration_s(_source(arguments, payload))})


def _sound_piece(arguments: dict[str, Any], payload: bytes | None) -> OperationResult:
    samples = _SOUND.piece(arguments, payload)
    return OperationResult({}, (len(samples),), (samples,))


def _close_sound(arguments: dict[str, Any], payload: bytes | None) -> OperationResult:
    _SOUND.close()
    return OperationResult({})


def _load_speech(arguments: dict[str, Any], payload: bytes | None) -> OperationResult:
    try:
        _whisper(arguments).load()
    except SpeechError as error:
        return OperationResult({"failed": str(error)})
    return OperationResult({})


def _hear(arguments: dict[str, Any], payload: bytes | None) -> OperationResult:
    try:
        language, lines = _whisper(arguments).words(payload or b"")
    except SpeechError as error:
        return OperationResult({"failed": str(error)})
    data = json.dumps([(language, lines, "heard")]).encode()
    return OperationResult({}, (len(data),), (data,))


def _whisper(arguments: dict[str, Any]) -> WhisperSpeech:
    folder = arguments["folder"]
    return _SPEECH.setdefault(folder, WhisperSpeech(Path(folder)))


def _clip(arguments: dict[str, Any], payload: bytes | None) -> OperationResult:
    data = _CUT.clip(arguments)
    return OperationResult({}, (len(data),), (data,))


def _read(arguments: dict[str, Any], payload: bytes | None) -> OperationResult:
    size = (arguments["width"], arguments["height"])
    try:
        text = (
            _engine(arguments).text(Image.frombytes("RGB", size, payload or b"")).encode("utf-8", "replace")
        )
    except OcrError as error:
        return OperationResult({"failed": str(error)})
    return OperationResult({}, (len(text),), (text,))


def _document(arguments: dict[str, Any], payload: bytes | None) -> OperationResult:
    parts = to_parts(read_document(_source(arguments, payload), arguments["name"], arguments["encoding"]))
    return OperationResult({}, tuple(map(len, parts)), parts)


def _pixels(images: list[Image.Image]) -> OperationResult:
    sizes = tuple(4 * image.width * image.height for image in images)
    return OperationResult({"images": [list(image.size) for image in images]}, sizes, map(_rgbx, images))


def _rgbx(image: Image.Image) -> Any:
    """The bytes of an image, not copied where they lie in one piece."""
    try:
        return memoryview(pa.array(image).buffers()[-1])
    except ValueError:  # above 16 MB Pillow takes memory in pieces
        return image.tobytes("raw", "RGBX")


OPERATIONS: dict[str, Operation] = {
    "decode": _decode,
    "open_images": _open_images,
    "image": _image,
    "close_images": _close_images,
    "open_pdf": _open_pdf,
    "page": _page,
    "plain_page": _plain_page,
    "beside": _beside,
    "close_pdf": _close_pdf,
    "find": _find,
    "find_read": _find_read,
    "probe": _probe,
    "frames": _frames,
    "spoken": _spoken_words,
    "open_sound": _open_sound,
    "sound_piece": _sound_piece,
    "close_sound": _close_sound,
    "load_speech": _load_speech,
    "hear": _hear,
    "clip": _clip,
    "read": _read,
    "examine": _examine,
    "document": _document,
}
