"""How the weights of an update get to the servers that roll out.

``AdapterSync`` and ``FolderSync`` write to a folder that trainer and servers share, under a name with the update's number, and
have each server load it. ``TransferSync`` sends the weights from device to device through vLLM's own client; it needs GPUs
and was never run here. A server that was away gets the present weights by ``load`` before its next request.
"""

import asyncio
import importlib
import shutil
import socket
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from safetensors.torch import save_file

from infra.llm.errors import RequestRefusedError, unknown_model
from infra.llm.tokens.client import TokenClient
from infra.storage.atomic import replacing
from model.config.engine import Lora
from model.training.engine import DeepSpeedEngine
from model.training.lora import adapter_weights

LOAD_ADAPTER, UNLOAD_ADAPTER = "/v1/load_lora_adapter", "/v1/unload_lora_adapter"
KEPT_VERSIONS = 2  # a server that comes back needs the present one; the one before may still be read


class WeightSync(Protocol):
    """Transfers weights to servers; the same calls on every rank."""

    @property
    def model(self) -> str:
        """Model name in requests since the last ``write``."""
        ...

    def write(self, engine: DeepSpeedEngine, version: int) -> None:
        """Make the engine's weights ready to be loaded. A collective."""
        ...

    async def load(self, server: TokenClient) -> None:
        """Make ``server`` serve what was written last; doing so again changes nothing.

        Raises:
            RequestRefusedError: if it will not; the message says how to start it.
            EndpointUnavailableError: if it is away.
        """
        ...

    async def retire(self, server: TokenClient) -> None:
        """Make ``server`` unload the version before."""
        ...


class AdapterSync:
    """LoRA adapters, each version under a name of its own.

    Args:
        folder: seen by trainer and servers under this path.
        prefix: begins the adapters' names.
        lora: their shape.
    """

    def __init__(self, folder: Path, *, prefix: str, lora: Lora) -> None:
        self._folder, self._prefix, self._lora = folder.resolve(), prefix, lora
        self._version = self._before = -1

    @property
    def model(self) -> str:
        """Name of the adapter written last."""
        return self._name(self._version)

    def _name(self, version: int) -> str:
        return f"{self._prefix}-{version:06d}"

    def write(self, engine: DeepSpeedEngine, version: int) -> None:
        """The adapter as peft's own files. ``ValueError`` if peft is missing."""
        matrices = adapter_weights(engine.raw_weights())
        if engine.rank == 0:
            with replacing(self._folder / self._name(version)) as partial:
                partial.mkdir()
                save_file(
                    {name: tensor.contiguous() for name, tensor in matrices.items()},
                    partial / "adapter_model.safetensors",
                )
                _peft_config(self._lora, partial)
            _drop_old(self._folder / self._name(version), self._prefix)
        engine.barrier()
        if version != self._version:
            self._before, self._version = self._version, version

    async def load(self, server: TokenClient) -> None:
        """Load the adapter unless the server lists it."""
        if self.model in await server.models():
            return
        path = self._folder / self.model
        try:
            await server.post(LOAD_ADAPTER, {"lora_name": self.model, "lora_path": str(path)})
        except RequestRefusedError as error:
            if self.model in await server.models():  # another request was first
                return
            raise RequestRefusedError(
                f"{error}; it was to load the adapter in {path}, does it see that folder?"
            ) from None

    async def retire(self, server: TokenClient) -> None:
        """Unload the adapter before."""
        if self._before >= 0 and self._name(self._before) in await server.models():
            await server.post(UNLOAD_ADAPTER, {"lora_name": self._name(self._before)})


class FolderSync:
    """All weights, which each server reads from a folder in place of its own.

    Args:
        folder: seen by trainer and servers under this path.
        model: the name the servers have for the model; it stays.
    """

    def __init__(self, folder: Path, *, model: str) -> None:
        self._folder, self.model = folder.resolve(), model
        self._path = self._folder

    def write(self, engine: DeepSpeedEngine, version: int) -> None:
        """Configuration and safetensors as ``from_pretrained`` and vLLM read them."""
        self._path = self._folder / f"weights-{version:06d}"
        weights = engine.weights()
        if engine.rank == 0:
            with replacing(self._path) as partial:
                engine.model.save_pretrained(partial, state_dict=weights)
            _drop_old(self._path, "weights")
        engine.barrier()

    async def load(self, server: TokenClient) -> None:
        """Reload, then drop cached prefixes, which were computed with the weights before."""
        if self.model not in (names := await server.models()):
            raise unknown_model(server.where, self.model, names)
        body = {"method": "reload_weights", "kwargs": {"weights_path": str(self._path)}}
        try:
            await server.post("/collective_rpc", body)
            await server.post("/reset_prefix_cache", {})
        except RequestRefusedError as error:
            raise RequestRefusedError(
                f"{error}; it was to load the weights in {self._path}, does it see that folder?"
            ) from None

    async def retire(self, server: TokenClient) -> None:
        """Nothing: the weights before are gone."""


class DiskSync(FolderSync):
    """All weights, which each SGLang server reads from a folder in place of its own; it drops its cached prefixes itself."""

    async def load(self, server: TokenClient) -> None:
        """Reload between two requests: those under way are finished first."""
        version = self._path.name
        await server.post("/pause_generation", {"mode": "retract"})
        try:
            body = {"model_path": str(self._path), "weight_version": version, "flush_cache": True}
            answer = await server.post("/update_weights_from_disk", body)
        finally:
            await server.post("/continue_generation", {})
        if not (isinstance(answer, dict) and answer.get("success")):
            said = answer.get("message", "") if isinstance(answer, dict) else str(answer)
            raise RequestRefusedError(
                f"{server.where} did not load the weights in {self._path} ({said[:200]}); does it see that folder?"
            )


class TransferSync:
    """All weights by NCCL through vLLM's own client; one server, one trainer rank, both on GPUs. Not run here.

    Raises:
        ValueError: when made, if vLLM or a GPU is missing on the trainer's side, or there are several servers.
    """

    def __init__(self, server: str, *, model: str, num_servers: int, port: int = 29600) -> None:
        self.model, self._server, self._port = model, server.rstrip("/").removesuffix("/v1"), port
        if num_servers != 1:
            raise ValueError("sync 'transfer' serves one server; for several take 'folder' or 'adapter'")
        self._library = vllm_transfer()
        self._engine: DeepSpeedEngine | None = None
        self._sender: Any = None

    def write(self, engine: DeepSpeedEngine, version: int) -> None:
        """Only remember the engine, whose weights ``load`` broadcasts."""
        if engine.world_size > 1 or engine.config.lora is not None:
            raise ValueError("sync 'transfer' needs one rank and no adapters; take 'folder' or 'adapter'")
        self._engine = engine

    async def load(self, server: TokenClient) -> None:
        """Broadcast the weights; the first time the two sides are connected."""
        if self._sender is None:
            answer = await server.get("/get_world_size")
            self._sender = await asyncio.to_thread(self._connected, int(answer["world_size"]))
        await asyncio.to_thread(self._sender.send_weights)
        await server.post("/reset_prefix_cache", {})

    def _connected(self, workers: int) -> Any:
        assert self._engine is not None, "write comes before load"
        transfer, nccl = self._library
        return transfer.WeightTransferTrainerFactory.trainer_init(
            init_info=nccl.NCCLTrainerInitInfo(
                master_address=_own_address(self._server),
                master_port=self._port,
                world_size=workers + 1,
                rank=0,
                packed=True,
            ),
            client=transfer.HTTPVLLMWeightSyncClient(self._server),
            source=transfer.ModuleSource(self._engine.model),
        )

    async def retire(self, server: TokenClient) -> None:
        """Nothing: the weights before are gone."""


def vllm_transfer() -> tuple[Any, Any]:
    """VLLM's modules for the trainer's side of a transfer. ``ValueError`` says what is missing."""
    import torch

    if not torch.cuda.is_available():
        raise ValueError(
            "sync 'transfer' goes from GPU to GPU, and this process has none: take 'folder' or 'adapter'"
        )
    try:
        transfer = importlib.import_module("vllm.distributed.weight_transfer")
        nccl = importlib.import_module("vllm.distributed.weight_transfer.nccl_engine")
    except ImportError as error:
        raise ValueError(
            f"sync 'transfer' needs vLLM 0.29 or later beside the trainer ({error}): take 'folder' or 'adapter'"
        ) from None
    names = ("WeightTransferTrainerFactory", "HTTPVLLMWeightSyncClient", "ModuleSource")
    if missing := [name for name in names if not hasattr(transfer, name)]:
        raise ValueError(f"this vLLM has no {missing[0]}: sync 'transfer' needs 0.29 or later")
    return transfer, nccl


def _own_address(server: str) -> str:
    """The address under which ``server`` can reach this machine."""
    parts = urlsplit(server)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((parts.hostname or "127.0.0.1", parts.port or 80))  # sends nothing
        return str(probe.getsockname()[0])


def _peft_config(lora: Lora, folder: Path) -> None:
    try:
        from peft import LoraConfig
    except ImportError:
        raise ValueError("adapters need peft: pip install 'vimrag[lora]'") from None
    LoraConfig(
        r=lora.rank, lora_alpha=lora.alpha, lora_dropout=lora.dropout, target_modules=list(lora.targets)
    ).save_pretrained(str(folder))


def _drop_old(current: Path, prefix: str) -> None:
    """Remove versions beside ``current`` that nobody needs any more."""
    for old in sorted(current.parent.glob(f"{prefix}-*"))[:-KEPT_VERSIONS]:
        if old != current:
            shutil.rmtree(old)
