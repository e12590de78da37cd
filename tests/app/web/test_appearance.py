"""Colours, widths, names of controls, and the headers under which the page is served."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.app.web.acts import ask_and_wait, overflow
from tests.app.web.conftest import Open
from tests.app.web.material import FILE

PHONE = {"viewport": {"width": 360, "height": 740}}
LEAST_CONTRAST = 4.5  # WCAG 2.2 AA for text
CONTRASTS = """() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = colour => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => [r, g, b]
    .map(part => part / 255)
    .map(part => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
    .reduce((sum, part, place) => sum + part * [0.2126, 0.7152, 0.0722][place], 0);
  const ground = element => {
    for (let each = element; each; each = each.parentElement) {
      const colour = rgba(getComputedStyle(each).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return rgba(getComputedStyle(document.documentElement).backgroundColor);
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || !element.checkVisibility() || element.closest("svg, option")) continue;
    const [a, b] = [light(rgba(getComputedStyle(element).color)), light(ground(element))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    found.push([contrast, `${element.tagName}.${element.className}: ${walker.currentNode.textContent.trim().slice(0, 40)}`]);
  }
  return found;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_from_its_ground(open_page: Open, scheme: str):
    page = open_page(color_scheme=scheme)
    ask_and_wait(page)
    page.locator(".citation").first.click()
    found = page.evaluate(CONTRASTS)
    assert len(found) > 40
    page.goto(page.url.split("#")[0] + f"#/trajectories?file={FILE}&row=1")
    page.locator("[data-segment=n1] > summary").click()
    found += page.evaluate(CONTRASTS)
    assert [text for contrast, text in found if contrast < LEAST_CONTRAST] == []


def test_the_colours_change_at_a_button_and_stay_so(open_page: Open):
    page = open_page(color_scheme="light")
    ground = "getComputedStyle(document.body.parentElement).backgroundColor"
    light = page.evaluate(ground)
    page.get_by_role("button", name="Dark colours").click()
    dark = page.evaluate(ground)
    assert dark != light
    page.reload()
    expect(page.get_by_role("button", name="Light colours")).to_be_visible()
    assert page.evaluate(ground) == dark


def test_a_phone_never_scrolls_sideways(open_page: Open):
    page = open_page(**PHONE, has_touch=True)
    expect(page.locator("#status")).to_contain_text("test-model")
    assert overflow(page) <= 0
    ask_and_wait(page)
    assert overflow(page) <= 0
    page.locator(".citation").first.click()
    expect(page.locator("#details")).to_be_visible()
    assert page.locator("#details").evaluate("panel => panel.matches(':modal')")
    assert page.locator("#details").evaluate("panel => panel.scrollWidth - panel.clientWidth") <= 0
    page.keyboard.press("Escape")
    for state in (f"file={FILE}", f"file={FILE}&row=1"):
        page.goto(page.url.split("#")[0] + f"#/trajectories?{state}")
        expect(page.locator(".rows tbody tr:visible, .segment:visible").first).to_be_visible()
        assert overflow(page) <= 0
    page.locator("[data-segment=n1] > summary").click()
    assert overflow(page) <= 0


def test_everything_that_can_be_used_has_a_name(page: Page):
    ask_and_wait(page)
    page.locator(".citation").first.click()
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("button, a, input, select, textarea, summary, [tabindex='0']")]
          .filter(each => each.checkVisibility())
          .filter(each => !(each.getAttribute("aria-label") || each.textContent.trim() || 
            each.labels?.length || each.querySelector("img[alt]:not([alt=''])")))
          .map(each => each.outerHTML.slice(0, 120))"""
    )
    assert nameless == []
    for role in ("banner", "main"):
        expect(page.get_by_role(role)).to_have_count(1)
    assert page.locator("#log").get_attribute("aria-live") == "polite"
    assert page.locator("#answer").get_attribute("aria-live") == "polite"


@pytest.mark.parametrize("path", ["/", "/viewer"])
def test_the_page_is_served_so_that_nothing_foreign_or_inline_can_run(page: Page, path: str):
    answer = page.request.get(page.url.rstrip("/") + path)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy and "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    html = answer.text()
    assert (
        "http://" not in html
        and "https://" not in html
        and "style=" not in html
        and " on" + "click" not in html
    )
