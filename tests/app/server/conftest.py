"""The root and the server that the tests share; tests that change a root build their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.app.server.serving import Served, serving
from tests.app.server.small_root import build


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="module")
def served(root: Path) -> Iterator[Served]:
    """Without a model."""
    with serving(root) as served:
        yield served
