"""Adding files on the page."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page, expect

from tests.assets.user_files.material import write_pdf


def test_a_chosen_file_is_ingested_and_can_be_searched_at_once(page: Page, tmp_path: Path):
    expect(page.locator("#status")).to_contain_text("5 items")
    crane = write_pdf(tmp_path / "crane.pdf", "The crane was built in 1901.", "It was moved in 1950.")
    page.locator("#files").set_input_files(crane)
    expect(page.locator(".upload-status")).to_contain_text("2 items searchable", timeout=60_000)
    expect(page.locator("#status")).to_contain_text("7 items")


def test_a_file_that_cannot_be_read_says_why(page: Page, tmp_path: Path):
    broken = tmp_path / "broken.pdf"
    broken.write_bytes(b"no document \0\x81")
    page.locator("#files").set_input_files(broken)
    expect(page.locator(".upload-empty .upload-status")).to_contain_text("pdf unreadable", timeout=60_000)


def test_files_may_be_dropped_anywhere(page: Page):
    expect(page.get_by_role("button", name="Add files")).to_be_visible()
    dropped = page.evaluate_handle(
        """() => {
          const data = new DataTransfer();
          data.items.add(new File(["The lighthouse is red."], "light.txt", { type: "text/plain" }));
          return data;
        }"""
    )
    page.dispatch_event("body", "dragover", {"dataTransfer": dropped})
    expect(page.locator("#drop")).to_be_visible()
    page.dispatch_event("body", "drop", {"dataTransfer": dropped})
    expect(page.locator("#drop")).to_be_hidden()
    expect(page.locator(".upload-status")).to_contain_text("1 item searchable", timeout=60_000)
