"""A root of invented worlds to study on: written, built and indexed where there is none yet."""

from assets.corpus.build import build_corpus
from assets.corpus.dataset import DATASETS
from assets.corpus.read import built_datasets
from assets.index.build import build_index
from infra.progress import ProgressListener
from infra.storage.root import Storage
from orchestration.dagster_defs.miniature_raw import ensure_miniature
from orchestration.recipes.options import MiniatureWorlds

WORLDS = MiniatureWorlds(train=1, val=1, test=8)
"""Of a study of agents: eight unseen worlds."""


def build_root(storage: Storage, worlds: MiniatureWorlds, progress: ProgressListener) -> None:
    """Worlds, corpus and index below the root; nothing is built twice.

    Raises:
        ValueError: if the root is remote.
    """
    raw = storage.local_path("raw")
    if raw is None:
        raise ValueError("invented worlds are written to a folder of this machine: give --root a path")
    is_new = ensure_miniature(raw, worlds)
    if is_new or not DATASETS.keys() <= set(built_datasets(storage)):
        build_corpus(raw, storage, progress=progress)
    build_index(storage, progress=progress)
