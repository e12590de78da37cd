"""Raw data to index through Dagster: partitions, a range of them in one run, metadata, and checks that stop what follows."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from assets.corpus.dataset import DATASETS
from assets.corpus.read import read_questions
from assets.index.published import corpora, open_index
from infra.storage.root import Storage
from orchestration.dagster_defs import checks
from orchestration.dagster_defs.corpus_assets import corpus
from orchestration.dagster_defs.miniature_raw import ensure_miniature
from orchestration.dagster_defs.partitions import ALL_DATASETS
from orchestration.dagster_defs.raw_assets import INVENTED
from orchestration.dagster_defs.resources import RawLocation
from orchestration.definitions import build_defs
from orchestration.recipes.miniature import quickstart
from orchestration.recipes.options import MiniatureWorlds, Recipe

WORLDS = MiniatureWorlds(train=1, val=1, test=1, questions=2)
TEXT_DATASETS = [
    "hotpotqa",
    "squad",
]  # neighbours in the registry, so they make a range; nothing to read by OCR
DATA = ["corpus_items", "questions", "shards"]
INDEX = ["index_vectors", "index_words", "index_candidate", "index"]


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world") / "raw"
    assert ensure_miniature(folder, WORLDS)
    return folder


def run(
    root: Path, raw: Path | None, selection: list[str], *, recipe: Recipe | None = None, **options: object
) -> dg.ExecuteInProcessResult:
    resources = {"storage": Storage(root), "raw": RawLocation(raw), "recipe": recipe or quickstart()}
    job = dg.define_asset_job("selected", selection=selection)
    defs = dg.Definitions.merge(build_defs(resource_overrides=resources), dg.Definitions(jobs=[job]))
    return defs.resolve_job_def("selected").execute_in_process(raise_on_error=False, **options)


def one_run_over(first: str, last: str) -> dict[str, str]:
    return {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}


def metadata_of(result: dg.ExecuteInProcessResult, asset: str) -> dict[str | None, dict[str, object]]:
    """Metadata of each materialised partition of an asset."""
    events = [event.materialization for event in result.get_asset_materialization_events()]
    return {
        event.partition: {name: value.value for name, value in event.metadata.items()}
        for event in events
        if event.asset_key == dg.AssetKey(asset)
    }


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, raw: Path) -> tuple[Path, dg.ExecuteInProcessResult]:
    root = tmp_path_factory.mktemp("root")
    tags = one_run_over(TEXT_DATASETS[0], TEXT_DATASETS[-1])
    return root, run(root, raw, [*DATA, *INDEX], tags=tags)


def test_one_run_over_a_range_materialises_every_partition_and_then_the_index(built):
    root, result = built
    assert result.success
    for asset in DATA:
        assert sorted(metadata_of(result, asset)) == TEXT_DATASETS
    assert list(metadata_of(result, "index")) == [None]
    assert open_index(Storage(root)).count() == metadata_of(result, "index")[None]["dagster/row_count"]


def test_each_partition_says_what_it_holds(built):
    root, result = built
    for asset, file in (("corpus_items", "items"), ("questions", "questions")):
        for name, metadata in metadata_of(result, asset).items():
            published = json.loads((root / "corpus" / str(name) / "manifest.json").read_text())
            assert metadata["dagster/partition_row_count"] == published["counts"][file] > 0
            assert metadata["dagster/uri"] == str(root / "corpus" / str(name) / published["folder"])
            assert len(str(metadata["sha256"])) == 64


def test_every_check_of_the_run_passed_and_looked_at_something(built):
    _, result = built
    evaluations = result.get_asset_check_evaluations()
    assert {(e.asset_key.to_user_string(), e.check_name) for e in evaluations} == {
        ("corpus_items", "count_matches_manifest"),
        ("questions", "count_matches_manifest"),
        ("questions", "gold_answers_score_one"),
        ("questions", "count_is_published"),
        ("index_candidate", "count_equals_corpus"),
        ("index_candidate", "corpora_are_right"),
    }
    assert all(e.passed for e in evaluations)
    looked_at = {e.metadata["checked"].value for e in evaluations if "checked" in e.metadata}
    assert all(isinstance(count, int) and count > 0 for count in looked_at)


def test_one_partition_alone_leaves_the_others_alone(tmp_path: Path, raw: Path):
    result = run(tmp_path, raw, ["corpus_items"], partition_key="squad")
    assert result.success
    assert list(metadata_of(result, "corpus_items")) == ["squad"]
    assert list(Storage(tmp_path).list("corpus")) == ["squad"]


def test_a_folder_without_the_dataset_fails_and_leaves_nothing(tmp_path: Path):
    (tmp_path / "raw").mkdir()
    result = run(tmp_path / "root", tmp_path / "raw", DATA, partition_key="hotpotqa")
    assert not result.success
    assert not Storage(tmp_path / "root").list("corpus")


def test_a_failed_blocking_check_stops_what_follows(tmp_path: Path, raw: Path):
    shutil.copytree(raw, tmp_path / "raw")
    shutil.rmtree(tmp_path / "raw" / "lvbench")  # the folder lost a dataset after it was written
    recipe = replace(quickstart(), worlds=WORLDS)
    result = run(tmp_path, None, ["raw", *DATA], recipe=recipe, tags={**ALL_DATASETS, **INVENTED})
    assert not result.success
    failed = [check for check in result.get_asset_check_evaluations() if not check.passed]
    assert [(check.check_name, check.metadata["empty"].value) for check in failed] == [
        ("nine_folders", ["lvbench"])
    ]
    assert metadata_of(result, "corpus_items") == {}
    assert not Storage(tmp_path).list("corpus")


def test_questions_without_published_answers_are_not_graded(built):
    root, _ = built
    questions = list(read_questions(Storage(root), "hotpotqa"))
    assert checks.gold_answers_score_one(questions) == (True, len(questions), ())
    hidden = replace(questions[0], id="hotpotqa:test:hidden", answers=())
    assert checks.gold_answers_score_one([hidden]) == (True, 0, ())


def test_gold_of_another_dataset_fails_the_check(tmp_path: Path, raw: Path):
    assert run(tmp_path, raw, DATA, partition_key="squad").success
    assert checks.questions_match_manifest(Storage(tmp_path), ["squad"]).passed
    [questions] = tmp_path.glob("corpus/squad/*/questions.parquet")
    frame = pl.read_parquet(questions)
    moved = frame.with_columns(pl.lit(["webqa:img:1"]).alias("gold"))
    moved.write_parquet(questions)
    with pytest.raises(ValueError, match="disagrees"):  # the manifest notices that the file was changed
        checks.questions_match_manifest(Storage(tmp_path), ["squad"])


def test_a_copy_of_another_version_fails_the_check(built, monkeypatch: pytest.MonkeyPatch):
    storage = Storage(built[0])
    assert checks.counts_are_published(storage, ["hotpotqa"]).passed
    found = {"train": 1, "dev": 1, "test fullwiki": 1, "train fullwiki": 1, "dev fullwiki": 1}
    other = replace(DATASETS["hotpotqa"], expected_counts=found)
    monkeypatch.setitem(DATASETS, "hotpotqa", other)
    verdict = checks.counts_are_published(storage, ["hotpotqa"])
    assert not verdict.passed and "published" in verdict.failing[0]


def test_an_index_of_another_size_fails_the_check(built):
    root, result = built
    storage = Storage(root)
    total = metadata_of(result, "index")[None]["dagster/row_count"]
    assert isinstance(total, int)
    built_from = corpora(storage, open_index(storage).version)
    assert list(built_from) == TEXT_DATASETS
    assert checks.index_count_equals_corpus(total, storage, built_from).passed
    verdict = checks.index_count_equals_corpus(total - 1, storage, built_from)
    assert not verdict.passed
    assert f"holds {total - 1} items, the corpus {total}" in verdict.failing[0]


def test_the_miniature_is_written_once_and_only_again_for_other_worlds(raw: Path):
    before = {path: path.stat().st_mtime_ns for path in raw.rglob("*")}
    assert not ensure_miniature(raw, WORLDS)
    assert {path: path.stat().st_mtime_ns for path in raw.rglob("*")} == before


def test_the_corpus_op_is_one_pass_for_three_assets():
    assert {key.to_user_string() for key in corpus.keys} == set(DATA)
    assert corpus.can_subset
