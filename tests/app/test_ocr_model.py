"""A recognition model is named by an option or by the environment, and tried before anything is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.media import MODEL_VARIABLE
from tests.app.command_line import Vimrag
from tests.infra.media import ocr_models


@pytest.fixture
def swapping(tmp_path: Path) -> Path:
    """A model that takes 1 for 8 and 8 for 1."""
    return ocr_models.with_characters_beside(tmp_path / "pack", swapped="18")


def test_the_option_and_the_environment_name_the_same_model(
    vimrag: Vimrag, tmp_path: Path, swapping: Path, monkeypatch: pytest.MonkeyPatch
):
    ocr_models.sign("PIER 1831").save(tmp_path / "a.png")
    words = ("ingest", tmp_path / "a.png", "--root", tmp_path / "root", "--json")
    assert vimrag(*words, "--ocr-model", swapping.parent).json["read"] == 1
    monkeypatch.setenv(MODEL_VARIABLE, str(swapping))
    assert vimrag(*words).json["unchanged"] == 1


@pytest.mark.parametrize("command", [("ingest",), ("corpus", "build", "--raw")])
def test_a_model_that_cannot_be_used_is_refused_before_anything_is_read(
    vimrag: Vimrag, tmp_path: Path, command: tuple[str, ...]
):
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "note.txt").write_text("words")
    arguments = (*command, tmp_path / "files", "--root", tmp_path / "root")
    said = vimrag(*arguments, "--ocr-model", tmp_path / "none")
    assert (said.code, said.out, said.err.count("\n")) == (2, "", 1)
    assert said.err.startswith("error: there is no OCR model at")
    assert not (tmp_path / "root").exists()


def test_the_doctor_names_the_model_and_what_it_can_write(
    vimrag: Vimrag, swapping: Path, monkeypatch: pytest.MonkeyPatch
):
    def line() -> dict[str, str]:
        [check] = [each for each in vimrag("doctor", "--json").json["checks"] if each["name"] == "OCR"]
        return check

    monkeypatch.delenv(MODEL_VARIABLE, raising=False)
    own = line()
    assert own["state"] == "ok" and "of its package, which knows Han, Latin, kana, Greek" in own["detail"]
    monkeypatch.setenv(MODEL_VARIABLE, str(swapping))
    assert str(swapping) in line()["detail"]
    monkeypatch.setenv(MODEL_VARIABLE, str(swapping.with_name("none.onnx")))
    assert line()["state"] == "failed" and MODEL_VARIABLE in line()["remedy"]
