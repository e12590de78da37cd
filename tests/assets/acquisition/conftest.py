"""Datasets fetched from a server of this machine, quickly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from assets.acquisition.fetch import fetch
from assets.acquisition.mirrors import Mirrors
from assets.acquisition.publications import PUBLICATIONS
from assets.acquisition.session import FetchReport, FetchSettings
from assets.corpus.dataset import DATASETS
from infra.downloads.retry import RetrySchedule
from infra.downloads.ytdlp_fetcher import VideoSettings
from tests.assets.acquisition.hosts import Fetch
from tests.assets.parsers.outcome import write_film
from tests.servers.file_server import FileServer, file_server

COUNTS = {"mmlongbench_doc": 2, "lvbench": 3, "wikihowqa": 1, "syntheticqa": 1}
QUIET = VideoSettings(sleep_s=0.0, max_sleep_s=0.0, first_wait_s=0.0, retries=0, stall_s=5.0)


@pytest.fixture(scope="session")
def video_bytes(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    write_film(path, seconds=12)
    return path.read_bytes()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    for name, number in COUNTS.items():
        monkeypatch.setitem(DATASETS, name, replace(DATASETS[name], expected_counts={"test": number}))
    with file_server() as running:
        yield running


@pytest.fixture
def mirrors(server: FileServer) -> Mirrors:
    bases = {name: f"{server.url}/{name}" for name in ("hotpotqa", "squad", "webqa", "huggingface")}
    bases |= {name: f"{server.url}/{name}" for name in ("github-raw", "github-archive", "github-api")}
    return Mirrors({**bases, "youtube": f"{server.url}/films/{{id}}.mp4"})


@pytest.fixture
def fetched(mirrors: Mirrors, tmp_path: Path) -> Fetch:
    """Fetch a dataset into ``tmp_path/root``; keyword arguments are settings."""

    def run(dataset: str, **settings: Any) -> FetchReport:
        quick = RetrySchedule(attempts=2, stall_s=5.0, sleep=lambda seconds: None)
        given = {"retry": quick, "video": QUIET, "mirrors": mirrors, **settings}
        return fetch(PUBLICATIONS[dataset], tmp_path / "root", FetchSettings(**given))

    return run
