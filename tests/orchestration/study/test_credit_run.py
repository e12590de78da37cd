"""An audit from its command's record to its document: rollouts kept, and the same figures from however many processes."""

from __future__ import annotations

import math
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from assets.corpus.build import build_corpus
from assets.index.build import build_index
from infra.storage.root import Storage
from orchestration.dagster_defs.miniature_raw import ensure_miniature
from orchestration.recipes.options import MiniatureWorlds
from orchestration.study.credit.document import CreditDocument
from orchestration.study.credit.options import CreditStudy
from tests.warm import elsewhere


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two corpora of text and their index, as a root whose raw files are elsewhere."""
    folder = tmp_path_factory.mktemp("root")
    ensure_miniature(folder / "raw", MiniatureWorlds(train=1, val=1, test=2, questions=8))
    build_corpus(folder / "raw", Storage(folder), datasets=["hotpotqa", "squad"])
    build_index(Storage(folder))
    shutil.rmtree(folder / "raw")
    return folder


def audited(study: CreditStudy) -> tuple[CreditDocument, list[str]]:
    """The document, and what was said on the way."""
    from orchestration.study.credit.run import run

    lines: list[str] = []
    return run(study, lines.append), lines


@pytest.mark.timeout(600)
def test_two_processes_find_what_one_finds_and_rollouts_are_made_once(root: Path):
    study = CreditStudy(
        root=root, questions=8, group_size=4, folds=4, objectives=("ggpo", "gigpo"), threads=2
    )
    two, lines = elsewhere(audited, study)  # a small policy: a process a thread
    assert "credit: rollouts 1 of 1 parts" in lines
    (stored,) = (root / "trajectories" / "study-credit").glob("*.parquet")
    made = stored.stat().st_mtime_ns
    one, again = elsewhere(audited, replace(study, workers=1))
    assert stored.stat().st_mtime_ns == made
    assert not [line for line in again if "rollouts" in line]
    assert two.objectives.keys() == one.objectives.keys() == {"gspo", "ggpo", "gigpo"}
    for name, verdict in two.objectives.items():
        assert verdict.gain.value == pytest.approx(one.objectives[name].gain.value, rel=1e-4, abs=1e-6)
        assert verdict.share == one.objectives[name].share
        assert math.isfinite(verdict.gain.error)
    assert (two.questions, two.rollouts, two.with_spread) == (one.questions, one.rollouts, one.with_spread)
    assert not [path for path in root.iterdir() if path.name.startswith("credit-")]  # no scratch is left
    with pytest.raises(ValueError, match="GiB: choose fewer objectives"):
        elsewhere(audited, replace(study, folds=8, objectives=(), workers=64))
