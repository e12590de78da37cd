"""The sweep over crowded memories: pages are kept whatever the model says of them, and every arm answers from the same graph."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from memory_graph.actions import Answer, Mark, Memorize, Search, render
from model.config.limits import BY_PROFILE
from orchestration.study.experiments import EXPERIMENTS
from tests.app.command_line import Vimrag
from tests.app.test_evaluate_text_only import QUESTIONS, root
from tests.servers.openai_server import Answer as Reply
from tests.servers.openai_server import OpenAIServer, Received, Spoken

__all__ = ["root"]  # a fixture
pytestmark = pytest.mark.timeout(900)  # 24 arms twice
PAGES = 3


class Seeing(OpenAIServer):
    """Reads pictures; keeps one page of three; answers rightly only where a page is shown with at least 64 tokens."""

    def respond(self, received: Received) -> Reply:
        if "colour" in received.text and len(received.images) == 1 and "Memory graph" not in received.text:
            return "yellow and purple"
        if "n1 <-" in received.text:
            legible = any(image.width * image.height >= 64 * 1024 for image in received.images)
            act = Answer(parents=("n1",), text="1931" if legible else "unknown")
        elif len(received.messages) > 2:
            act = Memorize(
                id="n1",
                summary="see the pages",
                marks=(Mark(1, True, 5), Mark(2, False, 1), Mark(3, False, 1)),
            )
        else:
            act = Search(id="n1", parents=("root",), query="crane opened")
        return Spoken(text=f"<think>Looking.</think>{render(act)}")


def test_every_arm_answers_from_one_memory_that_kept_every_page(vimrag: Vimrag, root: Path):
    where = ("study", "paper", "crowded", "--root", root, "--json", "--endpoint")
    with Seeing() as server:
        [told] = vimrag(*where, server.base_url).json["experiments"]
        asked = len(server.requests)
        [again] = vimrag(*where, server.base_url).json["experiments"]
        assert len(server.requests) <= asked + 2  # no question again
    assert again == told
    arms = {arm.name for arm in EXPERIMENTS["crowded"](BY_PROFILE["full"]).arms}
    assert told["arms"].keys() == arms
    assert all(arm["means"]["calls"] == 1 for arm in told["arms"].values())
    folder = root / "studies/crowded-test-model"
    gathered = json.loads((folder / "gathered/evaluation.json").read_text())
    assert gathered["spent"]["rollouts"] == len(QUESTIONS)
    # 64 tokens: the page of priority 5 gets 46 of them, all three equally 21
    assert told["decided_by_energy"]["energy-K5-64"] == 1.0
    rates = {name: arm["right"]["estimate"] for name, arm in told["arms"].items()}
    assert rates["equal-1280"] == 1.0 and rates["equal-64"] == 0.0
    # at 128 the first page gets 5/7 of them, 91 tokens, and equally 42
    assert (rates["energy-K5-128"], rates["equal-128"]) == (1.0, 0.0)
    assert any("energy-K5-128 - equal-128" in line for line in told["findings"])


def test_without_two_pictures_there_is_nothing_to_share(
    vimrag: Vimrag, root: Path, caplog: pytest.LogCaptureFixture
):
    class Idle(Seeing):
        def respond(self, received: Received) -> Reply:
            return Spoken(text=f"<think>No.</think>{render(Answer(parents=('root',), text='no'))}")

    with Idle() as server:
        said = vimrag("study", "paper", "crowded", "--root", root, "--endpoint", server.base_url)
        assert said.code == 2 and "nothing to share pixels among" in said.err
        both = (
            "study",
            "paper",
            "crowded",
            "pilot3",
            "--root",
            root,
            "--json",
            "--endpoint",
            server.base_url,
        )
        told = vimrag(*both)
    assert [each["experiment"] for each in told.json["experiments"]] == ["pilot3"]
    assert "crowded is left out" in caplog.text
