"""Files of unknown origin are opened by the raw decoders and nowhere else; an import contract says who may call those."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PACKAGES = ("memory_graph", "model", "infra", "assets", "orchestration", "app")
DECODING_LIBRARIES = {
    "av",
    "pypdfium2",
    "rapidocr",
    "cv2",
    "imageio",
    "fitz",
    "lxml",
    "olefile",
    "faster_whisper",
}
WRITERS = {"assets/miniature/writers/mp4.py": {"av"}}  # encodes its own pixels


def decoders_in(source: str) -> Iterator[str]:
    """The libraries that decode media by importing them, and every ``Image.open``."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                yield from (alias.name.partition(".")[0] for alias in names)
            case ast.ImportFrom(module=str(module)):
                yield module.partition(".")[0]
            case ast.Attribute(value=ast.Name(id="Image" | "PIL"), attr="open"):
                yield "Image.open"
            case _:
                pass


def is_raw_decoder(path: Path) -> bool:
    if path.is_relative_to(ROOT / "infra" / "documents"):
        return True
    return path.parent == ROOT / "infra" / "media" and path.name.startswith("_")


@pytest.mark.parametrize("package", PACKAGES)
def test_no_other_module_opens_media(package: str):
    found = {
        str(path.relative_to(ROOT)): decoders
        for path in (ROOT / package).rglob("*.py")
        if not is_raw_decoder(path)
        and (decoders := set(decoders_in(path.read_text())) & (DECODING_LIBRARIES | {"Image.open"}))
    }
    assert found == {name: uses for name, uses in WRITERS.items() if name.startswith(f"{package}/")}


def test_an_image_that_is_opened_in_place_would_be_found():
    source = "from PIL import Image\nimport av.container\nImage.open(path)\nfrom rapidocr import RapidOCR"
    assert set(decoders_in(source)) == {"PIL", "Image.open", "av", "rapidocr"}
