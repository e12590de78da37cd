"""The Search view: by words and by a picture, with what was found shown beside its text."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from PIL import Image
from playwright.sync_api import expect

from assets.index.build import build_index
from assets.index.published import remembered_settings
from assets.user_files.ingest import ingest
from infra.embedders.config import embedder_config
from infra.storage.root import Storage
from tests.app.web.conftest import Open
from tests.app.web.material import HOSTILE_NAME
from tests.app.web.serving import serving
from tests.infra.embedders.qwen_vl_folders import qwen3_vl_folder


def test_words_find_items_with_their_pictures(open_page: Open):
    page = open_page()
    page.get_by_role("link", name="Search", exact=True).click()
    expect(page.locator("#search-choose")).to_be_hidden()  # this index does not see
    page.locator("#search-words").fill("When was the harbour museum founded?")
    page.locator("#search-words").press("Enter")
    first = page.locator(".hit").first
    expect(first).to_contain_text("founded in 1931")
    expect(first.locator("img")).to_have_js_property("complete", True)
    assert first.locator("img").evaluate("image => image.naturalWidth") > 0
    page.locator("#search-modality").select_option("video")
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.locator(".hit")).to_have_count(1)
    expect(page.locator(".hit")).to_contain_text("the mayor opens")
    page.locator("#search-modality").select_option("")
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.locator("#search-results")).to_contain_text(HOSTILE_NAME)


def test_a_picture_finds_itself_and_what_is_none_says_so(open_page: Open, tmp_path: Path):
    files = tmp_path / "files"
    files.mkdir()
    for number in range(1, 4):
        shades = Image.radial_gradient("L").resize((96, 64)).point(lambda level, n=number: (level * n) % 256)
        shades.convert("RGB").save(files / f"picture{number}.png")
    storage, eye = Storage(tmp_path / "root"), qwen3_vl_folder(tmp_path / "eye")
    same = {"document_instruction": "Shown.", "image_query_instruction": "Shown."}
    (eye / "embedder.json").write_text(json.dumps(same))
    ingest([files], storage)
    build_index(storage, replace(remembered_settings(storage), vision=embedder_config(str(eye))))
    with serving(tmp_path / "root") as address:
        page = open_page("/#/search", at=address, may_fail=True)
        expect(page.get_by_role("button", name="Search by a picture")).to_be_visible()
        page.locator("#search-picture").set_input_files(files / "picture2.png")
        expect(page.locator(".hit").first).to_contain_text("picture2.png", timeout=60_000)
        expect(page.locator(".searched figcaption")).to_have_text("Like picture2.png")
        (tmp_path / "none.png").write_bytes(b"words")
        page.locator("#search-picture").set_input_files(tmp_path / "none.png")
        expect(page.get_by_role("alert")).to_contain_text("cannot be read")
