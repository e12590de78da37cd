"""The OCR engine reads without a download, is loaded once and travels between processes."""

from __future__ import annotations

import pickle
import socket

import pytest
from PIL import Image, ImageDraw, ImageFont

from infra.media import SandboxedOcr


@pytest.fixture(scope="module")
def engine() -> SandboxedOcr:
    return SandboxedOcr(num_threads=1)


def page(*lines: str) -> Image.Image:
    image = Image.new("RGB", (640, 30 + 60 * len(lines)), "white")
    draw = ImageDraw.Draw(image)
    for number, line in enumerate(lines):
        draw.text((20, 20 + 60 * number), line, fill="black", font=ImageFont.load_default(32))
    return image


def test_lines_are_read_from_top_to_bottom_without_a_network(
    engine: SandboxedOcr, monkeypatch: pytest.MonkeyPatch
):
    def refuse(*_: object) -> None:
        raise AssertionError("OCR must not open a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert engine.text(page("Belodu exports 417 tons", "of copper each year")).split("\n") == [
        "Belodu exports 417 tons",
        "of copper each year",
    ]


def test_a_blank_page_and_a_tiny_image_have_no_text(engine: SandboxedOcr):
    assert engine.text(Image.new("RGB", (300, 300), "white")) == ""
    assert engine.text(Image.new("RGB", (3, 200), "white")) == ""


def test_a_loaded_engine_pickles_as_its_settings_and_reads_grey_images_on_the_other_side(
    engine: SandboxedOcr,
):
    engine.text(Image.new("RGB", (64, 64), "white"))
    pickled = pickle.dumps(engine)
    assert len(pickled) < 200
    assert pickle.loads(pickled).text(page("Rakimo 1831").convert("L")) == "Rakimo 1831"
