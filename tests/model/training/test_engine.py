"""DeepSpeed: its dictionary, its ranks, its ZeRO stages - all of which must not change an update."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from model.config.engine import EngineConfig
from model.config.schedule import Schedule
from model.training.engine import deepspeed_config
from tests.model.scene import Pictures, Setup, group, policy, sampled, trainer
from tests.model.training import two_ranks

REPOSITORY = Path(__file__).resolve().parents[3]
TIMEOUT_S = 300  # a hang is a failure; on two quiet cores the runs take about 20 s
TOLERANCE = 1e-5


def test_the_dictionary_is_generated_from_the_configuration():
    found = deepspeed_config(
        EngineConfig(zero_stage=3, bf16=True), Schedule(learning_rate=1e-6, max_gradient_norm=0.5)
    )
    assert found["zero_optimization"]["stage"] == 3 and found["bf16"] == {"enabled": True}
    assert found["gradient_clipping"] == 0.5
    assert found["optimizer"]["params"]["torch_adam"] is True and found["optimizer"]["params"]["lr"] == 1e-6


@pytest.mark.parametrize("bad", [{"zero_stage": 4}, {"zero_stage": 0, "bf16": True}])
def test_a_layout_deepspeed_cannot_do_is_refused(bad: dict):
    with pytest.raises(ValueError):
        EngineConfig(**bad)


def test_zero_stages_change_nothing_on_one_rank():
    rollouts = sampled(group("q1", 0), policy(), Pictures(), jitter=0.2)
    outcomes = []
    for stage in (0, 1, 2, 3):
        made = trainer(Setup(engine=EngineConfig(zero_stage=stage, persist_below=0)))
        metrics = [made.update(rollouts), made.update(rollouts)]
        outcomes.append(
            ([figure for m in metrics for figure in (m.loss, m.gradient_norm)], made.engine.weights())
        )
    for figures, weights in outcomes[1:]:
        assert figures == pytest.approx(outcomes[0][0], rel=TOLERANCE)
        assert all(
            torch.allclose(weights[name], tensor, atol=TOLERANCE) for name, tensor in outcomes[0][1].items()
        )


@pytest.mark.parametrize("stage", [0, 2, 3])
def test_a_gradient_that_is_not_finite_stops_the_run(stage: int):
    made = trainer(Setup(engine=EngineConfig(zero_stage=stage)))
    logprobs = made.engine.logprobs

    def poisoned(*arguments: Any) -> tuple[torch.Tensor, torch.Tensor]:
        # the value of |x| ** 0.5 at 0 is 0, its derivative is not finite
        logprobs_T, entropies_T = logprobs(*arguments)
        return logprobs_T + (logprobs_T - logprobs_T.detach()).abs() ** 0.5, entropies_T

    made.engine.logprobs = poisoned  # type: ignore[method-assign]
    with pytest.raises(FloatingPointError, match="gradient of optimiser step 0 is not finite"):
        made.update(sampled(group("q1", 0), policy(), Pictures()))


def test_a_loss_that_is_not_finite_stops_the_run_before_a_weight_moves():
    rollouts = sampled(group("q1", 0), policy(), Pictures())
    made = trainer(Setup())
    with torch.no_grad():
        made.engine.model.lm_head.weight[3, 3] = float("nan")
    before = made.engine.weights()
    with pytest.raises(FloatingPointError, match="loss of optimiser step 0 is not finite"):
        made.update(rollouts)
    assert all(
        torch.equal(before[name].nan_to_num(), t.nan_to_num()) for name, t in made.engine.weights().items()
    )


def test_recomputing_activations_changes_nothing():
    rollouts = sampled(group("q1", 0), policy(), Pictures(), jitter=0.2)
    plain, frugal = (
        trainer(Setup(engine=EngineConfig(zero_stage=2, gradient_checkpointing=each))).update(rollouts)
        for each in (False, True)
    )
    assert (frugal.loss, frugal.gradient_norm) == pytest.approx(
        (plain.loss, plain.gradient_norm), rel=TOLERANCE
    )


def test_bf16_trains_on_fp32_master_weights():
    # a rate of 1e-5 is below the resolution of bf16 weights near 1; the masters move all the same
    rollouts = sampled(group("q1", 0), policy(), Pictures())
    made = trainer(Setup(engine=EngineConfig(zero_stage=2, bf16=True), schedule=Schedule(learning_rate=1e-5)))
    before = made.engine.state()["shards"][0]["master"]
    metrics = made.update(rollouts)
    after = made.engine.state()["shards"][0]["master"]
    assert next(made.engine.model.parameters()).dtype is torch.bfloat16 and after.dtype is torch.float32
    assert 0 < float((after - before).abs().max()) <= 1.1e-5
    assert metrics.loss == pytest.approx(metrics.loss) and metrics.mean_ratio == pytest.approx(1.0, abs=0.05)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def one_rank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("one")
    for zero_stage, case in two_ranks.RUNS:
        two_ranks.run(zero_stage, case, out)
    return out


@pytest.fixture(scope="module")
def both_ranks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same runs under the deepspeed launcher: two processes, gloo over loopback."""
    out = tmp_path_factory.mktemp("two")
    world = base64.urlsafe_b64encode(json.dumps({"localhost": [0, 1]}).encode()).decode()
    # as orchestration starts it: what reads the hosts before would import torch once more
    command = [sys.executable, "-m", "deepspeed.launcher.launch", f"--world_info={world}"]
    command += ["--master_addr=127.0.0.1", f"--master_port={free_port()}"]
    command += ["tests/model/training/two_ranks.py", "--out", str(out)]
    alone = {"RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"}
    environment = {name: value for name, value in os.environ.items() if name not in alone} | {
        "PYTHONPATH": str(REPOSITORY),
        "DS_ACCELERATOR": "cpu",
        "GLOO_SOCKET_IFNAME": "lo",
        "OMP_NUM_THREADS": "1",
    }
    log = out / "log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, cwd=REPOSITORY, env=environment, stdout=file, stderr=file, start_new_session=True
        )
        try:
            code = process.wait(timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            pytest.fail(f"two ranks hang:\n{log.read_text()[-3000:]}")
    assert code == 0, log.read_text()[-3000:]
    return out


@pytest.mark.timeout(TIMEOUT_S + 30)
@pytest.mark.parametrize(("zero_stage", "case"), two_ranks.RUNS)
def test_two_ranks_give_the_update_of_one(zero_stage: int, case: str, one_rank: Path, both_ranks: Path):
    name = f"{zero_stage}-{case}"
    one, two = (json.loads((out / f"{name}.json").read_text()) for out in (one_rank, both_ranks))
    assert (one["ranks"], two["ranks"]) == (1, 2)
    for alone, shared in zip(one["records"], two["records"], strict=True):
        for figure in ("loss", "gradient_norm", "entropy"):
            assert shared[figure] == pytest.approx(alone[figure], rel=TOLERANCE, abs=TOLERANCE), figure
        assert shared["loss_tokens"] == alone["loss_tokens"]
    expected, found = (load_file(out / f"{name}.safetensors") for out in (one_rank, both_ranks))
    assert found.keys() == expected.keys()
    assert max(float((found[key] - tensor).abs().max()) for key, tensor in expected.items()) <= TOLERANCE
