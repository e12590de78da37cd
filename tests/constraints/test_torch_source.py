"""`TORCH=cpu` takes the CPU build wherever one can be had, and announces the large one before it comes."""

from __future__ import annotations

import platform
import socket
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from constraints import torch_source
from constraints.torch_source import pinned_version, pip_folders
from constraints.torch_source import torch_source as source_of

VERSION = pinned_version()
TAG = f"cp{sys.version_info.major}{sys.version_info.minor}"
NAME = f"torch-{VERSION}+cpu-{TAG}-{TAG}-manylinux_2_17_{platform.machine()}.whl"
NOBODY = "http://127.0.0.1:9/whl/cpu"  # the discard port: refused at once

pytestmark = pytest.mark.skipif(platform.system() != "Linux", reason="elsewhere every build is a CPU build")


class Silent(SimpleHTTPRequestHandler):
    """A folder over HTTP, without a line a request."""

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def index(tmp_path: Path) -> Iterator[str]:
    """A package index on loopback that serves the CPU build of torch and nothing else."""
    write_wheel(tmp_path / "torch" / NAME, requires=["filelock"])
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=str(tmp_path))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def write_wheel(path: Path, *, requires: list[str]) -> Path:
    """A wheel of torch with metadata and nothing else."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _, version, *tags = path.name.removesuffix(".whl").split("-")
    folder = f"torch-{version}.dist-info"
    needs = "".join(f"Requires-Dist: {name}\n" for name in requires)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(
            f"{folder}/METADATA", f"Metadata-Version: 2.1\nName: torch\nVersion: {version}\n{needs}"
        )
        archive.writestr(
            f"{folder}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: {'-'.join(tags)}\n"
        )
        archive.writestr(f"{folder}/RECORD", "")
    return path


def test_the_cpu_index_is_taken_where_it_answers(index: str):
    arguments, note = source_of("cpu", index, installed=None, folders=[])
    assert arguments == ["--extra-index-url", index, f"torch=={VERSION}+cpu"]
    assert index in note


def test_pip_finds_the_cpu_build_with_these_arguments(index: str, tmp_path: Path):
    arguments, _ = source_of("cpu", index, installed=None, folders=[])
    target = tmp_path / "downloaded"
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(target)]
    subprocess.run([*pip, "--index-url", f"{index}/nothing", *arguments], check=True, timeout=60)
    assert [path.name for path in target.iterdir()] == [NAME]


def test_an_index_without_a_wheel_for_this_interpreter_is_passed_over(index: str, tmp_path: Path):
    (tmp_path / "torch" / NAME).rename(tmp_path / "torch" / NAME.replace(TAG, "cp399"))
    arguments, _ = source_of("cpu", index, installed=None, folders=[])
    assert arguments == [f"torch=={VERSION}"]


def test_a_local_cpu_wheel_is_taken_where_no_index_answers(tmp_path: Path):
    wheel = write_wheel(tmp_path / NAME, requires=["filelock"])
    arguments, note = source_of("cpu", NOBODY, installed=None, folders=[tmp_path])
    assert arguments == [str(wheel)]
    assert str(wheel) in note


def test_a_local_wheel_that_needs_cuda_is_no_cpu_build(tmp_path: Path):
    write_wheel(tmp_path / NAME.replace("+cpu", ""), requires=["nvidia-cudnn-cu13==9.20"])
    arguments, _ = source_of("cpu", NOBODY, installed=None, folders=[tmp_path])
    assert arguments == [f"torch=={VERSION}"]


def test_a_local_wheel_without_a_label_is_taken_by_what_it_needs(tmp_path: Path):
    wheel = write_wheel(tmp_path / NAME.replace("+cpu", ""), requires=["filelock"])
    assert source_of("cpu", NOBODY, installed=None, folders=[tmp_path])[0] == [str(wheel)]


def test_without_a_cpu_build_the_size_is_told_with_the_way_around_it():
    arguments, note = source_of("cpu", NOBODY, installed=None, folders=[])
    assert arguments == [f"torch=={VERSION}"]
    assert "GB to download" in note and "PIP_FIND_LINKS" in note


def test_an_index_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch_source, "ANSWER_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts and says nothing
        arguments, _ = source_of(
            "cpu", f"http://127.0.0.1:{silent.getsockname()[1]}", installed=None, folders=[]
        )
    assert arguments == [f"torch=={VERSION}"]


@pytest.mark.parametrize("installed", [VERSION, f"{VERSION}+cpu"])
def test_a_torch_of_the_pinned_version_stays(installed: str):
    assert source_of("cpu", NOBODY, installed=installed, folders=[])[0] == []


def test_cuda_replaces_a_cpu_build_and_keeps_any_other():
    assert source_of("cuda", NOBODY, installed=f"{VERSION}+cpu", folders=[])[0] == [
        "--force-reinstall",
        "torch>=2.8",
    ]
    assert source_of("cuda", NOBODY, installed=VERSION, folders=[])[0] == ["torch>=2.8"]


def test_folders_come_from_what_pip_is_configured_with(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    monkeypatch.setenv("PIP_FIND_LINKS", f"{wheels} https://nowhere.invalid/wheels {tmp_path / 'missing'}")
    assert pip_folders() == [wheels]
    configured = tmp_path / "pip.conf"
    configured.write_text(f"[global]\nfind-links = file://{wheels}\n")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(configured))
    assert pip_folders() == [wheels]
