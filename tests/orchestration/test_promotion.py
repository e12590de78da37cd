"""A release is built, its checks run, and only then does the pointer move; a failed check leaves the old one and says why."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from assets.index.candidate import Candidate, promote, propose, proposed
from assets.index.published import current_index, roll_back
from infra.storage.root import Storage
from infra.storage.swap import LostRaceError
from orchestration.definitions import build_defs
from tests.assets.question_sets.test_build import question
from tests.assets.small_corpus import item, write_corpus


def write(storage: Storage, towns: int, *, broken: bool = False) -> None:
    items = [item(f"t{n}", f"Town{n} lies {n * n} km from the river.", dataset="squad") for n in range(towns)]
    asked = [question(f"q{n}", f"t{n}", split="dev", text=f"How far is Town{n}?") for n in range(towns)]
    if broken:
        asked[0] = replace(asked[0], gold=("elsewhere:text:t0",))
    write_corpus(storage, items, asked, dataset="squad")


def run(storage: Storage, job: str, config: dict[str, Any] | None = None) -> dg.ExecuteInProcessResult:
    defs = build_defs(resource_overrides={"storage": storage})
    return defs.resolve_job_def(job).execute_in_process(raise_on_error=False, run_config=config or {})


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    made = Storage(tmp_path / "root")
    write(made, 10)
    assert run(made, "index").success
    return made


def version(storage: Storage) -> str:
    pointer = current_index(storage)
    assert pointer is not None
    return pointer.version


def test_a_failed_check_leaves_the_release_before_and_says_why(storage: Storage):
    before = version(storage)
    write(storage, 12, broken=True)
    result = run(storage, "index")
    assert not result.success
    assert version(storage) == before
    failed = [each for each in result.get_asset_check_evaluations() if not each.passed]
    assert [each.check_name for each in failed] == ["corpora_are_right"]
    assert failed[0].metadata["failing"].value == ["squad:dev:q0"]
    alone = run(storage, "index")  # as often as it is asked
    assert not alone.success and version(storage) == before
    candidate = proposed(storage)
    assert candidate is not None and candidate.over == before
    with pytest.raises(ValueError, match=f"is not promoted, {before} stays current: corpora_are_right"):
        promote(storage)

    with pytest.raises(ValueError, match="no version to go back to"):
        roll_back(storage)  # never to one whose checks failed

    write(storage, 12)
    assert run(storage, "index").success
    promoted = version(storage)
    assert promoted not in (before, candidate.version)
    assert roll_back(storage).version == before


def test_a_candidate_is_not_promoted_over_another_release_than_it_was_built_over(storage: Storage):
    first = version(storage)
    write(storage, 11)
    assert run(storage, "index").success
    propose(storage, Candidate(version=first, over="0" * 16))
    with pytest.raises(LostRaceError, match="build the index again"):
        promote(storage)


def test_releases_are_listed_verified_rolled_back_and_collected_by_jobs(storage: Storage):
    first = version(storage)
    write(storage, 11)
    assert run(storage, "index").success
    second = version(storage)
    assert run(storage, "list_releases").success
    assert run(storage, "verify_release").success
    moved = run(storage, "roll_back_release")
    assert moved.success and version(storage) == first
    [event] = moved.get_asset_materialization_events()
    assert event.materialization.metadata["before"].value == second
    config = {"ops": {"promote_release_op": {"config": {"version": second}}}}
    assert run(storage, "promote_release", config).success and version(storage) == second
    unknown = {"ops": {"promote_release_op": {"config": {"version": "none"}}}}
    failed = run(storage, "promote_release", unknown)
    assert not failed.success and version(storage) == second
    assert run(storage, "collect_releases").success
    for version_of_corpus in Path(storage.root).glob("corpus/squad/*/items.parquet"):
        version_of_corpus.write_bytes(version_of_corpus.read_bytes()[:-1] + b"\0")
    assert not run(storage, "verify_release").success
