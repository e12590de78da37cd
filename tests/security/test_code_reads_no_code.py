"""No data becomes code: the sources call nothing that would run what they read, but for the places that are named here."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("app", "assets", "infra", "model", "memory_graph", "orchestration")
FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
FORBIDDEN = {"eval", "exec", "compile", "__import__"}
PICKLES = {"pickle", "cPickle", "dill", "shelve", "marshal", "joblib", "cloudpickle"}


def calls(tree: ast.AST) -> list[tuple[str, ast.Call]]:
    return [(ast.unparse(node.func), node) for node in ast.walk(tree) if isinstance(node, ast.Call)]


def given(call: ast.Call, name: str) -> str:
    return next((ast.unparse(each.value) for each in call.keywords if each.arg == name), "")


def faults(text: str) -> list[str]:
    tree = ast.parse(text)
    found: list[str] = []
    for node in ast.walk(tree):
        names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        found += [f"imports {name}" for name in names if name.split(".")[0] in PICKLES]
    for name, call in calls(tree):
        if name in FORBIDDEN:
            found.append(f"calls {name}")
        if name.endswith("torch.load") and given(call, "weights_only") != "True":
            found.append("torch.load without weights_only=True")
        if name in ("np.load", "numpy.load") and given(call, "allow_pickle") not in ("", "False"):
            found.append("np.load with pickles")
        if name in ("yaml.load", "yaml.unsafe_load", "yaml.full_load"):
            found.append(f"{name} builds objects")
        if given(call, "shell") not in ("", "False"):
            found.append(f"{name} with a shell")
        if given(call, "trust_remote_code") not in ("", "False"):
            found.append(f"{name} runs code of a checkpoint")
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_source_runs_nothing_that_it_read(path: Path):
    assert faults(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle", "from joblib import load", "eval(x)", "torch.load(f)", "torch.load(f, weights_only=False)",
        "np.load(f, allow_pickle=True)", "yaml.load(f)", "subprocess.run(x, shell=True)",
        "AutoModel.from_pretrained(f, trust_remote_code=True)",
    ],
)  # fmt: skip
def test_the_rule_sees_what_it_forbids(source: str):
    assert faults(source)
