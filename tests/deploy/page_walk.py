"""A walk through the page of Dagster in Chromium, for eyes: ``python -m tests.deploy.page_walk FOLDER`` leaves pictures there.

Lineage; an index; a recipe launched with one changed field; a run that is terminated; a check that fails, with its cause; back to
the release before. Not collected as a test: each stop waits for a page that another version of Dagster lays out otherwise.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from playwright.sync_api import Page, TimeoutError, sync_playwright

from assets.index.published import current_index
from assets.question_sets.build import build_question_set
from infra.storage.root import Storage
from tests.assets.question_sets.test_build import question
from tests.assets.small_corpus import item, write_corpus
from tests.deploy.page_client import ENDED, ask
from tests.ports import free_ports

REPOSITORY = Path(__file__).resolve().parents[2]
RUNS = "{ runsOrError { ... on Runs { results { runId jobName status } } } }"
FIELD = """resources:
  recipe:
    config:
      run_name: {name}
      fields:
        ggpo:
          schedule:
            learning_rate: 0.0001
"""
TYPE = """text => {
  const editors = [...document.querySelectorAll('.CodeMirror')].sort((a, b) => b.clientHeight - a.clientHeight);
  const code = editors[0].CodeMirror, last = code.lastLine();
  code.replaceRange(text, {line: 0, ch: 0}, {line: last, ch: code.getLine(last).length}, '+input');
}"""
PATIENCE_S = 1500.0


def write(storage: Storage, towns: int, *, broken: bool = False) -> None:
    """Towns and a question about each, half of them to train on; a broken one names gold of no dataset."""
    items = [item(f"t{n}", f"Town{n} lies {n * n} km from the river.", dataset="squad") for n in range(towns)]
    asked = [
        question(f"q{n}", f"t{n}", split="train" if n % 2 else "dev", text=f"How far is Town{n}?")
        for n in range(towns)
    ]
    if broken:
        asked[0] = replace(asked[0], gold=("elsewhere:text:t0",))
    write_corpus(storage, items, asked, dataset="squad")


@dataclass
class Walk:
    """The page, and where its pictures go."""

    page: Page
    base: str
    folder: Path

    def look(self, name: str, path: str = "", *, pause_s: float = 9.0) -> None:
        """Go there and take a picture."""
        if path:
            self.page.goto(f"{self.base}{path}", timeout=120_000)
        self.page.wait_for_timeout(pause_s * 1000)
        self.page.screenshot(path=self.folder / f"{name}.png")

    def runs(self) -> list[dict[str, str]]:
        """The newest first."""
        return ask(self.base, RUNS)["runsOrError"]["results"]

    def confirm(self) -> None:
        """Where the page asks whether assets that were never materialised here matter."""
        try:
            self.page.get_by_role("button", name="Confirm").click(timeout=25_000)
        except TimeoutError:
            return

    def launched(self, act: Callable[[], object], *, until: Callable[[str], bool]) -> dict[str, str]:
        """The run that ``act`` started, when its status is as wanted."""
        before, deadline = len(self.runs()), time.monotonic() + PATIENCE_S
        act()
        while len(found := self.runs()) == before or not until(found[0]["status"]):
            assert time.monotonic() < deadline, found[:1]
            time.sleep(2)
        return found[0]

    def materialize(self, job: str) -> dict[str, str]:
        """All assets of a job, by its button."""
        self.page.goto(f"{self.base}/locations/orchestration/jobs/{job}", timeout=120_000)

        def act() -> None:
            self.page.get_by_role("button", name="Materialize").first.click()
            self.confirm()

        return self.launched(act, until=ENDED.__contains__)

    def launchpad(self, job: str, config: str, *, until: Callable[[str], bool]) -> dict[str, str]:
        """The assets of a job with the configuration typed."""
        page = self.page
        page.goto(f"{self.base}/locations/orchestration/jobs/{job}", timeout=120_000)
        button = page.get_by_role("button", name="Materialize").first
        button.wait_for()
        page.wait_for_timeout(2000)
        button.locator("xpath=following::button[1]").click()
        page.get_by_text("Open launchpad").click()
        self.confirm()
        page.get_by_text("CONFIG ACTIONS").wait_for()
        page.wait_for_timeout(9000)  # the page fills in the defaults by itself
        page.evaluate(TYPE, config)
        self.look(f"{job}-launchpad", pause_s=6)
        return self.launched(page.get_by_role("button", name="Materialize").last.click, until=until)


def walk(steps: Walk, storage: Storage) -> None:
    """All stops, in order."""
    steps.look("1-lineage", "/asset-groups")
    assert steps.materialize("index")["status"] == "SUCCESS"
    build_question_set(storage)
    made = steps.launchpad("cold_start", FIELD.format(name="slower"), until=ENDED.__contains__)
    steps.look("2-one-changed-field", f"/runs/{made['runId']}")
    assert made["status"] == "SUCCESS", made

    cleared = FIELD.format(name="longer") + "      cleared: [cold_start.shipped]\n"
    long = steps.launchpad("cold_start", cleared, until="STARTED".__eq__)
    steps.look("3-running", f"/runs/{long['runId']}", pause_s=15)
    steps.page.get_by_role("button", name="Terminate").first.click()
    steps.page.get_by_role("dialog").get_by_role("button", name="Terminate").click()
    deadline = time.monotonic() + PATIENCE_S
    while (status := steps.runs()[0]["status"]) not in ENDED and time.monotonic() < deadline:
        time.sleep(2)
    steps.look("4-terminated", f"/runs/{long['runId']}")
    assert status == "CANCELED", status

    before = current_index(storage)
    write(storage, 44, broken=True)
    failed = steps.materialize("index")
    steps.look("5-failed", f"/runs/{failed['runId']}")
    steps.look("6-failed-check", "/assets/index_candidate?view=checks", pause_s=30)
    assert failed["status"] == "FAILURE" and current_index(storage) == before
    back(steps, storage)


def back(steps: Walk, storage: Storage) -> None:
    """The last stop: another release by its button, and back to the one before by the job of the page."""
    before = current_index(storage)
    write(storage, 44)
    assert steps.materialize("index")["status"] == "SUCCESS" and current_index(storage) != before
    steps.page.goto(
        f"{steps.base}/locations/orchestration/jobs/roll_back_release/playground", timeout=120_000
    )
    run = steps.launched(steps.page.get_by_role("button", name="Launch run").click, until=ENDED.__contains__)
    steps.look("7-rolled-back", "/assets/index")
    assert run["status"] == "SUCCESS" and current_index(storage) == before


def main(folder: Path) -> None:
    """Page, daemon and browser on a root of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    home = folder / "home"
    shutil.rmtree(home, ignore_errors=True)
    shutil.rmtree(folder / "root", ignore_errors=True)
    home.mkdir()
    shutil.copy(REPOSITORY / "dagster.yaml", home)
    storage = Storage(folder / "root")
    write(storage, 40)
    [port] = free_ports(1)
    told = {
        **os.environ,
        "DAGSTER_HOME": str(home),
        "VIMRAG_ROOT": storage.root,
        "PYTHONPATH": str(REPOSITORY),
    }
    programs, workspace = Path(sys.executable).parent, ("-w", "workspace.yaml")
    started: list[subprocess.Popen[bytes]] = []
    for line in (
        [programs / "dagster-webserver", *workspace, "-h", "127.0.0.1", "-p", str(port)],
        [programs / "dagster-daemon", "run", *workspace],
    ):
        with (folder / f"{Path(line[0]).name}.log").open("wb") as log:
            started.append(subprocess.Popen(line, cwd=REPOSITORY, env=told, stdout=log, stderr=log))
    base = f"http://127.0.0.1:{port}"
    try:
        _wait(base)
        with sync_playwright() as playwright:
            binary = shutil.which("chromium") or shutil.which("chromium-browser")
            browser = playwright.chromium.launch(executable_path=binary, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1600, "height": 1000})
            page.set_default_timeout(90_000)
            walk(Walk(page=page, base=base, folder=folder), storage)
            browser.close()
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(60)


def _wait(base: str) -> None:
    for _ in range(240):
        try:
            ask(base, "{ version }")
            return
        except OSError:
            time.sleep(0.5)
    raise RuntimeError(f"nothing answers at {base}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
