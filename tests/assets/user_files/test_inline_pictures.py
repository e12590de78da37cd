"""A picture inside of a text is an item, and no letter of its payload is among the words."""

from __future__ import annotations

import base64
import io
import textwrap
from pathlib import Path

import pytest
from PIL import Image

from assets.user_files.media.inline_pictures import split
from infra.storage.root import Storage
from tests.assets.user_files.material import SpyOcr, happened, items, take, write_text


def packed() -> str:
    target = io.BytesIO()
    Image.effect_noise((40, 30), 90).save(target, "PNG")
    return base64.b64encode(target.getvalue()).decode()


PAYLOAD = packed()
WRAPPED = "\n".join(textwrap.wrap(PAYLOAD, 76))
URI = f"data:image/png;base64,{PAYLOAD}"
AROUND = "The gauge was read at noon.", "The tide fell at nine."


@pytest.mark.parametrize(
    "picture",
    [
        f"![tide gauge]({URI})",
        f'![tide gauge]({URI} "a title")',
        f"![tide gauge](<{URI}>)",
        f"![tide gauge](data:image/png;base64,{WRAPPED})",
        f"![tide gauge][fig]\n\n[fig]: {URI}",
        f"![tide gauge][Fig]\n\n[fig]: <data:image/png;base64,{WRAPPED}>",
        f"![tide gauge][fig]\n\n[fig]: data:image/png;base64,{WRAPPED}",
        f'<img src="{URI}" width="90" alt="tide gauge">',
        f"<p><img alt='tide gauge'\n src='data:image/png;charset=utf-8;base64,\n{WRAPPED}'/></p>",
        f"[![tide gauge]({URI})](https://example.org)",
    ],
    ids=["plain", "title", "angles", "wrapped", "reference", "angles wrapped", "reference wrapped", "HTML", "HTML wrapped", "a"],
)  # fmt: skip
def test_the_payload_is_gone_and_the_picture_an_item(storage: Storage, tmp_path: Path, picture: str):
    path = write_text(tmp_path / "a.md", f"# Tide\n\n{AROUND[0]}\n\n{picture}\n\n{AROUND[1]}\n")
    report = take(storage, path, ocr=SpyOcr("words"))
    *passages, shown = items(storage)
    text = "\n".join(passage.text for passage in passages)
    assert all(words in text for words in AROUND)
    assert not any(PAYLOAD[at : at + 12] in text for at in range(0, len(PAYLOAD), 12))
    assert (shown.title, shown.width, shown.text) == ("a.md picture 1", 40, "tide gauge\nwords")
    assert happened(report) == {"a.md": "read"}


def test_drawings_give_their_words_and_other_payloads_go(storage: Storage, tmp_path: Path):
    svg = "<svg xmlns='x'><title>Pier</title><text x='1'>berth nine</text></svg>"
    coded = base64.b64encode(svg.encode()).decode()
    font = f"<style>src: url(data:font/woff2;base64,{PAYLOAD})</style>"
    text = f"Plan: ![a plan](data:image/svg+xml;base64,{coded})\n\n{font}\n\nend"
    report = take(storage, write_text(tmp_path / "a.md", text))
    assert PAYLOAD[:20] not in "".join(item.text for item in items(storage))
    assert items(storage)[-1].text == "a plan\nPier\nberth nine"
    assert dict(report.skipped) == {"image_unreadable": 1}


@pytest.mark.parametrize(
    "text",
    [
        "write data:image/png;base64, and so on",
        "metadata: image/png",
        "`data:,` is empty",
        "data:text/plain,hi there",
    ],
)
def test_words_about_data_are_left_alone(text: str):
    assert split(text) == (text, ())
