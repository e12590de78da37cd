"""What a reader does on the page, in one call each."""

from __future__ import annotations

import time

from playwright.sync_api import Page, expect

from tests.app.web.material import QUESTION

ANSWER_MS = 60_000  # the first question of a server waits for its index on a busy machine
NODES = ".stage .node[data-node-id]"


def ask(page: Page, question: str = QUESTION) -> None:
    """Ask by the keyboard and go on at once."""
    page.get_by_label("Question", exact=True).fill(question)
    expect(page.locator("#send")).to_be_enabled()
    page.get_by_label("Question", exact=True).press("Enter")


def ask_and_wait(page: Page, question: str = QUESTION) -> None:
    """Ask and wait for the answer."""
    ask(page, question)
    expect(page.locator("#answer-text")).to_be_visible(timeout=ANSWER_MS)
    expect(page.locator("#send")).to_have_text("Ask", timeout=ANSWER_MS)


def overflow(page: Page) -> int:
    """By how many pixels the page is wider than its window."""
    return page.evaluate("document.documentElement.scrollWidth - window.innerWidth")


def until(page: Page, claim: str, *, timeout_s: float = 30.0) -> None:
    """Wait until an expression of the page is true; the page's own policy forbids Playwright's way, which is eval."""
    deadline = time.monotonic() + timeout_s
    while not page.evaluate(claim):
        assert time.monotonic() < deadline, claim
        page.wait_for_timeout(50)
