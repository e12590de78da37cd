"""Asking on the page: the log and the graph grow, the answer names its sources, everything can be opened."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.app.web.acts import NODES, ask, ask_and_wait
from tests.app.web.conftest import Open
from tests.app.web.material import ANSWER, HOSTILE_NAME, QUESTION, SUMMARY

WATCH_GROWTH = """() => {
  window.growth = [];
  new MutationObserver(() => {
    const entry = [document.querySelectorAll(".stage .node").length, document.querySelector("#send").textContent];
    if (entry[0] !== (window.growth.at(-1) ?? [0])[0]) window.growth.push(entry);
  }).observe(document.querySelector(".stage"), { childList: true });
}"""


@pytest.fixture(scope="module")
def answered(open_page: Open) -> Page:
    """A page whose question is answered; tests leave it as they found it."""
    page = open_page()
    page.evaluate(WATCH_GROWTH)
    ask_and_wait(page)
    return page


def test_the_graph_grows_node_by_node_while_the_question_runs(answered: Page):
    # the question with n1, then n2, n3 and, at the end, the answer
    growth = answered.evaluate("window.growth")
    assert [number for number, _ in growth] == [2, 3, 4, 5]
    assert {button for _, button in growth[:3]} == {"Stop"}
    ids = answered.locator(NODES).evaluate_all("nodes => nodes.map(node => node.dataset.nodeId)")
    assert ids == ["root", "n1", "n2", "n3", "@answer"]


def test_the_answer_stands_with_its_counters_and_its_sources(answered: Page):
    expect(answered.locator("#answer-text .claim")).to_have_text(ANSWER)
    expect(answered.locator("#answer-text .badge")).to_have_text("partly: Ada not found there")
    facts = answered.locator("#answer .counters").inner_text()
    assert "7 calls" in facts and "3 searches" in facts
    sources = answered.locator(".citation")
    assert sources.count() >= 2
    assert answered.get_by_role("button", name=re.compile("report.pdf.*page 1.*n1")).count() == 1
    assert answered.get_by_role("button", name=re.compile(r"opening\.mp4.*0:02\.5, 0:07\.5.*n")).count() >= 1


def test_the_log_has_one_entry_a_step_with_what_was_found(answered: Page):
    titles = answered.locator(".log h3").all_inner_texts()
    assert titles == [
        *("Search n1", "Summary of n1"),
        *("Search n2", "Summary of n2"),
        *("Search n3", "Summary of n3"),
        "Answer",
    ]
    first = answered.locator(".log .entry").first
    expect(first.locator(".query")).to_have_text("harbour museum founded")
    assert first.locator(".result").count() == 3  # top-k
    first.get_by_text("Reasoning and action").click()
    expect(first.locator(".reasoning")).to_contain_text("decide what is still missing")
    expect(first.locator(".json-key").first).to_be_visible()
    first.get_by_text("Prompt").click()
    expect(first.locator(".turn").last).to_contain_text(QUESTION)
    first.get_by_text("Reasoning and action").click()


def test_the_log_is_announced_and_still_a_list_of_steps(answered: Page):
    tree = answered.context.new_cdp_session(answered).send("Accessibility.getFullAXTree")["nodes"]
    nodes = {node["nodeId"]: node for node in tree}

    def below(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The children that assistive technology meets, through what it passes over."""
        for child in (nodes[key] for key in node.get("childIds", ()) if key in nodes):
            yield from below(child) if child["ignored"] or role(child) == "generic" else (child,)

    def role(node: dict[str, Any]) -> str:
        return node.get("role", {}).get("value", "")

    (log,) = (node for node in tree if role(node) == "log")
    assert log["name"]["value"] == "Steps"
    (steps,) = below(log)
    assert role(steps) == "list"
    assert [role(step) for step in below(steps)] == ["listitem"] * answered.locator(".log .entry").count()


def test_a_node_opens_with_its_images_and_what_they_were_granted(answered: Page):
    node = answered.locator(f'{NODES}[data-node-id="n1"]')
    node.locator(".query").first.click()
    panel = answered.locator("#details")
    expect(panel.get_by_role("heading", level=2)).to_have_text("harbour museum founded")
    expect(panel).to_contain_text(SUMMARY)
    expect(panel).to_contain_text("the answer rests on it")
    card = panel.locator(".item-card", has_text="report.pdf page 1")
    # 600 x 400 px of the page: the grant is in whole tokens of 1,024 px
    granted = card.locator("dd").first.inner_text()
    pixels, tokens = (int(number.replace(",", "")) for number in re.findall(r"[\d,]+", granted)[:2])
    assert tokens == pixels // 1024 > 0
    image = card.get_by_role("img")
    image.scroll_into_view_if_needed()
    expect(image).to_have_js_property("naturalWidth", 600)
    panel.get_by_role("button", name="notes.md: Harbour").click()
    expect(panel.locator("blockquote")).to_contain_text("the museum lies at the quay")
    panel.get_by_role("button", name="n1").click()
    panel.get_by_role("button", name="n3").click()
    expect(panel.get_by_role("heading", level=2)).to_have_text("video of the opening")
    panel.press("Escape")
    expect(panel).to_be_hidden()


def test_the_number_behind_a_sentence_opens_the_place_that_says_it(answered: Page):
    answered.locator(".source-mark").first.click()
    marked = answered.locator("#details mark")
    expect(marked).to_contain_text("1931")
    expect(answered.locator("#details .spot")).to_be_in_viewport()  # on the page itself
    answered.locator("#details").press("Escape")


def test_a_clip_opens_with_the_frame_at_each_of_its_times(answered: Page):
    answered.locator(".citation", has_text="opening.mp4").first.click()
    card = answered.locator("#details .item-card.picked")
    expect(card.locator("figcaption")).to_have_text(["0:02.5", "0:07.5"])
    sources = card.locator("figure img").evaluate_all("images => images.map(image => image.src)")
    assert [re.search(r"t=([\d.]+)", source)[1] for source in sources] == ["2.5", "7.5"]
    for frame in card.locator("figure img").all():
        frame.scroll_into_view_if_needed()
        expect(frame).not_to_have_js_property("naturalWidth", 0)
    answered.locator("#details").press("Escape")


def test_a_source_opens_its_item_and_marks_its_node(answered: Page):
    answered.get_by_role("button", name=re.compile("report.pdf.*page 1.*n1")).click()
    expect(answered.locator("#details .item-card.picked")).to_contain_text("report.pdf page 1")
    marked = answered.locator(f"{NODES}.picked")
    assert marked.evaluate_all("nodes => nodes.map(node => node.dataset.nodeId)") == ["n1"]
    answered.locator("#details").press("Escape")
    expect(marked).to_have_count(0)


def test_a_passage_is_read_in_full(answered: Page):
    answered.locator(".result", has_text="notes.md").first.click()
    expect(answered.locator("#details blockquote")).to_contain_text("the museum lies at the quay")
    answered.locator("#details").press("Escape")


def test_hostile_names_and_texts_stay_text(answered: Page):
    assert answered.locator("img[src='x'], main script, #details script").count() == 0
    answered.locator(".result", has_text=HOSTILE_NAME).first.click()
    panel = answered.locator("#details")
    expect(panel).to_contain_text(HOSTILE_NAME)
    assert panel.locator("img[src='x'], script").count() == 0
    panel.press("Escape")
    assert answered.locator("#answer b").count() == 0


def test_a_drawing_is_moved_and_zoomed_and_fitted_again(answered: Page):
    stage, svg = answered.locator(".stage").first, answered.locator(".stage svg").first
    answered.get_by_role("button", name="Show the whole graph").click()
    fitted = svg.get_attribute("viewBox")
    box = stage.bounding_box()
    assert box is not None and fitted is not None
    answered.mouse.move(box["x"] + 30, box["y"] + 30)
    answered.mouse.down()
    answered.mouse.move(box["x"] + 130, box["y"] + 80, steps=4)
    answered.mouse.up()
    moved = svg.get_attribute("viewBox")
    assert moved is not None and moved != fitted
    assert moved.split()[2:] == fitted.split()[2:]  # dragging keeps the scale
    answered.get_by_role("button", name="Zoom in").click()
    zoomed = svg.get_attribute("viewBox")
    assert zoomed is not None and float(zoomed.split()[2]) == pytest.approx(float(moved.split()[2]) / 1.25)
    answered.get_by_role("button", name="Show the whole graph").click()
    assert svg.get_attribute("viewBox") == fitted


def test_the_keyboard_alone_opens_nodes_and_moves_the_drawing(answered: Page):
    stage, svg = answered.locator(".stage").first, answered.locator(".stage svg").first
    answered.get_by_role("button", name="Show the whole graph").click()
    stage.focus()
    fitted = svg.get_attribute("viewBox")
    answered.keyboard.press("ArrowRight")
    assert svg.get_attribute("viewBox") != fitted
    answered.keyboard.press("0")
    assert svg.get_attribute("viewBox") == fitted
    for _ in range(2):  # the question, then n1
        answered.keyboard.press("Tab")
    answered.keyboard.press("Enter")
    panel = answered.locator("#details")
    expect(panel.get_by_role("heading", level=2)).to_have_text("harbour museum founded")
    answered.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    assert answered.evaluate("document.activeElement.dataset.nodeId") == "n1"


def test_escape_stops_a_running_question(page: Page):
    ask(page, "slowly: when was it founded?")
    expect(page.locator("#send")).to_have_text("Stop")
    expect(page.locator(".reasoning").first).not_to_be_empty()
    page.get_by_label("Question", exact=True).press("Escape")
    expect(page.locator("#send")).to_have_text("Ask")
    expect(page.locator(".log h3").last).to_have_text("Stopped")
    expect(page.locator("#answer")).to_be_hidden()


def test_a_question_that_fails_says_why_and_what_to_do(page: Page):
    ask(page, "broken")
    failure = page.locator("#answer.answer-error")
    expect(failure).to_contain_text("this model is out of order", timeout=60_000)  # it searches first
    expect(failure.locator(".advice")).not_to_be_empty()
    expect(page.locator("#send")).to_have_text("Ask")


def test_earlier_questions_are_shown_again_with_their_graphs(page: Page):
    ask_and_wait(page)
    ask(page, "broken")
    expect(page.locator("#answer.answer-error")).to_be_visible()
    page.locator("#history-list button", has_text=QUESTION).click()
    expect(page.locator("#answer-text .claim")).to_have_text(ANSWER)
    expect(page.locator(NODES)).to_have_count(5)
    expect(page.locator(".log .entry")).to_have_count(7)


def test_the_log_stays_where_the_reader_scrolled_to(page: Page):
    ask(page)
    log = page.locator("#log")
    expect(page.locator(".log h3", has_text="Summary of n2")).to_be_visible()
    log.hover()
    to_latest = page.get_by_role("button", name="Newest step")
    for _ in range(20):  # an entry that comes at the same moment takes the reader to the end once more
        page.mouse.wheel(0, -4000)
        page.wait_for_timeout(100)
        if to_latest.is_visible():
            break
    expect(to_latest).to_be_visible()
    expect(page.locator("#answer-text")).to_be_visible()
    expect(page.locator(".log h3").first).to_be_in_viewport()
    to_latest.click()
    assert log.evaluate("log => log.scrollHeight - log.scrollTop - log.clientHeight") < 2


def test_shift_enter_makes_a_line_and_settings_are_sent(page: Page):
    question = page.get_by_label("Question", exact=True)
    expect(page.locator("#send")).to_be_enabled()
    question.fill("slowly one")
    question.press("Shift+Enter")
    question.press_sequentially("two")
    expect(question).to_have_value("slowly one\ntwo")
    page.locator("#memory").select_option("vimrag_equal")
    page.locator("#calls").fill("5")
    with page.expect_request("**/v1/ask") as sent:
        question.press("Enter")
    assert sent.value.post_data_json == {
        "question": "slowly one\ntwo",
        "memory": "vimrag_equal",
        "calls": 5,
        "datasets": None,
        "timeout_s": None,
        "files": None,
        "conversation": None,
        "keep": True,
        "detached": True,
    }
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#send")).to_have_text("Ask")


def test_a_question_goes_on_when_the_page_is_loaded_anew(page: Page):
    ask(page, "slowly, when was the museum founded?")
    expect(page.locator(".log h3", has_text="Summary of n1")).to_be_visible()
    page.reload()
    expect(page.locator("#send")).to_have_text("Stop")
    expect(page.get_by_label("Question", exact=True)).to_have_value("slowly, when was the museum founded?")
    expect(page.locator("#answer-text .claim")).to_have_text(ANSWER)
    expect(page.locator(NODES)).to_have_count(5)
    page.reload()
    expect(page.locator("#answer-text .claim")).to_have_text(ANSWER)  # it is over, and kept


def test_answer_now_is_offered_while_a_question_runs(page: Page):
    expect(page.locator("#answer-now")).to_be_hidden()
    ask(page, "slowly, when was the museum founded?")
    expect(page.locator(".log h3", has_text="Summary of n1")).to_be_visible()
    page.locator("#answer-now").click()
    expect(page.locator(".log h3", has_text="Note")).to_be_visible()
    expect(page.locator("#send")).to_have_text("Ask")
    expect(page.locator("#answer-now")).to_be_hidden()
