"""A search costs what it needs and no more: by itself no LanceDB and what comes with it, through a server not even numpy."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.app.server.reader_model import QUERY
from tests.app.server.small_root import build
from tests.app.server.test_process import process

REPOSITORY = Path(__file__).resolve().parents[3]
NEVER = ("torch", "transformers", "lancedb", "lance_namespace", "pandas", "polars", "pyarrow.dataset")
NOR = ("pyarrow.compute", "dagster", "weaviate", "fastapi", "httpx", "matplotlib", "PIL.ImageDraw")
NOT_BESIDE_A_SERVER = (
    "numpy",
    "asyncio",
    "pyarrow",
    "onnxruntime",
    "fsspec",
    "assets.index",
    "app.answers.records",
)
PROGRAM = """
import sys
from app.cli import main

code = main(["search", "--root", sys.argv[1], "--json", sys.argv[2]])
print([name for name in sys.argv[3:] if name in sys.modules], file=sys.stderr)
sys.exit(code)
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("own"))


def imported(home: Path, *names: str) -> str:
    """Those of ``names`` that a search has imported when it has found something."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("VIMRAG")}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(home), QUERY, *names],
        cwd=REPOSITORY,
        env=clean,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0 and json.loads(done.stdout)["hits"], done.stderr
    return done.stderr.splitlines()[-1]


def test_a_search_by_itself(home: Path):
    assert imported(home, *NEVER, *NOR) == "[]"


def test_a_search_through_a_server(home: Path):
    with process("--root", home):
        assert imported(home, *NEVER, *NOR, *NOT_BESIDE_A_SERVER) == "[]"
