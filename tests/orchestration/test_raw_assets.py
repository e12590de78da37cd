"""Raw files are looked at; what is not on disk is left out and said, and a rebuild with the same bytes makes nothing stale."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
from dagster._core.loader import LoadingContextForTest

from assets.corpus.build import fingerprint
from assets.corpus.raw_version import raw_version, signature
from infra.storage.root import Storage
from orchestration.dagster_defs.miniature_raw import ensure_miniature
from orchestration.dagster_defs.partitions import ALL_DATASETS
from orchestration.dagster_defs.resources import RawLocation
from orchestration.definitions import build_defs
from orchestration.recipes.options import MiniatureWorlds

WORLDS = MiniatureWorlds(train=1, val=1, test=1, questions=2)
ON_DISK = ["hotpotqa", "squad", "lvbench"]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world") / "raw"
    ensure_miniature(folder, WORLDS)
    return folder


@pytest.fixture
def raw(tmp_path: Path, written: Path) -> Path:
    for name in ON_DISK:
        shutil.copytree(written / name, tmp_path / "raw" / name)
    return tmp_path / "raw"


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def definitions(root: Path, raw: Path) -> dg.Definitions:
    return build_defs(resource_overrides={"storage": Storage(root), "raw": RawLocation(raw)})


def execute(defs: dg.Definitions, job: str, instance: dg.DagsterInstance, **options: object):
    return defs.resolve_job_def(job).execute_in_process(instance=instance, raise_on_error=False, **options)


def stale(
    defs: dg.Definitions, instance: dg.DagsterInstance, asset: str, partition: str | None
) -> StaleStatus:
    resolver = CachingStaleStatusResolver(
        instance, defs.resolve_asset_graph(), LoadingContextForTest(instance)
    )
    return resolver.get_status(dg.AssetKey(asset), partition)


def test_a_version_is_the_hash_the_corpus_names_and_is_taken_from_what_was_hashed_before(
    tmp_path: Path, raw: Path, monkeypatch: pytest.MonkeyPatch
):
    storage, folder = Storage(tmp_path / "root"), raw / "squad"
    first = raw_version(storage, "squad", folder)
    assert first.version == fingerprint(folder)
    monkeypatch.setattr(
        "infra.storage.manifest.sha256_of", lambda path: pytest.fail(f"{path} was read again")
    )
    assert raw_version(storage, "squad", folder) == first


def test_a_signature_changes_with_names_sizes_and_times(raw: Path):
    folder = raw / "squad"
    before = signature(folder)
    [file, *_] = sorted(path for path in folder.rglob("*") if path.is_file())
    os.utime(file, ns=(1, 1))
    touched = signature(folder)
    file.rename(file.with_name("dev-other.json"))
    assert len({before, touched, signature(folder)}) == 3


def test_a_run_over_nine_datasets_builds_what_is_on_disk_and_says_why_the_others_are_left_out(
    tmp_path: Path, raw: Path, instance: dg.DagsterInstance
):
    defs = definitions(tmp_path / "root", raw)
    seen = execute(defs, "observe_raw", instance, tags=ALL_DATASETS)
    assert sorted(
        event.asset_observation_data.asset_observation.partition or ""
        for event in seen.get_asset_observation_events()
    ) == sorted(ON_DISK)
    result = execute(defs, "corpus", instance, tags=ALL_DATASETS)
    assert result.success
    made = [event.materialization for event in result.get_asset_materialization_events()]
    assert {(each.asset_key.to_user_string(), each.partition) for each in made} == {
        (asset, name) for asset in ("corpus_items", "questions", "shards") for name in ON_DISK
    }
    said = [
        record.user_message
        for record in instance.all_logs(result.run_id)
        if "skipped: no files in" in record.user_message
    ]
    assert len(said) == 6 and f"xvbench: skipped: no files in {raw / 'xvbench'}" in said[-1]


def test_checks_name_their_partition(tmp_path: Path, raw: Path, instance: dg.DagsterInstance):
    defs = definitions(tmp_path / "root", raw)
    result = execute(defs, "corpus", instance, tags=ALL_DATASETS)
    named = {
        (evaluation.check_name, evaluation.partition)
        for evaluation in result.get_asset_check_evaluations()
        if evaluation.asset_key == dg.AssetKey("questions")
    }
    assert {("gold_answers_score_one", name) for name in ON_DISK} <= named
    alone = execute(defs, "corpus", instance, partition_key="squad")
    assert {evaluation.partition for evaluation in alone.get_asset_check_evaluations()} == {"squad"}


def test_one_dataset_that_cannot_be_read_fails_with_its_cause_and_the_others_are_built(
    tmp_path: Path, raw: Path, instance: dg.DagsterInstance
):
    shutil.rmtree(raw / "squad")
    (raw / "squad").mkdir()
    (raw / "squad" / "readme.txt").write_text("nothing of a dataset")
    result = execute(definitions(tmp_path / "root", raw), "corpus", instance, tags=ALL_DATASETS)
    assert not result.success
    made = {event.partition for event in result.get_asset_materialization_events()}
    assert made == {"hotpotqa", "lvbench"}
    [failed] = [event for event in result.all_events if event.is_step_failure]
    assert failed.step_failure_data.error is not None
    assert failed.step_failure_data.error.message.splitlines()[0].startswith(
        "dagster._core.definitions.events.Failure: squad: "
    )


def test_a_rebuild_with_the_same_bytes_makes_nothing_stale_and_another_byte_does(
    tmp_path: Path, raw: Path, instance: dg.DagsterInstance
):
    defs = definitions(tmp_path / "root", raw)
    for job in ("observe_raw", "corpus"):
        assert execute(defs, job, instance, tags=ALL_DATASETS).success
    assert execute(defs, "index", instance).success
    [dev] = [path for path in (raw / "squad").rglob("*.json") if "dev" in path.name][:1]
    os.utime(dev)  # touched, not changed
    for job in ("observe_raw", "corpus"):
        assert execute(defs, job, instance, partition_key="squad").success
    assert stale(defs, instance, "corpus_items", "squad") is StaleStatus.FRESH
    assert stale(defs, instance, "index_vectors", None) is StaleStatus.FRESH

    dev.write_text(dev.read_text() + " ")
    assert execute(defs, "observe_raw", instance, partition_key="squad").success
    assert stale(defs, instance, "corpus_items", "squad") is StaleStatus.STALE
    assert stale(defs, instance, "corpus_items", "hotpotqa") is StaleStatus.FRESH
