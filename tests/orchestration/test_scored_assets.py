"""The asset `model_scores`: one partition measured through the real command on a served model, as a person's evaluation is."""

from __future__ import annotations

import json
from pathlib import Path

import dagster as dg
import pytest

from orchestration.dagster_defs.scored_assets import BY_METHOD_AND_BENCHMARK, MeasuredModelConfig
from orchestration.definitions import build_defs
from tests.app.test_evaluate_command import reply, root, server
from tests.servers.openai_server import OpenAIServer

__all__ = ["reply", "root", "server"]  # fixtures


def run(root: str, partition: str, **config: object) -> dg.ExecuteInProcessResult:
    job = build_defs().resolve_job_def("measure")
    return job.execute_in_process(
        partition_key=partition,
        run_config={"ops": {"model_scores": {"config": config}}},
        raise_on_error=False,
    )


@pytest.mark.timeout(400)
def test_a_partition_is_what_the_command_measures(
    root: str, server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("VIMRAG_ROOT", root)
    partition = dg.MultiPartitionKey({"method": "react", "benchmark": "squad"})
    ended = run(root, partition, endpoint=server.base_url, name="served")
    assert ended.success
    [made] = ended.asset_materializations_for_node("model_scores")
    metadata = {name: value.value for name, value in made.metadata.items()}
    assert (metadata["right"], metadata["scored"], metadata["unscored"]) == (7 / 8, 8, 0)
    told = json.loads((Path(root) / "evaluations/served.react.squad/evaluation.json").read_text())
    assert told["memories"].keys() == {"react"}
    asked = len(server.requests)
    assert run(root, partition, endpoint=server.base_url, name="served").success
    assert len(server.requests) <= asked + 2  # what is kept is not asked again


def test_a_run_without_a_model_says_what_it_wants(root: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("VIMRAG_ROOT", root)
    assert not run(root, dg.MultiPartitionKey({"method": "react", "benchmark": "squad"})).success


def test_partitions_are_methods_and_benchmarks():
    assert len(BY_METHOD_AND_BENCHMARK.get_partition_keys()) == 15 * 10
    config = MeasuredModelConfig.model_validate({"model": "runs/x/checkpoint", "questions": 3})
    command = config.command("r", "vimrag", "squad")
    assert command[3:5] == ["evaluate", "--root"] and "checkpoint.vimrag.squad" in command
