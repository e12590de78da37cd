"""The memory graph needs the standard library and itself, nothing else: it can be built and replayed anywhere."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

import memory_graph

FOLDER = Path(memory_graph.__file__).parent
MODULES = sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.py"))


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_the_standard_library_and_the_package_alone(module: str):
    packages = set()
    for statement in ast.walk(ast.parse((FOLDER / module).read_text())):
        if isinstance(statement, ast.Import):
            packages |= {alias.name.split(".")[0] for alias in statement.names}
        elif isinstance(statement, ast.ImportFrom):
            assert statement.module is not None and not statement.level, "imports name the whole path"
            packages.add(statement.module.split(".")[0])
    assert packages <= {"memory_graph", *sys.stdlib_module_names}
