"""faster-whisper hears in a process of its own, with a model from a folder of this machine and nothing from elsewhere."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from infra.media import SpeechError, speech_model
from tests.infra.media.small_whisper import require_faster_whisper, write_small_whisper
from tests.infra.media.sounds import RATE, voice

pytestmark = pytest.mark.timeout(400)  # torch, transformers and faster-whisper are imported


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    require_faster_whisper()
    return write_small_whisper(tmp_path_factory.mktemp("models") / "whisper")


def test_a_voice_has_words_with_seconds_and_silence_has_none(model_folder: Path):
    recogniser = speech_model(model_folder)
    heard = recogniser.hear(voice(8).tobytes())
    assert heard.kind == "heard" and heard.language in ("en", "de")
    assert heard.lines and all(0 <= line.start_s <= 8 and line.text for line in heard.lines)
    assert recogniser.hear(np.zeros(8 * RATE, np.float32).tobytes()).lines == ()
    assert recogniser.hear(b"").lines == ()


def test_samples_that_are_no_numbers_are_silence(model_folder: Path):
    samples = np.full(8 * RATE, np.nan, np.float32)
    samples[::3] = np.inf
    assert speech_model(model_folder).hear(samples.tobytes()).lines == ()


def test_a_model_is_known_by_what_is_in_its_folder(model_folder: Path, tmp_path: Path):
    copy = tmp_path / "copy"
    shutil.copytree(model_folder, copy)
    assert speech_model(copy).model == speech_model(model_folder).model
    (copy / "config.json").write_text((copy / "config.json").read_text() + "\n")
    assert speech_model(copy).model != speech_model(model_folder).model


@pytest.mark.parametrize("missing", ["model.bin", "config.json", "tokenizer.json", "vocabulary.json"])
def test_a_folder_that_lacks_a_part_is_refused_with_what_to_do(
    model_folder: Path, tmp_path: Path, missing: str
):
    shutil.copytree(model_folder, tmp_path / "copy")
    (tmp_path / "copy" / missing).unlink()
    with pytest.raises(ValueError, match=rf"copy lacks {missing}: .*ct2-transformers-converter"):
        speech_model(tmp_path / "copy")


def test_a_name_of_a_hub_and_a_folder_that_is_not_there_are_refused(tmp_path: Path):
    require_faster_whisper()
    for name in (Path("tiny"), Path("Systran/faster-whisper-tiny"), tmp_path / "none"):
        with pytest.raises(ValueError, match=r"no folder at .*; nothing is downloaded"):
            speech_model(name)


def test_a_damaged_model_is_named_when_it_is_loaded(model_folder: Path, tmp_path: Path):
    shutil.copytree(model_folder, tmp_path / "copy")
    data = (tmp_path / "copy" / "model.bin").read_bytes()
    (tmp_path / "copy" / "model.bin").write_bytes(data[: len(data) // 2])
    with pytest.raises(SpeechError, match=r"copy.*--speech takes a folder with a Whisper model"):
        speech_model(tmp_path / "copy").hear(voice(1).tobytes())


def test_a_model_of_more_bands_says_what_it_lacks(tmp_path: Path):
    require_faster_whisper()
    folder = write_small_whisper(tmp_path / "large", bands=128)
    with pytest.raises(SpeechError, match=r"takes 128 bands and gets 80: .*preprocessor_config\.json"):
        speech_model(folder).hear(voice(1).tobytes())
    (folder / "preprocessor_config.json").write_text('{"feature_size": 128}')
    assert speech_model(folder).hear(voice(8).tobytes()).lines is not None
