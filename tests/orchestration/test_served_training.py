"""GGPO from servers: real rollouts over a socket, a real update, real adapters and weights that the server loads."""

import asyncio
import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from infra.errors import EndpointError
from infra.llm.errors import RequestRefusedError
from infra.storage.root import Storage
from model.config.engine import EngineConfig, Lora
from model.rl import trajectory_store
from model.rl.rollouts import RolloutPlan, ordered_by_group, run_rollouts
from model.training.batches import InputBuilder
from model.training.engine import DeepSpeedEngine
from model.training.parity import ParityConfig
from model.training.trainer import Trainer
from model.types import Outcome, Trajectory
from orchestration.joins.adapters import tasks_of_split
from orchestration.joins.agents import LoadedCheckpoint, RunContext, load
from orchestration.recipes.options import Recipe, ServedRollouts
from orchestration.rollouts.served_source import ServedSource, open_served
from orchestration.rollouts.weight_sync import vllm_transfer
from orchestration.training import ggpo_run
from tests.orchestration.run_scene import Heard, config_of, recipe, root, scheduled, shipped
from tests.servers.vllm_server import BASE, Fault, VllmServer

__all__ = ["recipe", "root", "shipped"]  # fixtures


@pytest.fixture
def server(shipped: Path) -> Iterator[VllmServer]:
    with VllmServer(shipped / "random/000000") as running:
        yield running


def served_recipe(
    recipe: Recipe, *servers: VllmServer, sync: str, temperature: float = 1.0, overlap: bool = False
) -> Recipe:
    options = ServedRollouts(servers=tuple(each.base_url for each in servers), model=BASE, sync=sync)
    lora = Lora(rank=2, alpha=4) if sync == "adapter" else None
    engine = EngineConfig(zero_stage=0, lora=lora, temperature=temperature)
    ggpo = replace(recipe.ggpo, served=options, engine=engine, overlap=overlap)
    return replace(recipe, ggpo=ggpo, max_tokens=8)


class Setup:
    """Trainer and servers of one recipe, on the corpus of ``root``."""

    def __init__(self, root: Path, recipe: Recipe, weights: LoadedCheckpoint) -> None:
        assert recipe.ggpo.served is not None
        self.world = RunContext.open(Storage(root), recipe)
        self.encoder = weights.encoder()
        self.engine = DeepSpeedEngine(weights.model, config=recipe.ggpo.engine, schedule=recipe.ggpo.schedule)
        self.trainer = Trainer(
            self.engine,
            InputBuilder(encoder=self.encoder, media=self.world.media),
            algorithm=recipe.ggpo.algorithm,
            parity=ParityConfig(),
        )
        self.source: ServedSource = open_served(
            recipe.ggpo.served, config_of(root, recipe), self.engine, weights.encoder(), self.world.media
        )
        self.tasks = tasks_of_split(Storage(root), "train")[:2]

    def rollouts(self) -> list[Trajectory]:
        """Two groups of two, of which one rollout each is rewarded; a random model answers nothing rightly."""
        memory = self.world.memory("vimrag", self.encoder, training=True)
        agent = self.world.agent(self.source.policy, memory, temperature=1.0)

        async def roll() -> tuple[Trajectory, ...]:
            try:
                return ordered_by_group(
                    await run_rollouts(agent, self.tasks, RolloutPlan(group_size=2, seed=1))
                )
            finally:
                await self.source.close()

        found = asyncio.run(roll())
        return [replace(each, reward=float(number % 2), correct=False) for number, each in enumerate(found)]


@pytest.mark.parametrize("sync", ["adapter", "folder"])
def test_an_update_from_served_rollouts_passes_the_gate_and_the_server_has_its_weights_afterwards(
    root: Path, recipe: Recipe, shipped: Path, server: VllmServer, sync: str
):
    if sync == "adapter":
        pytest.importorskip("peft", reason="adapters need peft")
    plan = scheduled(served_recipe(recipe, server, sync=sync), learning_rate=0.05)
    setup = Setup(root, plan, load(shipped / "random/000000"))
    setup.source.refresh(0)
    first = setup.rollouts()
    assert all(each.outcome is not Outcome.FAILED for each in first), first[0].error
    assert {each.policy for each in first} == {setup.source.policy.fingerprint}
    assert any(len(segment.calls) > 1 for each in first for segment in each.segments)  # replies were put back

    metrics = setup.trainer.update(first)  # the gate compares every log-probability first
    assert metrics.num_trained > 0 and metrics.gradient_norm > 0
    with pytest.raises(ValueError, match="after 0 updates the servers do not have the trainer's weights"):
        setup.source.check(setup.trainer, first)  # not refreshed yet
    before = setup.source.policy.fingerprint
    setup.source.refresh(1)
    setup.source.check(setup.trainer, first)
    assert setup.source.policy.fingerprint != before
    assert setup.source.version == 1

    second = setup.rollouts()
    assert all(":v1:" in each.policy for each in second)
    setup.trainer._gate_passed = False
    setup.trainer.update(second)  # the gate again, now on the new weights


def test_adapters_have_the_updates_number_and_the_one_before_is_unloaded(
    root: Path, recipe: Recipe, shipped: Path, server: VllmServer
):
    pytest.importorskip("peft", reason="adapters need peft")
    plan = replace(served_recipe(recipe, server, sync="adapter"), name="versions")
    setup = Setup(root, plan, load(shipped / "random/000000"))
    for version in range(4):
        setup.source.refresh(version)
    assert list(server.adapters) == ["versions-000003"]
    folder = root / "served/versions"
    assert sorted(path.name for path in folder.iterdir()) == ["versions-000002", "versions-000003"]
    assert json.loads((folder / "versions-000003/adapter_config.json").read_text())["r"] == 2


def test_a_server_that_starts_over_gets_the_adapter_before_it_is_asked(
    root: Path, recipe: Recipe, shipped: Path, server: VllmServer
):
    pytest.importorskip("peft", reason="adapters need peft")
    setup = Setup(root, served_recipe(recipe, server, sync="adapter"), load(shipped / "random/000000"))
    setup.source.refresh(1)
    failed = iter([Fault(503, {"error": {"message": "restarting"}})])

    def restarting(path: str, body: object) -> Fault | None:
        fault = next(failed, None) if path.endswith("generate") else None
        if fault is not None:
            server.start_over()
        return fault

    server.fails = restarting
    setup.source._pool.settings = replace(setup.source._pool.settings, rest_s=0.0)
    assert all(each.outcome is not Outcome.FAILED for each in setup.rollouts())
    assert list(server.adapters) == ["plumbing-000001"]


def test_a_server_that_takes_no_adapters_is_refused_with_what_to_start_it_with(
    root: Path, recipe: Recipe, shipped: Path, server: VllmServer
):
    pytest.importorskip("peft", reason="adapters need peft")
    server.lora = False
    setup = Setup(root, served_recipe(recipe, server, sync="adapter"), load(shipped / "random/000000"))
    with pytest.raises(
        RequestRefusedError, match="--enable-lora and VLLM_ALLOW_RUNTIME_LORA_UPDATING=True; it was to load"
    ):
        setup.source.refresh(0)


def test_an_adapter_that_the_server_does_not_find_is_refused_with_the_folder(
    root: Path, recipe: Recipe, shipped: Path, server: VllmServer
):
    pytest.importorskip("peft", reason="adapters need peft")
    server.fails = lambda path, body: (
        Fault(404, {"error": {"message": "Loading lora failed: No adapter found"}})
        if "lora" in path
        else None
    )
    setup = Setup(root, served_recipe(recipe, server, sync="adapter"), load(shipped / "random/000000"))
    with pytest.raises(
        RequestRefusedError,
        match=r"No adapter found; it was to load the adapter in .*, does it see that folder",
    ):
        setup.source.refresh(0)


def test_weights_of_a_server_without_development_mode_are_refused_with_what_to_start_it_with(
    root: Path, recipe: Recipe, shipped: Path, server: VllmServer
):
    server.dev_mode = False
    setup = Setup(root, served_recipe(recipe, server, sync="folder"), load(shipped / "random/000000"))
    with pytest.raises(RequestRefusedError, match="VLLM_SERVER_DEV_MODE=1"):
        setup.source.refresh(0)


def test_a_transfer_without_a_gpu_or_vllm_says_what_is_missing():
    with pytest.raises(ValueError, match=r"sync 'transfer' (goes from GPU to GPU|needs vLLM)"):
        vllm_transfer()


def started(root: Path, recipe: Recipe, name: str) -> Recipe:
    """A run of its own with the cold start of ``recipe``."""
    own = replace(recipe, name=name)
    source = root / config_of(root, replace(recipe, name="plumbing")).cold_start_checkpoints
    shutil.copytree(source, root / config_of(root, own).cold_start_checkpoints, dirs_exist_ok=True)
    return own


def records(root: Path, recipe: Recipe) -> list[dict]:
    lines = (root / config_of(root, recipe).metrics / "ggpo.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize(("overlap", "staleness"), [(False, [0, 0]), (True, [0, 1])])
def test_a_run_from_two_servers_records_versions_and_staleness(
    root: Path, recipe: Recipe, shipped: Path, overlap: bool, staleness: list[int]
):
    with ExitStack() as stack:
        servers = [stack.enter_context(VllmServer(shipped / "random/000000")) for _ in range(2)]
        plan = scheduled(served_recipe(recipe, *servers, sync="folder", overlap=overlap), updates=2)
        plan = started(root, plan, f"served-{overlap}")
        heard = Heard()
        ggpo_run.train(config_of(root, plan), heard)
    assert [record["staleness"] for record in records(root, plan)] == staleness
    assert all(record["groups_dropped"] == 0 for record in records(root, plan))
    folder = root / config_of(root, plan).rollouts
    versions = [
        {each.policy.split(":")[2] for each in trajectory_store.read(folder / f"update-{number:05d}.parquet")}
        for number in (1, 2)
    ]
    assert versions == [{"v0"}, {"v0"} if overlap else {"v1"}]
    assert all(
        server.paths().count("/collective_rpc") == 3 for server in servers
    )  # the start and two updates


def test_a_group_with_a_rollout_that_failed_is_dropped_whole_and_counted(
    root: Path, recipe: Recipe, server: VllmServer
):
    plan = started(root, served_recipe(recipe, server, sync="folder"), "served-dropped")
    spoilt: list[int] = []

    def spoil(answer: dict) -> dict:
        if not spoilt:
            spoilt.append(1)
            answer["choices"][0].pop("token_ids")
        return answer

    server.changes = spoil
    ggpo_run.train(config_of(root, plan), Heard())
    (record,) = records(root, plan)
    assert (record["rollouts_spent"], record["rollouts_failed"], record["groups_dropped"]) == (4, 1, 1)
    assert record["num_rollouts"] == 2


def test_a_run_whose_servers_give_nothing_ends_with_what_is_wrong(
    root: Path, recipe: Recipe, server: VllmServer
):
    plan = started(root, served_recipe(recipe, server, sync="folder"), "served-nothing")
    server.changes = lambda answer: {"choices": [{"token_ids": [300]}]}
    with pytest.raises(
        EndpointError, match=r"none of 2 groups of rollouts is complete; RequestRefusedError: .*log-prob"
    ):
        ggpo_run.train(config_of(root, plan), Heard())


def test_a_temperature_other_than_one_needs_log_probabilities_of_that_temperature(
    root: Path, recipe: Recipe, shipped: Path, server: VllmServer
):
    setup = Setup(
        root, served_recipe(recipe, server, sync="folder", temperature=0.7), load(shipped / "random/000000")
    )
    setup.source.refresh(0)
    with pytest.raises(ValueError, match="--logprobs-mode processed_logprobs"):
        setup.source.check(setup.trainer, setup.rollouts())
