"""docs/security.md: each line of the threat model names tests, and each named test is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and "`tests/" in line]
NAMED = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", PAGE)


def test_every_threat_has_a_test():
    threats = [
        line
        for line in PAGE.splitlines()
        if line.startswith("| ") and not line.startswith(("| threat", "| ---"))
    ]
    assert len(ROWS) >= 20 and [line for line in threats if line not in ROWS] == []


@pytest.mark.parametrize(("path", "name"), NAMED, ids=lambda each: str(each))
def test_a_named_test_is_there(path: str, name: str):
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    tests = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    assert not name or name in tests
