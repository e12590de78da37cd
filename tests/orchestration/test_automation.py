"""A real daemon: a raw file changes, is observed, and corpus, index and release follow without a hand."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from assets.index.published import IndexPointer, current_index, open_index
from infra.storage.root import Storage
from orchestration.dagster_defs.miniature_raw import ensure_miniature
from orchestration.recipes.options import MiniatureWorlds
from tests.deploy.long import long
from tests.orchestration.daemon import instance_environment, running_daemon
from tests.orchestration.dagster_instance import instance_at

PATIENCE_S = 1500.0
QUIET_TICKS = 3  # of every sensor


def jobs(home: Path) -> list[str]:
    """What each run was for, the oldest first: its job, and for runs of assets what they are of."""
    with instance_at(home) as instance:
        runs = reversed(instance.get_runs())
        return [
            "+".join(sorted(key.to_user_string() for key in run.asset_selection or ())) or run.job_name
            for run in runs
        ]


def ticks(home: Path) -> dict[str, int]:
    """How often each sensor has looked."""
    with instance_at(home) as instance:
        return {
            state.name: len(instance.get_ticks(state.instigator_origin_id, state.selector_id))
            for state in instance.all_instigator_state()
        }


@long
@pytest.mark.timeout(6000)
def test_a_changed_raw_file_is_observed_built_indexed_and_promoted_without_a_hand(tmp_path: Path):
    home, raw, storage = tmp_path / "home", tmp_path / "raw", Storage(tmp_path / "root")
    ensure_miniature(tmp_path / "written", MiniatureWorlds(train=1, val=1, test=1, questions=2))
    shutil.copytree(tmp_path / "written" / "squad", raw / "squad")
    environment = instance_environment(home, storage.root, VIMRAG_RAW=str(raw))
    with running_daemon(
        "tests.orchestration.every_second", environment, tmp_path / "daemon.log", patience_s=PATIENCE_S
    ) as wait:

        def release() -> IndexPointer | None:
            return current_index(storage)

        wait(release)
        first = release()
        assert first is not None and set(first.datasets) == {"squad"}
        wait(lambda: jobs(home).count("retrieval") == 1 and _idle(home))

        [dev] = [path for path in (raw / "squad").rglob("*.json") if "dev" in path.name][:1]
        changed = json.loads(dev.read_text())
        changed["data"][0]["paragraphs"][0]["context"] += " The lighthouse of Quarvale has nine lamps."
        dev.write_text(json.dumps(changed))
        wait(lambda: (now := release()) is not None and now.version != first.version)
        assert "nine lamps" in open_index(storage).search("lighthouse of Quarvale lamps", 1)[0].text

        wait(lambda: jobs(home).count("retrieval") == 2 and _idle(home))  # each release is measured once
        before = jobs(home)
        os.utime(dev)  # the same bytes
        wait(lambda: jobs(home).count("raw") + jobs(home).count("observe_raw") == _looks(before) + 1)
        wait(lambda: _idle(home))
        seen = ticks(home)
        wait(lambda: all(number >= seen[name] + QUIET_TICKS for name, number in ticks(home).items()))
        assert len(jobs(home)) == len(before) + 1
    ran = jobs(home)
    assert ran[0] in ("raw", "observe_raw") and _looks(ran) == 3
    assert ran.count("corpus_items+questions+shards") == 2
    assert ran.count("index+index_candidate+index_vectors+index_words") == 2


def _looks(ran: list[str]) -> int:
    return ran.count("raw") + ran.count("observe_raw")


def _idle(home: Path) -> bool:
    with instance_at(home) as instance:
        return all(run.is_finished for run in instance.get_runs())
