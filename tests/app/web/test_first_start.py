"""What a new user meets: a token to give, no index, no model, and what to do about each."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import expect

from tests.app.web.conftest import Open
from tests.app.web.serving import serving

TOKEN = "correct-horse"


def test_an_empty_root_says_what_to_do_first_and_a_token_is_asked_for(open_page: Open, tmp_path: Path):
    root = tmp_path / "root"
    with serving(root, VIMRAG_TOKEN=TOKEN) as address:
        page = open_page(at=address, may_fail=True)
        token = page.get_by_label("Token, as vimrag serve printed it")
        token.fill("wrong")
        token.press("Enter")
        expect(page.get_by_role("alert")).to_have_text("The server does not know this token.")
        token.fill(TOKEN)
        token.press("Enter")
        notices = page.locator("#notices")
        expect(notices).to_contain_text(f"vimrag ingest FILES --root {root}")
        expect(notices).to_contain_text(f"vimrag serve --root {root} --endpoint URL --model NAME")
        assert TOKEN not in page.url
        expect(page.locator("#send")).to_be_disabled()
        expect(page.locator("#status")).to_contain_text("no model")
        page.get_by_role("link", name="Trajectories").click()
        expect(page.get_by_role("heading", name="No trajectories yet")).to_be_visible()
        page.get_by_role("link", name="Ask").click()
        note = tmp_path / "note.txt"
        note.write_text("The lighthouse is red.")
        page.locator("#files").set_input_files(note)
        expect(page.locator("#status")).to_contain_text("1 item", timeout=60_000)
        expect(notices).not_to_contain_text("vimrag ingest")
