"""``vimrag study``: what it refuses before anything is started; a whole study is ``tests/orchestration/study/test_study.py``."""

from __future__ import annotations

import pytest

from app.cli import main
from app.commands import study
from app.program import WRONG_USAGE
from model.evaluation.statistics import Interval
from orchestration.study.document import (
    ArmComparison,
    EvidenceFigures,
    NoiseShare,
    SeedDifference,
    StudyDocument,
)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--root", "s3://bucket/study"], "a study works in a folder of this machine"),
        (["--root", "runs/study", "--seeds", "0"], "--seeds"),
        (["--root", "runs/study", "--group-size", "1"], "--group-size"),
        (["--root", "runs/study", "--samples", "-1"], "--samples"),
        (["--root", "runs/study", "--checkpoint", "nowhere"], "no checkpoint 'nowhere' ships; there are: "),
        (["--root", "runs/study", "--parallel", "0"], "--parallel"),
        (["--root", "runs/study", "--learning-rate", "0"], "learning_rate"),
        (["--root", "runs/study", "--arm", "ppo"], "unknown objectives ['ppo']; known: ggpo"),
        (["--root", "runs/study", "--arm", "ggpo", "--arm", "ggpo"], "an objective is named twice"),
        (["--root", "runs/study", "--temperature", "0"], "temperature must be positive, got 0.0"),
        ([], "--root"),
    ],
)
def test_wrong_usage_is_named_and_starts_nothing(
    arguments: list[str], said: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("VIMRAG_ROOT", raising=False)
    assert main(["study", "ggpo", *arguments]) == WRONG_USAGE
    out, err = capfd.readouterr()
    assert said in err and not out


def test_the_table_says_what_was_not_drawn(capfd: pytest.CaptureFixture[str]):
    share = Interval(0.5, 0.4, 0.6)
    noise = NoiseShare(right_rollouts=0, search_steps=0, noise_share=None)
    difference = SeedDifference(by_seed=(0.01,), difference=share, line="+1.0 points")
    document = StudyDocument(
        study={"samples": 0, "temperature": 1.0},
        noise=noise,
        unseen={"cold_start": share, "ggpo": share},
        spending={name: {"repeated_searches": 0.25, "dead_ends": 1.0} for name in ("cold_start", "ggpo")},
        arms={},
        reference_score=None,
        comparisons=(
            ArmComparison(
                before="cold_start",
                after="ggpo",
                questions=3,
                difference=share,
                p_value=0.5,
                greedy=difference,
                sampled=None,
            ),
        ),
        sampled={},
        pilot3=EvidenceFigures(
            wrong_rollouts_with_evidence=3,
            with_noise_nodes=0,
            noise_nodes=0,
            right={"full": share},
            evidence_against={},
        ),
    )
    study._show(document)
    out, err = capfd.readouterr()
    assert "50.0 (40.0 to 60.0)" in out and "cold_start -> ggpo, greedy: +1.0 points" in out
    assert "sampled:" not in out and "3 wrong rollouts" in out
    assert "reports/study-ggpo/index.html" in err
