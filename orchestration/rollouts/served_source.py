"""Servers that roll out during training: built from a recipe, refreshed after each update, checked against the trainer.

Joins the client (``infra``), the policy (``model``) and the transfer of weights (``weight_sync.py``).
"""

import asyncio
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from torch import distributed as dist

from infra.llm.errors import EndpointUnavailableError, RequestRefusedError
from infra.llm.tokens.client import TokenClient
from infra.llm.tokens.pool import PoolSettings, ServerPool
from infra.llm.tokens.sglang import SglangClient
from infra.llm.tokens.types import TokenServerSettings
from infra.storage.root import Storage
from model.policies.chat_template import EncodedPrompt, PromptEncoder
from model.policies.fingerprint import weights_fingerprint
from model.policies.served_policy import ServedPolicy, ServedWeights
from model.protocols import MediaSource
from model.rl.segments import SampleKey, TrainingSample, segment_tokens
from model.training.engine import DeepSpeedEngine
from model.training.parity import ParityError
from model.training.trainer import Trainer
from model.types import Call, Sampling, Segment, Task, Trajectory
from orchestration.launch.run_config import RunConfig
from orchestration.recipes.options import ServedRollouts
from orchestration.rollouts.weight_sync import AdapterSync, DiskSync, FolderSync, TransferSync, WeightSync

API_KEY = "VIMRAG_API_KEY"
PROBE_TOKENS = 16


class ServedSource:
    """Servers with the weights under training.

    Args:
        engine: whose weights are sent.
        policy: over the servers of ``pool``.
        pool: the servers.
        sync: transfers the weights.
    """

    def __init__(
        self, engine: DeepSpeedEngine, policy: ServedPolicy, pool: ServerPool, sync: WeightSync
    ) -> None:
        self._engine, self._pool, self._sync = engine, pool, sync
        self.policy = policy
        pool.prepare = sync.load

    @property
    def version(self) -> int:
        """Updates that the served weights have had."""
        return self.policy.served.version

    def refresh(self, version: int) -> None:
        """Send the weights to every reachable server; the others get them when they are back.

        Raises:
            RequestRefusedError: if a server will not load them.
            EndpointUnavailableError: if no server is reachable.
        """
        self._sync.write(self._engine, version)
        if self._engine.rank == 0:
            asyncio.run(self._load_everywhere())
        weights = self._engine.weights()
        digest = self._broadcast(weights_fingerprint(weights) if self._engine.rank == 0 else None)
        self.policy.served = ServedWeights(model=self._sync.model, version=version, fingerprint=digest)

    async def _load_everywhere(self) -> None:
        async def retire(server: TokenClient) -> None:
            with suppress(RequestRefusedError, EndpointUnavailableError):  # an adapter too many does no harm
                await self._sync.retire(server)

        try:
            await self._pool.everywhere(self._sync.load)
            await self._pool.everywhere(retire)
        finally:
            await self._pool.close()

    def check(self, trainer: Trainer, trajectories: Sequence[Trajectory]) -> None:
        """Have a prompt of ``trajectories`` continued and compare its log-probabilities with the trainer's.

        Raises:
            ValueError: if they differ: the servers have other weights.
        """
        probe = _probe(trajectories)
        if probe is None:
            return
        sample = asyncio.run(self._probe_sample(*probe)) if self._engine.rank == 0 else None
        try:
            trainer.check_parity([self._broadcast(sample)])
        except ParityError as error:
            raise ValueError(
                f"after {self.version} updates the servers do not have the trainer's weights: {error.reason}; "
                "do they serve the model that training started from, and at a temperature other than 1 with "
                "--logprobs-mode processed_logprobs?"
            ) from None

    async def _probe_sample(self, task: Task, call: Call) -> TrainingSample:
        sampling = Sampling(
            temperature=self._engine.config.temperature, top_p=1.0, max_tokens=PROBE_TOKENS, seed=self.version
        )
        prompt = EncodedPrompt(call.prompt_ids, call.images)
        try:
            completion = await self.policy.complete_prompt(prompt, sampling=sampling, task=task)
        finally:
            await self._pool.close()
        answered = replace(call, token_ids=completion.token_ids, logprobs=completion.logprobs)
        tokens = segment_tokens(Segment(node_id=None, calls=(answered,)))
        return TrainingSample(
            key=SampleKey(task.id, 0, 0), old_logprobs=completion.logprobs, **tokens._asdict()
        )

    def _broadcast(self, value: Any) -> Any:
        """Rank 0's value, on every rank."""
        if self._engine.world_size == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box, src=0)
        return box[0]

    async def close(self) -> None:
        """Close all connections."""
        await self._pool.close()

    def tally(self) -> Mapping[str, int]:
        """Requests, those sent again, and outages of servers, since the start."""
        return {f"served_{name}": count for name, count in asdict(self._pool.tally).items()}


def _probe(trajectories: Sequence[Trajectory]) -> tuple[Task, Call] | None:
    """A prompt to complete, one with images if there is any."""
    calls = [(t.task, call) for t in trajectories for segment in t.segments for call in segment.calls[:1]]
    return max(calls, key=lambda pair: bool(pair[1].images), default=None)


def open_served(
    served: ServedRollouts,
    config: RunConfig,
    engine: DeepSpeedEngine,
    encoder: PromptEncoder,
    media: MediaSource,
) -> ServedSource:
    """The source that a recipe asks for.

    Raises:
        ValueError: if weights cannot get to the servers in the way that the recipe asks for.
    """
    key = os.environ.get(API_KEY) or None
    settings = [
        TokenServerSettings(base_url=url, api_key=key, timeout_s=served.request_timeout_s)
        for url in served.servers
    ]
    limits = PoolSettings(total_timeout_s=served.rollout_timeout_s)
    client = SglangClient if served.kind == "sglang" else TokenClient
    pool = ServerPool([client(server) for server in settings], limits)
    start = ServedWeights(model=served.model, version=0, fingerprint="")
    policy = ServedPolicy(pool, encoder, media, served=start)
    return ServedSource(engine, policy, pool, sync_of(served, config, engine))


def sync_of(served: ServedRollouts, config: RunConfig, engine: DeepSpeedEngine) -> WeightSync:
    """The transfer that the recipe names; ``ValueError`` if it does not fit the training or the root."""
    lora = engine.config.lora
    if (served.sync == "adapter") != (lora is not None):
        raise ValueError(
            "sync 'adapter' is for training adapters (lora_rank above 0), 'folder' and 'transfer' for training all weights"
        )
    if served.kind == "sglang":
        if served.sync != "folder":
            raise ValueError(f"SGLang servers get their weights by sync 'folder', not {served.sync!r}")
        return DiskSync(_shared_folder(served, config), model=served.model)
    if served.sync == "transfer":
        return TransferSync(served.servers[0], model=served.model, num_servers=len(served.servers))
    folder = _shared_folder(served, config)
    if lora is not None:
        return AdapterSync(folder, prefix=config.name, lora=lora)
    return FolderSync(folder, model=served.model)


def _shared_folder(served: ServedRollouts, config: RunConfig) -> Path:
    if served.shared is not None:
        return Path(served.shared)
    local = Storage(config.root).local_path(f"served/{config.name}")
    if local is None:
        raise ValueError(
            "the root is no folder: name one that trainer and servers see, as 'shared' of the servers"
        )
    return local
