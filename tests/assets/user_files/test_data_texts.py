"""What programs write for programs is found by its words: letters for their escapes, no encoded bytes."""

from __future__ import annotations

import base64
import json
import random
import textwrap
from pathlib import Path

import pytest

from assets.user_files.data_texts import readable
from assets.user_files.media.inline_pictures import split
from infra.documents.payloads import LEFT, without_payloads
from infra.storage.root import Storage
from tests.assets.user_files.material import SpyOcr, happened, items, take, write_picture

BYTES = base64.b64encode(random.Random(5).randbytes(900)).decode()
ROWS = "\n".join(textwrap.wrap(BYTES, 64))


def test_json_has_letters_for_escapes_and_its_fields_on_lines():
    packed = json.dumps({"name": "M\u00f6we \U0001f426", "berths": [1, 2]})
    assert "\\u00f6" in packed
    said = readable(packed, ".JSON")
    assert '"name": "M\u00f6we \U0001f426"' in said
    assert len(said.split("\n")) == 7
    lines = readable(f"{packed}\n\n{{broken \\u00f6 \\\\u00f6", ".jsonl").split("\n")
    assert lines[0].startswith('{"name": "Möwe')
    assert lines[1:] == ["", "{broken ö \\\\u00f6"]
    assert readable(packed, ".txt") == packed
    assert readable(f"{packed}\n{packed}", ".log").split("\n")[1].startswith('{"name": "Möwe')
    assert readable("at \\u00f6", ".log") == "at \\u00f6"


@pytest.mark.parametrize(
    ("text", "suffix", "says"),
    [
        ("title=\\u00fcber", ".properties", "title=\u00fcber"),
        ("SUMMARY:Feast in the\n  hall\\, north", ".ics", "SUMMARY:Feast in the hall, north"),
        ("N;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:M=C3=BC=\nller;A", ".vcf", "N:M\u00fcller;A"),
        (f"PHOTO;ENCODING=b:{BYTES[:70]}\n {BYTES[70:140]}\nNOTE:tern", ".vcf", "NOTE:tern"),
    ],
)
def test_calendars_cards_and_properties_are_as_they_are_meant(text: str, suffix: str, says: str):
    assert readable(text, suffix) == says


@pytest.mark.parametrize("payload", [BYTES, ROWS], ids=["one run", "rows"])
def test_encoded_bytes_are_no_words(payload: str):
    assert without_payloads(f"before\n{payload}\nafter") == f"before\n{LEFT}\nafter"


@pytest.mark.parametrize(
    "text",
    [
        "ACGT" * 200,
        "a" * 900,
        "0123456789abcdef" * 60,
        "https://x.example/" + "path/to-the_pier.html?a=1&" * 30,
    ],
    ids=["genes", "one letter", "hexadecimal", "address"],
)
def test_long_words_stay(text: str):
    assert split(text).text == text


def test_a_picture_in_a_field_is_an_item(storage: Storage, tmp_path: Path):
    data = write_picture(tmp_path / "away" / "a.png", size=(90, 60)).read_bytes() + bytes(400)
    noise = base64.b64encode(data + random.Random(1).randbytes(400)).decode()
    path = tmp_path / "records.json"
    path.write_text(
        json.dumps([{"caption": "A tern", "image": noise}, {"wrapped": "\n".join(textwrap.wrap(BYTES, 76))}])
    )
    report = take(storage, path, ocr=SpyOcr("words"))
    passage, shown = items(storage)
    assert (
        '"caption": "A tern"' in passage.text,
        noise[:20] in passage.text,
        BYTES[80:100] in passage.text,
    ) == (True, False, False)
    assert (shown.title, shown.width, shown.text) == ("records.json picture 1", 90, "words")
    assert happened(report) == {"records.json": "read"}
