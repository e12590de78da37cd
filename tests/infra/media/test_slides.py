"""Slides are drawn by a LibreOffice that can do little else, and that ends when its time is over."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from infra.errors import MediaError
from infra.media import kept_from, media_decoder, slides_pdf, soffice
from tests.infra.media.decks import in_place_of_soffice, pptx

needs_soffice = pytest.mark.skipif(soffice() is None, reason="LibreOffice is not installed")
needs_confinement = pytest.mark.skipif(
    kept_from() != ("network", "files"), reason="no user namespaces or no Landlock here"
)
RED = (255, 0, 0)


@needs_soffice
def test_each_slide_that_is_shown_is_a_page(tmp_path: Path):
    deck = pptx(tmp_path / "a b'é.pptx", ["Harbour", "Secret", "Crane"], hidden=[2])
    with media_decoder().open_pdf(slides_pdf(deck)) as pdf:
        assert [pdf.page(number).text.strip() for number in (1, 2)] == ["Harbour", "Crane"]
        assert pdf.num_pages == 2


@needs_soffice
def test_a_picture_that_lies_beside_the_deck_or_elsewhere_is_not_drawn(tmp_path: Path):
    secret = tmp_path / "secret.png"
    Image.new("RGB", (300, 200), RED).save(secret)
    deck = pptx(tmp_path / "deck.pptx", ["Harbour"], linked=secret)
    with media_decoder().open_pdf(slides_pdf(deck)) as pdf:
        page = pdf.page(1).image
    assert RED not in {colour for _, colour in page.getcolors(page.width * page.height) or ()}


@needs_soffice
def test_what_is_no_deck_makes_no_pages(tmp_path: Path):
    deck = tmp_path / "deck.pptx"
    deck.write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(MediaError, match="slides_not_drawn: LibreOffice made no PDF"):
        slides_pdf(deck)


def test_one_that_hangs_ends_with_its_children_when_its_time_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    marker = f"sleep 61{time.time_ns() % 10**6}"
    monkeypatch.setenv("PATH", in_place_of_soffice(tmp_path / "bin", f"setsid {marker} &\n{marker}"))
    started = time.monotonic()
    with pytest.raises(MediaError, match="LibreOffice was not done in 2 s"):
        slides_pdf(pptx(tmp_path / "deck.pptx", ["Harbour"]), wall_s=2)
    assert time.monotonic() - started < 30
    assert not _running(marker)


def test_without_it_there_is_nothing_to_draw_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MediaError, match="LibreOffice is not installed"):
        slides_pdf(pptx(tmp_path / "deck.pptx", ["Harbour"]))


@needs_confinement
def test_it_sees_no_secret_no_other_file_and_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("VIMRAG_API_KEY", "secret-of-the-environment")
    monkeypatch.setenv("DISPLAY", ":0")
    other = tmp_path / "other.txt"
    other.write_text("secret-of-a-file")
    with socket.create_server(("127.0.0.1", 0)) as server:
        reach = f"import socket; socket.create_connection(('127.0.0.1', {server.getsockname()[1]}), 5)"
        script = "\n".join(
            (
                "{ echo %PDF-; env",
                f"cat {other}",
                f"ls {tmp_path}",
                f'{sys.base_prefix}/bin/python3 -c "{reach}" && echo reached-the-network',
                f"echo written > {tmp_path}/written.txt",
                "} > deck.pdf 2>&1",
            )
        )
        monkeypatch.setenv("PATH", in_place_of_soffice(tmp_path / "bin", script))
        said = slides_pdf(pptx(tmp_path / "deck.pptx", ["Harbour"])).decode()
    assert "HOME=/tmp" in said
    assert "secret-of" not in said and "DISPLAY" not in said and "reached-the-network" not in said
    assert "other.txt: Permission denied" in said or "other.txt: No such file" in said
    assert not (tmp_path / "written.txt").exists()


def _running(words: str) -> bool:
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    return any(line.startswith(words) for line in listed.splitlines())
