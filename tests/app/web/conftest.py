"""One real server process, one headless browser, and pages that fail on foreign requests and console errors."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from assets.corpus.read import read_items
from assets.user_files.ingest import DATASET
from infra.storage.root import Storage
from tests.app.web.material import HOSTILE_NAME, build_root, script, write_trajectories
from tests.app.web.serving import serving
from tests.servers.openai_server import OpenAIServer

ACTION_TIMEOUT_MS = 15_000

Open = Callable[..., Page]

expect.set_options(timeout=ACTION_TIMEOUT_MS)


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root that is served."""
    built = build_root(tmp_path_factory.mktemp("page"))
    ids = {item.title: item.id for item in read_items(Storage(str(built)), DATASET)}
    write_trajectories(built, ids["report.pdf page 1"], ids[HOSTILE_NAME])
    return built


@pytest.fixture(scope="session")
def address(root: Path) -> Iterator[str]:
    """Where ``vimrag serve`` answers, with a scripted model behind it."""
    with (
        OpenAIServer(script) as model,
        serving(root, "--endpoint", model.base_url, "--model", "test-model") as where,
    ):
        yield where


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The Chromium on the path.

    No longer than a module: while it is open an event loop runs in this thread, where nobody else's tests could run theirs.
    """
    binary = shutil.which("chromium") or shutil.which("chromium-browser")
    if binary is None:
        pytest.skip("no chromium on the path")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=binary, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def open_page(browser: Browser, address: str) -> Iterator[Open]:
    """Opens ``path`` in a fresh context. In the end, no page may have asked another host for anything or found an error."""
    contexts: list[BrowserContext] = []
    foreign: list[str] = []
    errors: list[str] = []

    def opened(path: str = "/", *, at: str = address, may_fail: bool = False, **options: object) -> Page:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
        contexts.append(context)
        context.on("request", lambda request: _note_foreign(request.url, at, foreign))
        page = context.new_page()
        page.set_default_timeout(ACTION_TIMEOUT_MS)
        if not may_fail:  # Chromium writes every refused request into the console
            page.on(
                "console",
                lambda message: errors.append(message.text) if message.type in ("error", "warning") else None,
            )
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("dialog", lambda dialog: errors.append(f"dialog: {dialog.message}"))
        page.goto(f"{at}{path}")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert foreign == []
    assert errors == []


def _note_foreign(url: str, address: str, foreign: list[str]) -> None:
    if not url.startswith((f"{address}/", "data:", "blob:")):
        foreign.append(url)


@pytest.fixture
def page(open_page: Open) -> Page:
    """The page, at its start."""
    return open_page()
