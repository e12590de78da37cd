"""Artifacts read back for tests: every byte against its hash, and what no program of ours reads."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from assets.corpus import shards, tables
from assets.corpus.shards import MediaSample
from assets.parsers.types import SkippedRecord
from infra.storage import manifest
from infra.storage.manifest import Manifest
from infra.storage.root import Storage


def verify(storage: Storage, directory: str) -> Manifest:
    """The manifest of an artifact; ``ValueError`` names a file that has another sha256."""
    published = manifest.read(storage, directory)
    for file in published.files:
        path = f"{manifest.folder_of(directory, published)}/{file.name}"
        sha256 = hashlib.sha256(storage.read_bytes(path)).hexdigest()
        if sha256 != file.sha256:
            raise ValueError(f"{directory}/{file.name} disagrees with its manifest: its sha256 is {sha256}")
    return published


def read_skipped(storage: Storage, dataset: str) -> list[SkippedRecord]:
    """What the build of a corpus could not use."""
    with manifest.open_file(storage, f"corpus/{dataset}", "skipped.parquet") as file:
        return [SkippedRecord(**row) for row in tables.rows(file)]


def read_samples(storage: Storage, dataset: str) -> Iterator[MediaSample]:
    """Every sample of a dataset in shard order; only tars that the manifest names."""
    folder = shards.directory(dataset)
    for file in manifest.read(storage, folder).files:
        if file.name.endswith(".tar"):
            yield from shards.read_shard(storage, folder, file.name)
