"""Options are told and recipes are read without torch."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
MODULES = sorted(f"model.config.{path.stem}" for path in (ROOT / "model" / "config").glob("[a-z]*.py"))


@pytest.mark.parametrize("modules", [MODULES, ["orchestration.recipes.registry"]], ids=["options", "recipes"])
def test_no_option_and_no_recipe_loads_torch(modules: list[str]):
    program = f"import json, sys, {', '.join(modules)}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    loaded = json.loads(done.stdout)
    assert set(modules) <= set(loaded)
    assert {"torch", "transformers", "numpy", "deepspeed"}.isdisjoint(loaded)
