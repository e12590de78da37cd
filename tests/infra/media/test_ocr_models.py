"""OCR reads with any recognition model of PP-OCR that lies on this machine, and says at once what is none."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import rapidocr
from rapidocr.utils.typings import LangRec, ModelType, OCRVersion

from infra.media import MODEL_VARIABLE, OcrError, ocr_model, ocr_reader
from infra.media._ocr import RapidOcr, RecogniserFiles
from infra.media.scripts import scripts_of
from infra.media.visual_order import spoken_order
from tests.infra.media import ocr_models
from tests.infra.media.ocr_models import DETECTOR, sign


def test_a_model_that_holds_its_characters_is_read_with_by_its_file_and_by_its_folder(tmp_path: Path):
    file = ocr_models.with_characters_inside(tmp_path / "pack")
    shutil.copy(DETECTOR, tmp_path / "pack" / "other.onnx")
    by_file = ocr_model(file)
    assert by_file.scripts[:2] == ("Han", "Latin") and by_file.characters == ""
    assert ocr_reader(file, num_threads=1).text(sign("PIER 1831")) == "PIER 1831"
    file.rename(file.with_name("my_rec.onnx"))
    by_folder = ocr_model(tmp_path / "pack")
    assert by_folder.digest == by_file.digest and by_folder.path.endswith("my_rec.onnx")


def test_characters_in_a_text_file_beside_the_model_are_what_it_writes(tmp_path: Path):
    file = ocr_models.with_characters_beside(tmp_path / "pack", swapped="18")
    (tmp_path / "pack" / "LICENSE.txt").write_text("Apache 2.0\n")
    assert ocr_model(file).characters.endswith("mine.txt")
    reader = ocr_reader(file, num_threads=1)
    assert reader.text(sign("PIER 1831")) == "PIER 8138"
    assert len(reader.find(sign("PIER 1831"), "PIER 8138")) == 1
    assert ocr_reader(num_threads=1).text(sign("PIER 1831")) == "PIER 1831"


def test_the_environment_names_a_model_for_whoever_names_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    swapping = ocr_models.with_characters_beside(tmp_path / "pack", swapped="18")
    plain = ocr_models.with_characters_inside(tmp_path / "plain")
    monkeypatch.setenv(MODEL_VARIABLE, str(swapping))
    assert ocr_reader(num_threads=1).text(sign("PIER 1831")) == "PIER 8138"
    assert ocr_reader(plain, num_threads=1).text(sign("PIER 1831")) == "PIER 1831"


def test_another_text_file_is_another_model(tmp_path: Path):
    file = ocr_models.with_characters_beside(tmp_path / "pack")
    before = ocr_model(file).digest
    ocr_models.with_characters_beside(tmp_path / "pack", swapped="18")
    assert ocr_model(file).digest != before


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("missing", "there is no OCR model at"),
        ("empty_folder", "has no .onnx file"),
        ("two_models", "has 2 .onnx files, which of them is not clear"),
        ("damaged", "damaged, or no ONNX model: fetch it again"),
        ("detector", "no recognition model of PP-OCR"),
        ("no_characters", "put the text file of them, one a line, beside it as mine.txt"),
        ("other_characters", "it tells 18,708 characters apart, but there are 3 in mine.txt"),
    ],
)
def test_what_is_no_model_is_refused_in_one_line_that_says_what_to_do(tmp_path: Path, damage: str, said: str):
    folder = tmp_path / "pack"
    folder.mkdir()
    place = folder / "mine.onnx"
    match damage:
        case "empty_folder":
            place = folder
        case "two_models":
            (folder / "a.onnx").touch()
            (folder / "b.onnx").touch()
            place = folder
        case "damaged":
            place.write_bytes(ocr_models.RECOGNISER.read_bytes()[: 1 << 20])
        case "detector":
            shutil.copy(DETECTOR, place)
        case "no_characters" | "other_characters":
            ocr_models.without_characters(folder)
            if damage == "other_characters":
                place.with_suffix(".txt").write_text("a\nb\nc\n")
    with pytest.raises(ValueError, match=said) as refused:
        ocr_reader(place)
    assert "\n" not in str(refused.value) and str(folder) in str(refused.value)


def test_an_engine_that_lacks_a_file_does_not_download_it(tmp_path: Path):
    file = ocr_models.without_characters(tmp_path / "pack")
    gone = RapidOcr(num_threads=1, recogniser=RecogniserFiles(str(file), str(tmp_path / "gone.txt"), 48))
    with pytest.raises(OcrError):
        gone.text(sign("PIER"))
    korean = {"Rec.lang_type": LangRec.KOREAN, "Rec.ocr_version": OCRVersion.PPOCRV4}
    with pytest.raises(OcrError, match="nothing is downloaded"):
        rapidocr.RapidOCR(params={**korean, "Rec.model_type": ModelType.MOBILE})(np.asarray(sign("PIER")))


def test_scripts_are_counted_by_their_letters():
    russian = [chr(code) for code in range(ord("а"), ord("я") + 1)]
    hindi = [chr(code) for code in range(0x905, 0x93A)]
    assert scripts_of([*russian, *hindi, *"abc", "1", "ℵ"]) == {"Devanagari": 53, "Cyrillic": 32}


def test_a_line_that_runs_from_right_to_left_is_put_in_the_order_in_which_it_is_read():
    assert spoken_order("PIER 1831") == "PIER 1831"
    word = "سلام"
    assert spoken_order(word[::-1]) == word
    assert spoken_order("2024" + word[::-1]) == word + "2024"
