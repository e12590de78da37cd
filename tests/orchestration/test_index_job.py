"""The job ``index`` with what its launchpad takes: store, embedders, engine; and what the next run remembers of it."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from assets.index.published import current_index, open_index, remembered_settings
from infra.embedders.config import EmbedderConfig
from infra.storage.root import Storage
from orchestration.dagster_defs.index_assets import IndexConfig
from orchestration.definitions import build_defs
from tests.assets.small_corpus import item, write_corpus
from tests.weaviate.server import WeaviateServer

ITEMS = [
    item(f"Town{number}", f"Town{number} lies {number * number} km from the river.") for number in range(40)
]


def run_job(storage: Storage, config: dict[str, Any] | None = None) -> dg.ExecuteInProcessResult:
    job = build_defs(resource_overrides={"storage": storage}).resolve_job_def("index")
    run_config = {"ops": {"index_of_corpus": {"config": config}}} if config is not None else {}
    return job.execute_in_process(run_config=run_config)


def metadata(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, Any]:
    [event] = [
        event.materialization
        for event in result.get_asset_materialization_events()
        if event.asset_key == dg.AssetKey(asset)
    ]
    return {name: value.value for name, value in event.metadata.items()}


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    storage = Storage(tmp_path / "root")
    write_corpus(storage, ITEMS)
    return storage


def test_vectors_words_and_the_published_index_are_assets_with_their_figures(storage: Storage):
    result = run_job(storage)
    assert result.success
    vectors = metadata(result, "index_vectors")
    assert (vectors["dagster/row_count"], vectors["vectors"]) == (40, {"text": 40})
    assert vectors["items_per_s"] > 0
    assert metadata(result, "index_words")["dagster/row_count"] == 40
    published = metadata(result, "index_candidate")
    assert (published["store"], published["embedded"], published["reused"]) == ("lance", 40, 0)
    assert metadata(result, "index")["dagster/row_count"] == 40


def test_a_job_embeds_into_the_server_and_the_next_run_remembers_it(
    storage: Storage, weaviate_server: WeaviateServer, monkeypatch: pytest.MonkeyPatch
):
    for name, value in weaviate_server.environment.items():
        monkeypatch.setenv(name, value)
    assert (
        metadata(run_job(storage, {"store": "weaviate", "quantizer": "none"}), "index")["store"] == "weaviate"
    )
    write_corpus(storage, [*ITEMS[:-1], item("Town39", "Town39 was moved to the harbour.")])
    published = metadata(run_job(storage), "index_candidate")  # as the schedule runs it
    assert (published["store"], published["embedded"], published["reused"]) == ("weaviate", 1, 39)
    assert open_index(storage).search("harbour", 1)[0].title == "Town39"
    pointer = current_index(storage)
    assert pointer
    assert pointer.place["generation"] == 2


@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed")
def test_two_workers_of_ray_give_the_index_of_one_process(storage: Storage, tmp_path: Path):
    alone = Storage(tmp_path / "alone")
    write_corpus(alone, ITEMS)
    one, other = run_job(storage, {"engine": "ray", "workers": 2}), run_job(alone)
    assert metadata(one, "index")["fingerprint"] == metadata(other, "index")["fingerprint"]


def test_what_a_launchpad_leaves_out_is_as_in_the_index_in_use(storage: Storage):
    run_job(storage, {"embedder_options": {"threads": "1"}, "embedder": "minilm", "keep_hours": 2.0})
    assert remembered_settings(storage).embedder == EmbedderConfig(threads=1)
    settings = IndexConfig(datasets=["toy"]).settings(storage)
    assert (settings.embedder, settings.datasets, settings.keep_s) == (
        EmbedderConfig(threads=1),
        ("toy",),
        3600,
    )
    assert IndexConfig(vision="none").settings(storage).vision is None


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"store": "faiss"}, "unknown store 'faiss'"),
        ({"quantizer": "pq"}, "unknown quantizer 'pq'"),
        ({"embedder": "minilm", "embedder_options": {"dimension": "3"}}, "dimension"),
        ({"engine": "spark"}, "unknown engine 'spark'"),
        ({"vision": "minilm"}, "reads no pictures"),
    ],
)
def test_a_choice_that_cannot_be_is_told_before_anything_is_written(
    storage: Storage, config: dict[str, Any], said: str
):
    with pytest.raises(dg.Failure, match=said):
        run_job(storage, config)
    assert storage.list("index") == ()


def test_the_command_line_of_dagster_runs_it(storage: Storage, tmp_path: Path):
    config = tmp_path / "index.yaml"
    config.write_text(json.dumps({"ops": {"index_of_corpus": {"config": {"workers": 2}}}}))
    dagster = Path(sys.executable).with_name("dagster")
    environment = {
        **os.environ,
        "VIMRAG_ROOT": storage.root,
        "DAGSTER_HOME": str(tmp_path),
        "PYTHONWARNINGS": "ignore",
    }
    command = [dagster, "job", "execute", "-m", "orchestration.definitions", "-j", "index", "-c", config]
    finished = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2]
    )
    assert finished.returncode == 0, finished.stderr[-2000:]
    assert open_index(storage).count() == 40
