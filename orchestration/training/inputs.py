"""What a training run is made from: the hashes of its corpus, index, cold start and code, which its checkpoints record."""

from hashlib import sha256
from pathlib import Path

from infra.code_version import code_inputs
from infra.storage.manifest import MANIFEST
from infra.storage.root import Storage
from orchestration.joins.agents import RunContext
from orchestration.launch.run_config import RunConfig

PACKAGES = ("memory_graph", "model", "infra", "assets", "orchestration")


def fingerprints(storage: Storage, config: RunConfig, world: RunContext) -> dict[str, str]:
    """What a run is made from: corpus, index, cold start and code."""
    hashes = {
        "corpus": manifests_sha256(storage, "corpus"),
        "index": world.retriever.fingerprint,
        "cold_start": manifests_sha256(storage, config.cold_start_checkpoints),
    }
    return {**hashes, **code_inputs(Path(__file__).resolve().parents[2], PACKAGES)}


def manifests_sha256(storage: Storage, directory: str) -> str:
    """Hash over the manifests in the folders of ``directory``, which hold the hashes of all files; in hex."""
    names = [f"{name}/{MANIFEST}" for name in storage.list(directory)]
    names = [name for name in names if storage.exists(f"{directory}/{name}")]
    return sha256(b"".join(storage.read_bytes(f"{directory}/{name}") for name in names)).hexdigest()
