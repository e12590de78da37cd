"""The paper's experiments as commands: frozen arms, answered over an endpoint, compared, drawn, and gone on with."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from model.config.limits import BY_PROFILE, Limits
from orchestration.study.arms import Arm, RetrieverKind
from orchestration.study.experiments import EXPERIMENTS
from tests.app.command_line import Vimrag
from tests.app.test_evaluate_command import reply, root, server
from tests.servers.openai_server import OpenAIServer

__all__ = ["reply", "root", "server"]  # fixtures


@pytest.mark.parametrize("profile", BY_PROFILE)
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_arm_has_legal_limits_and_every_pair_and_point_an_arm(name: str, profile: str):
    base = BY_PROFILE[profile]
    experiment = EXPERIMENTS[name](base)
    names = {arm.name for arm in experiment.arms}
    assert len(names) == len(experiment.arms) and experiment.name == name
    for arm in experiment.arms:
        changes: dict[str, object] = dict(arm.limits)
        assert isinstance(replace(base, **changes), Limits)
    assert {each for pair in experiment.pairs for each in pair} <= names
    assert {arm for line in experiment.lines for _, arm in line.points} <= names


def test_the_sweep_goes_down_to_budgets_that_bind():
    budgets = [each for each, _ in EXPERIMENTS["budget"](BY_PROFILE["compact"]).lines[0].points]
    assert budgets == [2, 4, 8, 16, 80]  # visual tokens; a picture of the miniature has up to 16


def test_an_arm_with_an_unknown_limit_is_refused():
    with pytest.raises(ValueError, match="unknown limits pixels"):
        Arm(name="a", memory="vimrag", limits={"pixels": 1})
    with pytest.raises(ValueError, match="one folder name"):
        Arm(name="../a", memory="vimrag")


def test_experiments_run_over_an_endpoint_and_go_on(vimrag: Vimrag, root: str, server: OpenAIServer):
    where = ("study", "paper", "ablation", "retriever", "--root", root, "--endpoint", server.base_url)
    told = vimrag(*where, "--json").json["experiments"]
    ablation, retriever = told
    assert [pair["of"] for pair in ablation["comparisons"]] == ["vimrag_text", "vimrag_equal", "vimrag"]
    assert {name: arm["right"]["estimate"] for name, arm in ablation["arms"].items()} == dict.fromkeys(
        ("mem1", "vimrag_text", "vimrag_equal", "vimrag"), 7 / 8
    )
    assert ablation["arms"]["vimrag"]["paper"] == 50.1
    assert retriever["arms"].keys() == {str(kind) for kind in RetrieverKind}
    folder = Path(root) / "studies/ablation-test-model"
    assert {"index.html", "report.md", "study.json", "answers.jsonl", "evaluation.json"} <= {
        p.name for p in folder.iterdir()
    }
    assert json.loads((folder / "study.json").read_text()) == ablation
    asked = len(server.requests)
    shown = vimrag(*where)
    assert len(server.requests) <= asked + 2 and "Table 3" in shown.out and "50.1" in shown.out
    wrong = vimrag("study", "paper", "pilot4", "--root", root, "--endpoint", server.base_url)
    assert wrong.code == 2 and "did you mean 'pilot" in wrong.err
