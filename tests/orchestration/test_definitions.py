"""The code location holds exactly what it should, and loads without torch and without the environment."""

import json
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from assets.corpus.dataset import DATASETS
from orchestration.dagster_defs.command_jobs import COMMANDS
from orchestration.definitions import build_defs, defs

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {
    *("torch", "transformers", "deepspeed", "lightning"),
    *("lancedb", "weaviate", "av", "polars", "matplotlib", "onnxruntime", "cv2", "scipy", "httpx"),
}
"""Of a second or more together; each is loaded by the step that needs it."""


@pytest.fixture(scope="module")
def graph():
    return defs.resolve_asset_graph()


def test_the_assets_are_these_and_no_others(graph):
    assert {key.to_user_string() for key in graph.get_all_asset_keys()} == {
        "raw",
        "fetched",
        "corpus_items",
        "questions",
        "question_set",
        "shards",
        "index",
        "index_vectors",
        "index_words",
        "index_candidate",
        "retrieval",
        "miniature_eye",
        "cold_start_checkpoint",
        "ggpo_checkpoint",
        "evaluation",
        "report",
        "model_scores",
    }


def test_the_jobs_and_schedules_are_these_and_no_others():
    named = {job.name for job in defs.resolve_all_job_defs() if not job.name.startswith("__")}
    assert named == {
        "observe_raw",
        "fetch",
        "corpus",
        "index",
        "questions_of_root",
        "cold_start",
        "train_ggpo",
        "evaluate",
        "measure",
        "eye",
        "miniature",
        "policies",
        "measure_retrieval",
        "list_releases",
        "verify_release",
        "promote_release",
        "roll_back_release",
        "collect_releases",
        *COMMANDS,
    }
    assert {schedule.name for schedule in defs.schedules or ()} == {"nightly_index"}
    sensors = {sensor.name: sensor.default_status for sensor in defs.sensors or ()}
    assert sensors == dict.fromkeys(
        ("raw_changes", "data_automation", "evaluation_automation", "tell_failures"),
        dg.DefaultSensorStatus.STOPPED,
    )


def test_nothing_real_hangs_from_the_miniature(graph):
    ancestors, found = {dg.AssetKey("index")}, set[dg.AssetKey]()
    while ancestors:
        found |= ancestors
        ancestors = {parent for key in ancestors for parent in graph.get(key).parent_keys} - found
    assert {key.to_user_string() for key in found} == {
        "index",
        "index_candidate",
        "index_vectors",
        "index_words",
        "corpus_items",
        "raw",
    }


def test_the_checks_are_these_and_all_but_the_published_counts_block(graph):
    specs = [spec for node in graph.assets_defs for spec in node.check_specs]
    assert {(spec.asset_key.to_user_string(), spec.name) for spec in specs} == {
        ("raw", "nine_folders"),
        ("corpus_items", "count_matches_manifest"),
        ("questions", "count_matches_manifest"),
        ("questions", "gold_answers_score_one"),
        ("questions", "count_is_published"),
        ("index_candidate", "count_equals_corpus"),
        ("index_candidate", "corpora_are_right"),
    }
    assert [spec.name for spec in specs if not spec.blocking] == ["count_is_published"]


def test_data_flows_from_raw_to_report(graph):
    def parents(name: str) -> set[str]:
        return {key.to_user_string() for key in graph.get(dg.AssetKey(name)).parent_keys}

    assert parents("raw") == parents("fetched") == set()
    assert parents("corpus_items") == parents("questions") == parents("shards") == {"raw"}
    assert parents("index_vectors") == parents("index_words") == {"corpus_items"}
    assert parents("index_candidate") == {"index_vectors", "index_words"}
    assert parents("index") == {"index_candidate"}
    assert parents("retrieval") == {"index", "questions"}
    assert parents("cold_start_checkpoint") == {"index", "questions", "shards"}
    assert parents("ggpo_checkpoint") == {"cold_start_checkpoint", "index", "questions", "shards"}
    assert parents("evaluation") == {"cold_start_checkpoint", "ggpo_checkpoint", "index", "questions"}
    assert parents("report") == {"evaluation"}


def test_datasets_are_the_only_partitions(graph):
    for name in ("corpus_items", "questions", "shards"):
        partitions = graph.get(dg.AssetKey(name)).partitions_def
        assert partitions is not None
        assert partitions.get_partition_keys() == list(DATASETS)
    assert len(DATASETS) == 9
    assert graph.get(dg.AssetKey("index")).partitions_def is None


def test_whatever_needs_the_device_waits_for_its_pool(graph):
    pools = {
        key.to_user_string(): node.op.pool
        for node in graph.assets_defs
        for key in node.keys
        if node.op.pool is not None
    }
    on_devices = ("cold_start_checkpoint", "ggpo_checkpoint", "evaluation", "model_scores")
    assert pools == dict.fromkeys(on_devices, "gpu")


def test_the_definitions_load_with_all_their_resources():
    dg.Definitions.validate_loadable(defs)
    dg.Definitions.validate_loadable(build_defs(resource_overrides={"storage": object()}))


def test_loading_takes_neither_torch_nor_the_environment():
    # the environment is emptied of everything the platform reads; a heavy import would be seen in sys.modules
    program = "import json, sys, orchestration.definitions; print(json.dumps(sorted({n.partition('.')[0] for n in sys.modules})))"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    assert HEAVY.isdisjoint(json.loads(done.stdout.splitlines()[-1]))
