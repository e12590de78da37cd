"""Fixtures of the corpus tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from assets.corpus import dataset
from assets.corpus.dataset import Dataset
from assets.parsers.types import ParsedRecord
from infra.storage.root import Storage

Register = Callable[[Callable[[], Iterator[ParsedRecord]]], Path]


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Register:
    """Make a tenth dataset ``toy`` of the given records; returns the raw folder."""

    def make(records: Callable[[], Iterator[ParsedRecord]]) -> Path:
        toy = Dataset(name="toy", parse=lambda raw, context: records())
        monkeypatch.setitem(dataset.DATASETS, "toy", toy)
        (tmp_path / "raw" / "toy").mkdir(parents=True, exist_ok=True)
        (tmp_path / "raw" / "toy" / "file.txt").write_text("raw")
        return tmp_path / "raw"

    return make


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(tmp_path / "root")
