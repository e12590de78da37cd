"""The wheel, built and installed in a clean environment, runs from an empty folder: the miniature job, and `serve`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import time
import urllib.request
import venv
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.long import long
from tests.deploy.smallest import SMALLEST
from tests.ports import free_ports

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of an environment that has the wheel and, from this one, the libraries it needs."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True)
    [wheel] = folder.glob("*.whl")
    venv.create(folder / "venv", with_pip=False)
    python = folder / "venv" / "bin" / "python"
    install = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        python,
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        wheel,
    ]
    subprocess.run(install, check=True, capture_output=True)
    [site] = (folder / "venv").glob("lib/python*/site-packages")
    # a path added by a .pth file brings the libraries and not the checkout, which a .pth file of theirs names
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    for program in ("dagster", "dagster-webserver"):
        [entry] = entry_points(group="console_scripts", name=program)
        (python.parent / program).write_text(
            f"#!{python}\nimport sys\nfrom {entry.module} import {entry.attr}\nsys.exit({entry.attr}())\n"
        )
        (python.parent / program).chmod(0o755)
    return python.parent


def environment(folder: Path) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "VIMRAG", "DAGSTER"))
    }
    return {
        **kept,
        "HOME": str(folder),
        "DAGSTER_HOME": str(folder / "home"),
        "VIMRAG_ROOT": str(folder / "root"),
        "PYTHONWARNINGS": "ignore",
        "OMP_NUM_THREADS": "1",
    }


@long
@pytest.mark.timeout(600)
def test_it_holds_the_checkpoints_the_page_and_the_settings_of_an_instance(installed: Path, tmp_path: Path):
    program = (
        "from orchestration.shipped import shipped, deployment; from app import web; import infra, pathlib, sys;"
        "there = [*(shipped('checkpoints') / 'miniature').glob('*/model.safetensors'), "
        "shipped('checkpoints') / 'eye/delta.safetensors',"
        "shipped('dagster.yaml'), shipped('workspace.yaml'), deployment('compose.yaml'),"
        "pathlib.Path(web.__file__).parent / 'static/index.html'];"
        "sys.exit([str(path) for path in there if not path.is_file() or 'venv' not in path.parts] or len(there) != 6)"
    )
    done = subprocess.run(
        [installed / "python", "-c", program],
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@long
@pytest.mark.timeout(1200)
def test_from_an_empty_folder_it_runs_the_miniature_and_serves_what_came_of_it(
    installed: Path, tmp_path: Path
):
    told = environment(tmp_path)
    made = subprocess.run(
        [installed / "vimrag", "home", "home", "--json"],
        cwd=tmp_path,
        env=told,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(made.stdout)["written"] == ["dagster.yaml", "workspace.yaml"]
    config = tmp_path / "smallest.yaml"
    recipe = {"run_name": "smallest", "fields": SMALLEST}
    config.write_text(json.dumps({"resources": {"recipe": {"config": recipe}}}))
    ran = subprocess.run(
        [
            installed / "dagster",
            "job",
            "execute",
            "-m",
            "orchestration.definitions",
            "-j",
            "miniature",
            "-c",
            config,
        ],
        cwd=tmp_path,
        env=told,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-4000:]
    assert (tmp_path / "root/reports/smallest/index.html").is_file()

    [port] = free_ports(1)
    server = subprocess.Popen(
        [installed / "vimrag", "serve", "--port", str(port)], cwd=tmp_path, env=told, stderr=subprocess.PIPE
    )
    try:
        page = _read(f"http://127.0.0.1:{port}/")
        assert "<title>" in page
        assert _post(f"http://127.0.0.1:{port}/v1/search", {"query": "lamp"})["hits"]
    finally:
        server.terminate()
        server.wait(30)


def _read(address: str) -> str:
    deadline = time.monotonic() + 90
    while True:
        try:
            with urllib.request.urlopen(address, timeout=5) as reply:
                return reply.read().decode()
        except OSError:
            assert time.monotonic() < deadline, f"nothing answers at {address}"
            time.sleep(0.3)


def _post(address: str, body: object) -> dict[str, Any]:
    request = urllib.request.Request(address, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as reply:
        return json.load(reply)
