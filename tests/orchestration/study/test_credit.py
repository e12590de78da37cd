"""What an audit of credit refuses before it begins, and its document. The audit itself is held in ``tests/model/audit``."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from model.audit.checks import refuse_others
from model.audit.gains import Gain
from model.audit.judgement import Verdict
from model.audit.objectives import load
from model.audit.rollouts import rollouts_of
from model.config.limits import Limits
from orchestration.dagster_defs.miniature_raw import WORLDS_FILE
from orchestration.study.credit.document import CreditDocument, policy_figures
from orchestration.study.credit.judged import objectives
from orchestration.study.credit.options import WORLDS, CreditStudy
from orchestration.study.credit.page import credit_page
from orchestration.study.credit.rollouts import prepare
from tests.model.audit.toy import rollout

POLICY = "Qwen3VL:0123456789abcdef:fedcba9876543210"
FOUND = [replace(rollout(f"q{number}", 0, 0), policy=POLICY) for number in range(3)]
MINE = """
from model.audit.rollouts import weighed

def weights(rollout, group):
    return weighed(rollout, lambda step: rollout.advantage if step.node_id is None else 0.0)
"""


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"policy": "Qwen3VL:0123456789abcdef:0000000000000000"}, "another tokenizer"),
        ({"policy": "Qwen3VL:0000000000000000:fedcba9876543210"}, "another policy"),
        ({"limits": Limits(calls=7)}, "other limits"),
        ({"limits": Limits(rules=1)}, "other limits"),
        ({"memory": "react"}, "memory policy"),
    ],
)
def test_rollouts_of_others_are_refused_with_the_reason(changed: dict, reason: str):
    refuse_others(FOUND, fingerprint=POLICY, vocabulary=99)
    with pytest.raises(ValueError, match=reason):
        refuse_others([*FOUND, replace(FOUND[0], **changed)], fingerprint=POLICY, vocabulary=99)


def test_tokens_beyond_the_vocabulary_and_no_rollouts_at_all_are_refused():
    with pytest.raises(ValueError, match="of another one"):
        refuse_others(FOUND, fingerprint=POLICY, vocabulary=10)
    with pytest.raises(ValueError, match="no rollouts"):
        refuse_others([], fingerprint=POLICY, vocabulary=10)


def test_a_rollout_of_an_endpoint_is_refused():
    bare = replace(
        FOUND[0],
        segments=tuple(
            replace(s, calls=tuple(replace(c, token_ids=(), logprobs=()) for c in s.calls))
            for s in FOUND[0].segments
        ),
    )
    with pytest.raises(ValueError, match="not made by a local policy"):
        refuse_others([bare], fingerprint=POLICY, vocabulary=99)


def test_a_file_with_weights_is_an_objective(tmp_path: Path):
    path = tmp_path / "answers_only.py"
    path.write_text(MINE)
    mine = load(path)
    group = rollouts_of([rollout("q", 0, 0), rollout("q", 2, 0)])
    (right, _), found = group, mine.weigh(group)
    assert mine.name == "answers_only"
    assert found[0] == ((0.0,), (right.advantage,))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("x = 1\n", "defines no function"),
        ("raise OSError('no')\n", "cannot be run: OSError"),
        (None, "no file"),
    ],
)
def test_a_file_that_is_no_objective_is_refused(tmp_path: Path, text: str | None, reason: str):
    path = tmp_path / "mine.py"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ValueError, match=reason):
        load(path)


@pytest.mark.parametrize(
    "bad", [{"split": "none"}, {"group_size": 1}, {"temperature": 0.0}, {"checkpoint": "none"}, {"folds": 0}]
)
def test_an_audit_of_nothing_is_refused(tmp_path: Path, bad: dict):
    with pytest.raises(ValueError):
        CreditStudy(root=tmp_path, **bad)


def test_the_reference_is_always_among_the_objectives_and_unknown_ones_are_named(tmp_path: Path):
    assert [each.name for each in objectives(CreditStudy(root=tmp_path, objectives=("ggpo",)))] == [
        "gspo",
        "ggpo",
    ]
    with pytest.raises(ValueError, match=r"unknown objectives \['nothing'\]"):
        objectives(CreditStudy(root=tmp_path, objectives=("nothing",)))


def test_document_and_page_tell_unknown_numbers_as_such():
    known, unknown = (
        Gain(value=0.1, error=0.02, low=0.05, high=0.15),
        Gain(value=math.nan, error=math.nan, low=math.nan, high=math.nan),
    )
    verdict = Verdict(
        gain=known, against=known, adam=known, adam_against=known, datasets={"d": unknown}, share=0.5
    )
    document = CreditDocument(
        study={},
        policy=POLICY,
        figures=policy_figures(FOUND),
        questions=3,
        with_spread=2,
        rollouts=24,
        sources={"ggpo": "here"},
        objectives={"ggpo": verdict},
        categories={},
        seconds_rollouts=1.0,
        seconds_audit=2.0,
    )
    data = document.to_json()
    assert b"NaN" not in data and CreditDocument.from_json(data).to_json() == data
    page = credit_page(document)
    assert "<svg" in page and "+0.100" in page and "<td>-" in page and "http://" not in page


def test_a_root_of_other_hops_is_refused_before_anything_is_made(tmp_path: Path):
    marker = (tmp_path / "raw").joinpath(*WORLDS_FILE)
    marker.parent.mkdir(parents=True)
    marker.write_text(json.dumps(asdict(WORLDS)))
    study = CreditStudy(root=tmp_path, worlds=replace(WORLDS, hops=4))
    with pytest.raises(ValueError, match="longest questions have 2 hops, not 4: choose another root"):
        prepare(study, lambda text: None)
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]
