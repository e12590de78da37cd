"""``vimrag study``: what it refuses before anything is started; a whole study is ``tests/orchestration/test_study.py``."""

from __future__ import annotations

import pytest

from app.cli import WRONG_USAGE, main


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
        (["--root", "runs/study", "--arm", "ppo"], "ppo"),
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
