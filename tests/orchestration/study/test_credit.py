"""An audit from rollouts to page with the checkpoint that ships, and what it refuses."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from model.audit.checks import refuse_others
from model.audit.objectives import load
from model.audit.rollouts import Category
from model.config.limits import Limits
from model.rl import trajectory_store
from orchestration.recipes.options import MiniatureWorlds
from orchestration.study.credit.document import CreditDocument
from orchestration.study.credit.options import CreditStudy
from orchestration.study.credit.run import run
from tests.model.audit.toy import rollout

MINE = '''
from model.audit.rollouts import weighed

def weights(rollout, group):
    """Praise and blame for the answer alone."""
    return weighed(rollout, lambda step: rollout.advantage if step.node_id is None else 0.0)
'''


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> CreditStudy:
    root = tmp_path_factory.mktemp("credit")
    mine = root / "answers_only.py"
    mine.write_text(MINE)
    return CreditStudy(
        root=root,
        questions=2,
        group_size=3,
        folds=4,
        threads=1,
        objectives=("ggpo",),
        files=(mine,),
        worlds=MiniatureWorlds(train=1, val=1, test=1, questions=2),
    )


@pytest.fixture(scope="module")
def document(study: CreditStudy) -> CreditDocument:
    return run(study, print)


def parts(study: CreditStudy) -> list[Path]:
    return sorted((study.root / "trajectories" / "study-credit").glob("*.parquet"))


def test_every_objective_has_a_gain_and_the_reference_none_against_itself(
    study: CreditStudy, document: CreditDocument
):
    assert list(document.objectives) == ["gspo", "ggpo", "answers_only"]
    assert document.objectives["gspo"].against.value == 0.0
    assert all(math.isfinite(each.gain.value) for each in document.objectives.values())
    assert document.objectives["gspo"].share == 1.0 > document.objectives["answers_only"].share
    total = sum(part.part.value for part in document.categories.values())
    assert total == pytest.approx(document.objectives["gspo"].gain.value, rel=1e-3, abs=1e-6)
    assert set(document.categories) == {category.value for category in Category}


def test_document_and_page_are_published_and_rollouts_kept(study: CreditStudy, document: CreditDocument):
    folder = study.root / "reports" / "study-credit" / study.name
    assert CreditDocument.from_json((folder / "credit.json").read_bytes()).to_json() == document.to_json()
    assert "NaN" not in (folder / "credit.json").read_text()
    page = (folder / "index.html").read_text()
    assert "<svg" in page and "answers_only" in page and "http" not in page.replace("http-equiv", "")
    assert len(parts(study)) == 1
    assert document.rollouts == 3 * document.questions


def test_a_second_run_makes_no_rollout_and_comes_out_the_same(study: CreditStudy, document: CreditDocument):
    before = [path.stat().st_mtime_ns for path in parts(study)]
    again = run(replace(study, trajectories=tuple(parts(study))), print)
    assert [path.stat().st_mtime_ns for path in parts(study)] == before
    assert again.objectives["ggpo"].gain.value == pytest.approx(
        document.objectives["ggpo"].gain.value, rel=1e-4
    )


def test_some_weights_alone_can_be_looked_at(study: CreditStudy, document: CreditDocument):
    part = run(replace(study, trajectories=tuple(parts(study)), parameters=r"lm_head|layers\.0\."), print)
    assert part.objectives["ggpo"].gain.value != document.objectives["ggpo"].gain.value
    with pytest.raises(ValueError, match="no trainable weight has a name"):
        run(replace(study, trajectories=tuple(parts(study)), parameters="nothing"), print)


def test_rollouts_of_others_are_refused_with_the_reason(study: CreditStudy, document: CreditDocument):
    found = list(trajectory_store.read(parts(study)[0]))
    policy = found[0].policy
    name, weights, tokenizer = policy.split(":")
    for changed, reason in (
        ({"policy": f"{name}:{weights}:{'0' * 16}"}, "another tokenizer"),
        ({"policy": f"{name}:{'0' * 16}:{tokenizer}"}, "another policy"),
        ({"limits": Limits()}, "other limits"),
        ({"memory": "react"}, "memory policy"),
    ):
        with pytest.raises(ValueError, match=reason):
            refuse_others([*found, replace(found[0], **changed)], fingerprint=policy, vocabulary=10**6)
    with pytest.raises(ValueError, match="of another one"):
        refuse_others(found, fingerprint=policy, vocabulary=10)
    with pytest.raises(ValueError, match="no rollouts"):
        refuse_others([], fingerprint=policy, vocabulary=10)


def test_a_rollout_of_an_endpoint_is_refused():
    served = rollout("q", 0, 0)
    bare = replace(
        served,
        segments=tuple(
            replace(s, calls=tuple(replace(c, token_ids=(), logprobs=()) for c in s.calls))
            for s in served.segments
        ),
    )
    with pytest.raises(ValueError, match="not made by a local policy"):
        refuse_others([bare], fingerprint="toy", vocabulary=99)


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


def test_unknown_objectives_are_named(study: CreditStudy):
    with pytest.raises(ValueError, match=r"unknown objectives \['nothing'\]"):
        run(replace(study, objectives=("nothing",)), print)


def test_numbers_that_are_not_known_are_null(document: CreditDocument):
    data = json.loads(document.to_json())
    assert data["objectives"]["gspo"]["against"]["value"] == 0.0
