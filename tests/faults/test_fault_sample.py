"""A sample of the fault matrix, which ``make faults`` runs as a whole, and what its table says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults import table
from tests.faults.drill import Drill, Verdict
from tests.faults.grid import Fault, Stage, cells
from tests.faults.places import Places
from tests.weaviate.server import BINARY

SAMPLE = [
    "publish/kill/file/lance",
    "promote/full/file/lance",
    "gc/term/s3/lance",
    "promote/two/s3/lance",
    "publish/partial/s3/lance",
    "promote/store-gone/file/weaviate",
]
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def drill(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drill]:
    drill = Drill(Places(tmp_path_factory.mktemp("faults")))
    yield drill
    drill.places.close()


@pytest.mark.parametrize("name", SAMPLE)
def test_nothing_is_lost_and_nothing_wrong_is_published(
    drill: Drill, name: str, monkeypatch: pytest.MonkeyPatch
):
    [cell] = cells([name])
    if cell.store == "weaviate" and not BINARY.is_file():
        pytest.skip("no Weaviate server: `make weaviate` builds it")
    if cell.fault is Fault.FULL and not drill.places.disk.can_be_filled:
        pytest.skip("no tmpfs may be mounted here, so no disk can be filled")
    monkeypatch.setenv("WEAVIATE_URL", "")  # the drill sets them; put back at the end
    monkeypatch.setenv("WEAVIATE_GRPC_PORT", "")
    verdict = drill.run(cell)
    assert verdict.faults == (), verdict


def test_the_grid_has_every_stage_under_every_fault_that_it_can_meet():
    everything = cells()
    assert len(everything) == len(set(everything)) > 120
    by_stage = {stage: {cell.fault for cell in everything if cell.stage is stage} for stage in Stage}
    everywhere = {Fault.KILL, Fault.TERM, Fault.FULL, Fault.S3_GONE, Fault.AHEAD, Fault.BEHIND, Fault.TWO}
    assert all(faults >= everywhere for faults in by_stage.values())
    assert [cell.stage for cell in cells(["*/reindexed"])] == [Stage.TRAINING] * 4
    with pytest.raises(ValueError, match=r"no cell fits .*, any of them \*"):
        cells(["publish/flood"])


def test_the_table_names_what_broke_and_goes_on_where_it_was_ended(tmp_path: Path):
    whole = Verdict(cell="publish/kill/file/lance", faults=(), seen="killed", searches=12)
    broken = Verdict(
        cell="publish/term/file/lance", faults=("a reader got a wrong answer",), seen="interrupted"
    )
    kept = table.Kept(tmp_path / "seen.jsonl")
    kept.keep(whole)
    kept.keep(broken)
    seen = list(table.Kept(tmp_path / "seen.jsonl").verdicts.values())
    assert seen == [whole, broken]
    page = table.markdown(seen)
    assert "| publish | file | lance | whole | **broken** |" in page
    assert "* publish/term/file/lance: a reader got a wrong answer" in page
    document = json.loads(json.dumps(table.document(seen, measured="2026-01-01")))
    assert (document["cells"], document["whole"], document["broken"]) == (2, 1, ["publish/term/file/lance"])
