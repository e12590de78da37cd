"""What comes by the page is read as ``vimrag ingest`` reads it: its films are heard, with the same options."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image, ImageDraw, ImageFont

from app.cli import main
from assets.user_files.ingest import IngestSettings
from assets.user_files.media.hearing import speech_of
from infra.media import SpeechError, speech
from tests.app.server.serving import Served, serving
from tests.app.server.small_root import WITHOUT_OCR
from tests.app.server.test_process import process
from tests.assets.user_files.test_hearing import BeepRecogniser
from tests.infra.media.small_whisper import require_faster_whisper, write_small_whisper
from tests.infra.media.sounds import beeps, voice, write_sound, write_talk

pytestmark = pytest.mark.timeout(300)


def heard_by(recogniser: BeepRecogniser) -> IngestSettings:
    return IngestSettings(reading=WITHOUT_OCR.reading, speech=speech_of(recogniser, piece_s=20.0))


def put(http: httpx.Client, name: str, content: bytes) -> Any:
    return http.put(f"/v1/files/{name}", content=content, timeout=200)


def texts(http: httpx.Client, words: str) -> dict[str, str]:
    found = http.post("/v1/search", json={"query": words}).json()["hits"]
    return {hit["title"]: hit["text"] for hit in found}


@pytest.fixture
def talk(tmp_path: Path) -> bytes:
    return write_talk(tmp_path / "talk.mp4", beeps(30, (5.0,))).read_bytes()


def test_a_film_that_was_sent_is_heard(tmp_path: Path, talk: bytes):
    with serving(tmp_path / "root", reading=heard_by(BeepRecogniser())) as served:
        assert put(served.http, "talk.mp4", talk).json()["items"] == 1
        assert texts(served.http, "beep") == {"talk.mp4 (machine transcript)": "beep at 5 s"}


def test_a_film_that_is_read_again_is_heard(tmp_path: Path, talk: bytes):
    with serving(tmp_path / "root", reading=WITHOUT_OCR) as served:
        put(served.http, "talk.mp4", talk)
        assert "(machine transcript)" not in str(texts(served.http, "talk"))
    with serving(tmp_path / "root", reading=heard_by(BeepRecogniser())) as served:
        [row] = served.http.get("/v1/sources").json()["rows"]
        again = served.http.post("/v1/sources/reread", json={"files": [row["key"]]})
        assert again.status_code == 200, again.text
        assert texts(served.http, "beep") == {"talk.mp4 (machine transcript)": "beep at 5 s"}


def test_a_model_that_cannot_be_loaded_is_said_and_takes_no_place(tmp_path: Path, talk: bytes):
    def kept(served: Served) -> dict[str, bytes]:
        folder = served.state.corpus.storage.local_path("uploads")
        return {} if folder is None else {path.name: path.read_bytes() for path in folder.iterdir()}

    other = write_talk(tmp_path / "other.mp4", beeps(30, (9.0,))).read_bytes()
    broken = BeepRecogniser(fails_at=(2, 3), error=SpeechError("load /models/none: it is no model"))
    with serving(tmp_path / "root", reading=heard_by(broken)) as served:
        assert put(served.http, "talk.mp4", talk).status_code == 200  # in two pieces
        for name in ("talk.mp4", "other.mp4"):
            refused = put(served.http, name, other)
            assert (refused.status_code, refused.json()["error"]["code"]) == (503, "unavailable")
            assert "it is no model" in refused.json()["error"]["message"]
            assert kept(served) == {"talk.mp4": talk}
        assert served.state.uploads.free == 1


def lighthouse() -> bytes:
    picture, written = Image.new("RGB", (500, 120), "white"), io.BytesIO()
    ImageDraw.Draw(picture).text((20, 20), "LIGHTHOUSE 1877", "black", ImageFont.load_default(size=40))
    picture.save(written, "png")
    return written.getvalue()


@pytest.mark.parametrize(("option", "text"), [([], "LIGHTHOUSE 1877"), (["--no-ocr"], "")])
def test_the_options_of_the_command_reach_what_is_sent(tmp_path: Path, option: list[str], text: str):
    with (
        process("--root", tmp_path / "root", *option) as (_, url),
        httpx.Client(base_url=url, timeout=200, trust_env=False) as http,
    ):
        assert put(http, "sign.png", lighthouse()).json()["items"] == 1
        assert texts(http, "sign") == {"sign.png": text}


def test_speech_without_its_package_or_its_model_is_one_line_that_says_what_to_do(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def refusal(folder: Path) -> str:
        code = main(["serve", "--root", str(tmp_path / "root"), "--port", "0", "--speech", str(folder)])
        said = capfd.readouterr().err
        assert (code, said.count("\n")) == (2, 1)
        return said

    monkeypatch.setattr(speech, "PACKAGE", "a_package_that_nobody_has")
    assert "pip install 'vimrag[speech]'" in refusal(tmp_path)
    monkeypatch.setattr(speech, "PACKAGE", "av")  # a package that is there
    assert "no folder at" in refusal(tmp_path / "none") and "lacks model.bin" in refusal(tmp_path)


def test_a_real_model_hears_what_is_sent(tmp_path: Path):
    require_faster_whisper()
    model = write_small_whisper(tmp_path / "whisper")
    memo = write_sound(tmp_path / "memo.wav", voice(20)).read_bytes()
    with (
        process("--root", tmp_path / "root", "--speech", model) as (_, url),
        httpx.Client(base_url=url, timeout=200, trust_env=False) as http,
    ):
        assert put(http, "memo.wav", memo).json()["items"] == 1
        assert list(texts(http, "memo")) == ["memo.wav 00:00 (machine transcript)"]


@pytest.mark.parametrize("command", ["ingest", "serve"])
def test_the_help_says_which_extra_hears(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: str
):
    monkeypatch.setenv("COLUMNS", "200")
    assert main([command, "--help"]) == 0
    assert "needs vimrag[speech]" in " ".join(capfd.readouterr().out.replace("│", " ").split())
