"""``vimrag study``: what it refuses before anything is started; a whole study is ``tests/orchestration/study/test_study.py``."""

from __future__ import annotations

import pytest

from app.cli import WRONG_USAGE, main
from app.commands import study


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
    share = {"estimate": 0.5, "low": 0.4, "high": 0.6}
    spent = {"repeated_searches": 0.25, "dead_ends": 1.0}
    document = {
        "study": {"samples": 0, "temperature": 1.0},
        "unseen": {"cold_start": share, "ggpo": share},
        "spending": {"cold_start": spent, "ggpo": spent},
        "sampled": {},
        "comparisons": [
            {"before": "cold_start", "after": "ggpo", "greedy": {"line": "+1.0 points"}, "sampled": None}
        ],
        "pilot3": {"wrong_rollouts_with_evidence": 3, "right": {"full": share}},
    }
    study._show(document)
    out, err = capfd.readouterr()
    assert "50.0 (40.0 to 60.0)" in out and "cold_start -> ggpo, greedy: +1.0 points" in out
    assert "sampled:" not in out and "3 wrong rollouts" in out
    assert "reports/study-ggpo/index.html" in err
