"""A reader's whole way: add four kinds of files, ask, open the marked source, follow up, reload, answer now, save, delete.

With ``VIMRAG_SCREENSHOTS=FOLDER`` each station is kept as a picture. Accessibility is checked by axe-core where
``make types-of-the-page`` has installed it.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.app.web.acts import ask, overflow, until
from tests.app.web.conftest import Open
from tests.app.web.serving import serving
from tests.app.web.walk import SAID, SAID_AT, SCANNED, script, write_files
from tests.servers.openai_server import OpenAIServer

AXE = Path(__file__).resolve().parents[3] / "app" / "web" / "node_modules" / "axe-core" / "axe.min.js"
INGEST_MS = 120_000
ANSWER_MS = 60_000
QUESTION = "How many tons does the crane lift?"
FOLLOW_UP = "When does the bridge open, in the film?"
SLOW = "Think slowly about everything."
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True}
Keep = Callable[[Page, str], None]

pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("walk")


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    """A server with nothing in it yet."""
    with (
        OpenAIServer(script) as model,
        serving(folder / "root", "--endpoint", model.base_url, "--model", "test-model") as where,
    ):
        yield where


@pytest.fixture(scope="module")
def kept(folder: Path) -> Keep:
    """Keeps a picture of a page, and has axe look at it."""
    pictures = Path(os.environ.get("VIMRAG_SCREENSHOTS") or folder / "pictures")
    pictures.mkdir(parents=True, exist_ok=True)

    def keep(page: Page, name: str) -> None:
        page.wait_for_timeout(150)
        page.screenshot(path=pictures / f"{name}.png")
        assert violations(page) == [], name

    return keep


def ask_and_wait(page: Page, question: str) -> None:
    """The first search of a server reads its index and its models, which takes long on a busy machine."""
    ask(page, question)
    expect(page.locator("#answer-text")).to_be_visible(timeout=ANSWER_MS)
    expect(page.locator("#send")).to_have_text("Ask", timeout=ANSWER_MS)


def violations(page: Page) -> list[str]:
    """What axe finds serious or critical: the rule and the first element."""
    if not AXE.exists():
        return []
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = page.evaluate("axe.run({ resultTypes: ['violations'] })")["violations"]
    return [
        f"{each['id']}: {each['nodes'][0]['target']} {each['nodes'][0]['failureSummary']}"
        for each in found
        if each["impact"] in ("serious", "critical")
    ]


@pytest.fixture(scope="module")
def desk(open_page: Open) -> Page:
    """The page on a desk, through the whole walk."""
    return open_page()


def test_four_kinds_of_files_are_added_and_listed(desk: Page, folder: Path, kept: Keep):
    desk.get_by_role("link", name="Library").click()
    desk.locator("#files").set_input_files(write_files(folder / "files"))
    expect(desk.locator(".upload-done")).to_have_count(4, timeout=INGEST_MS)
    expect(desk.locator(".source")).to_have_count(4)
    assert desk.locator(".source-name").all_inner_texts() == [
        "film.mkv",
        "letter.docx",
        "plans.pptx",
        "scan.pdf",
    ]
    expect(desk.locator("#library-summary")).to_have_text("4 files")
    kept(desk, "library")


def test_an_answer_has_its_table_its_formulas_and_its_source_marked_on_the_scan(desk: Page, kept: Keep):
    desk.get_by_role("link", name="Ask", exact=True).click()
    ask_and_wait(desk, QUESTION)
    text = desk.locator("#answer-text")
    expect(text.locator("td")).to_have_text(["crane", re.compile("forty"), "hoist", re.compile("ninety")])
    assert text.locator("math mfrac").count() == 1
    expect(text.locator(".claim").first).to_have_attribute("data-verdict", "supported")
    kept(desk, "answer")
    text.get_by_role("button", name=re.compile("Source 1")).first.click()
    expect(desk.locator(".spot")).to_have_count(1, timeout=60_000)
    expect(desk.locator(".marked-page [role=status]")).to_have_text(
        "The words are marked on the page. They were read in its picture."
    )
    spot, sheet = desk.locator(".spot").bounding_box(), desk.locator(".sheet img").bounding_box()
    assert spot is not None and sheet is not None
    line = (spot["y"] + spot["height"] / 2 - sheet["y"]) / sheet["height"]
    assert line == pytest.approx((160 + 70 * 2 + 22) / 1754, abs=0.015)  # the third line of the scan
    expect(desk.locator("mark")).to_have_text(SCANNED)
    kept(desk, "source")
    desk.keyboard.press("Escape")


def test_a_follow_up_goes_on_in_the_film_at_its_second(desk: Page, kept: Keep):
    expect(desk.locator("#conversation-bar")).to_contain_text("The next question knows this one.")
    ask_and_wait(desk, FOLLOW_UP)
    expect(desk.locator("#answer-text .claim")).to_have_text(SAID)
    expect(desk.locator(".stage .node[data-node-id='n1']")).to_be_visible()  # found before, and still known
    desk.locator("#answer-text").get_by_role("button", name=re.compile("Source 1")).click()
    video = desk.locator("video")
    expect(video).to_be_visible()
    until(desk, "document.querySelector('video').readyState > 0")
    until(desk, f"Math.abs(document.querySelector('video').currentTime - {SAID_AT}) < 0.1")
    said = "Array.from(document.querySelector('video').textTracks[0].cues ?? []).map(cue => cue.text)"
    until(desk, f"({said}).length === 2")
    assert desk.evaluate(said)[1] == SAID
    kept(desk, "film")
    desk.keyboard.press("Escape")
    expect(desk.locator("#history-list button")).to_have_count(2)


def test_a_reload_in_the_middle_loses_nothing_and_answer_now_answers(desk: Page, kept: Keep):
    ask(desk, SLOW)
    expect(desk.locator(".reasoning")).to_contain_text("very long while")
    desk.reload()
    expect(desk.locator(".reasoning")).to_contain_text("very long while")
    expect(desk.locator("#history-list button")).to_have_count(3)  # with the questions before it
    kept(desk, "after-reload")
    desk.get_by_role("button", name="Answer now").click()
    expect(desk.locator("#answer-text")).to_contain_text("Answered from what was found")
    desk.reload()
    expect(desk.locator("#answer-text")).to_contain_text("Answered from what was found")
    desk.locator("#history-list button").last.click()
    expect(desk.locator("#answer-text td").first).to_have_text("crane")
    expect(desk.locator(".log h3")).to_have_text(["Search n1", "Summary of n1", "Answer"])


def test_one_file_can_be_asked_alone(desk: Page, kept: Keep):
    desk.get_by_role("link", name="Library").click()
    desk.get_by_label("Choose letter.docx").check()
    desk.get_by_role("button", name="Ask only these").click()
    expect(desk.locator("#scope-files")).to_contain_text("Only in letter.docx")
    desk.get_by_role("button", name="New conversation").click()
    ask_and_wait(desk, QUESTION)
    found = desk.locator(".log .result").all_inner_texts()
    assert found and all("letter.docx" in each for each in found)
    kept(desk, "scope")
    desk.get_by_role("button", name="Ask all files").click()


def test_a_phone_and_the_dark_show_the_same(open_page: Open, desk: Page, kept: Keep):
    first = desk.evaluate("fetch('/v1/conversations').then(r => r.json()).then(p => p.rows.at(-1).id)")
    for name, options in (("phone", PHONE), ("dark", {"color_scheme": "dark"})):
        page = open_page(f"/#/ask?c={first}", **options)
        page.locator("#history-list button").last.click()
        expect(page.locator("#answer-text td").first).to_have_text("crane")
        assert overflow(page) <= 0
        kept(page, f"{name}-answer")
        page.locator("#answer-text").get_by_role("button", name=re.compile("Source 1")).first.click()
        expect(page.locator(".spot")).to_have_count(1, timeout=60_000)
        kept(page, f"{name}-source")
        page.keyboard.press("Escape")
        page.get_by_role("link", name="Library").click()
        expect(page.locator(".source")).to_have_count(4)
        assert overflow(page) <= 0
        kept(page, f"{name}-library")
        page.get_by_role("link", name="History").click()
        expect(page.locator(".conversation")).to_have_count(2)
        assert overflow(page) <= 0
        kept(page, f"{name}-history")


def test_a_conversation_is_found_saved_and_deleted(desk: Page, kept: Keep):
    desk.get_by_role("link", name="History").click()
    desk.get_by_role("searchbox", name="Conversations").fill("bridge noon")
    expect(desk.locator(".conversation")).to_have_count(1)
    kept(desk, "history")
    with desk.expect_download() as saved:
        desk.get_by_role("link", name="Page with pictures").click()
    page = saved.value.path().read_text(encoding="utf-8")
    assert SAID in page and "data:image/" in page and "<script" not in page
    with desk.expect_download() as saved:
        desk.get_by_role("link", name="JSON").click()
    assert len(json.loads(saved.value.path().read_text(encoding="utf-8"))["turns"]) == 3
    desk.locator(".conversation").get_by_role("button", name=re.compile("Delete")).click()
    desk.locator(".conversation .asking").click()
    expect(desk.locator(".conversation")).to_have_count(0)
    expect(desk.locator("#conversations")).to_contain_text("No conversation holds these words.")


def test_a_file_is_removed_from_the_library(desk: Page):
    desk.get_by_role("link", name="Library").click()
    desk.get_by_label("Choose plans.pptx").check()
    desk.get_by_role("button", name="Remove").click()
    desk.get_by_role("button", name="Really remove 1 file?").click()
    expect(desk.locator(".source")).to_have_count(3, timeout=INGEST_MS)
    expect(desk.locator("#library-summary")).to_have_text("3 files")
