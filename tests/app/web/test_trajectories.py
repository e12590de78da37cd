"""Browsing stored rollouts: files, filters, pages of rows, and one rollout as the model saw it."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.app.web.acts import NODES
from tests.app.web.conftest import Open
from tests.app.web.material import FILE, ROWS

ROW = ".rows tbody tr"


def test_the_rows_of_a_file_come_in_pages_of_fifty(open_page: Open):
    page = open_page("/viewer")
    expect(page.locator(ROW)).to_have_count(50)
    expect(page.locator("#file")).to_have_value(FILE)
    expect(page.locator(".range").first).to_have_text(f"1–50 of {ROWS}")
    for text in ("51–100 of 130", "101–130 of 130"):
        page.get_by_role("link", name="Later rows").first.click()
        expect(page.locator(".range").first).to_have_text(text)
    expect(page.locator(ROW)).to_have_count(30)
    page.go_back()
    expect(page.locator(".range").first).to_have_text("51–100 of 130")


def test_filters_narrow_the_rows_and_say_how_many_there_are(open_page: Open):
    # of 130 rows 13 are unscored; of the others, every third is wrong: 44 multiples of 3 less the five 9, 39, 69, 99, 129
    page = open_page("/viewer")
    expect(page.locator("#filter-verdict option")).to_have_text(
        ["all", "right (78)", "wrong (39)", "unscored (13)"], use_inner_text=True
    )
    page.locator("#filter-verdict").select_option("wrong")
    expect(page.locator(".range").first).to_have_text("1–39 of 39")
    expect(page.locator(f"{ROW} .verdict-wrong")).to_have_count(39)
    page.locator("#filter-dataset").select_option("hotpotqa")
    expect(page.locator(ROW).first).to_contain_text("hotpotqa")
    page.locator("#filter-q").press_sequentially("Question 12:")
    expect(page.locator(ROW)).to_have_count(1)
    assert "verdict=wrong" in page.url and "dataset=hotpotqa" in page.url
    page.reload()
    expect(page.locator(ROW)).to_have_count(1)
    expect(page.locator("#filter-verdict")).to_have_value("wrong")


def test_a_row_opens_with_its_graph_and_the_reasons_of_pruning(open_page: Open):
    page = open_page(f"/#/trajectories?file={FILE}&verdict=right")
    page.get_by_role("link", name="Question 1: when was the museum founded?").click()
    expect(page.locator(".trajectory .verdict-right")).to_be_visible()
    expect(page.locator(".trajectory-head")).to_contain_text("+0.70")
    expect(page.locator(f".trajectory {NODES}")).to_have_count(4)
    expect(page.locator(".segment")).to_have_count(3)
    # n2 is no part of what the right answer rests on
    badges = page.locator(".segment .badge").all_inner_texts()
    assert badges == ["kept", "pruned", "kept"]
    expect(page.locator("[data-segment=n2] .segment-reason")).not_to_be_empty()
    page.locator(f'.trajectory {NODES}[data-node-id="n1"] .query').first.click()
    expect(page.locator("#details")).to_contain_text("founding year")
    page.go_back()
    expect(page.locator("#details")).to_be_hidden()
    expect(page.locator(".range").first).to_have_text("1–50 of 78")


def test_a_call_shows_its_prompt_with_images_as_the_model_saw_them(open_page: Open):
    page = open_page(f"/#/trajectories?file={FILE}&row=1")
    page.locator("[data-segment=n1] > summary").click()
    call = page.locator("[data-segment=n1] .call").first
    user = call.locator(".turn").nth(1)
    # U+FFFC stands where the images were: 192 x 128 / 1024 = 24 tokens, 96 x 64 / 1024 = 6
    captions = user.locator("figcaption").all_inner_texts()
    assert captions == ["192 × 128 px · 24 tokens", "96 × 64 px · 6 tokens"]
    shown = user.locator("img").evaluate_all("images => images.map(image => [image.width, image.height])")
    assert shown == [[192, 128], [96, 64]]
    for image in user.locator("img").all():
        image.scroll_into_view_if_needed()
        expect(image).not_to_have_js_property("naturalWidth", 0)
    order = user.locator(".turn-text").evaluate(
        "text => [...text.childNodes].map(node =>"
        " node.nodeType === 3 ? node.textContent.trim().split('\\n').at(-1) : node.tagName)"
    )
    assert order == ["[n1] report", "FIGURE", "and then", "FIGURE", "end"]
    expect(call.locator(".turn-generated .json-key").first).to_have_text('"name"')


def test_the_turns_that_two_calls_share_are_folded(open_page: Open):
    page = open_page(f"/#/trajectories?file={FILE}&row=1")
    page.locator("[data-segment=n1] > summary").click()
    second = page.locator("[data-segment=n1] .call").nth(1)
    expect(second).to_contain_text("The first 2 turns are those of the call before.")
    folded = second.locator("details.turn").evaluate_all("turns => turns.map(turn => turn.open)")
    assert folded == [False, False, True, True]
    observed = second.locator(".turn").nth(3)
    expect(observed).to_contain_text("<img src=x onerror=alert(4)>")
    # the third image of the call, whichever turns hold the others
    expect(observed.locator("figcaption")).to_have_text("192 × 128 px · 24 tokens")


def test_a_file_that_is_gone_is_an_error_in_place(open_page: Open):
    page = open_page("/#/trajectories?file=gone/away.parquet", may_fail=True)
    expect(page.get_by_role("alert")).to_contain_text("no such file of trajectories")
    expect(page.locator(ROW)).to_have_count(0)
    page.locator("#file").select_option(FILE)
    expect(page.locator(ROW)).to_have_count(50)
