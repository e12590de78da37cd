"""The page that maps equations to code names only what exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT_FOLDER = Path(__file__).resolve().parents[2]
PAGE = ROOT_FOLDER / "docs" / "ggpo.md"
FILES = sorted(set(re.findall(r"`([a-z_/]+\.py)(?:::\w+)?`", PAGE.read_text(encoding="utf-8"))))
NAMES = sorted(set(re.findall(r"`([a-z_/]+\.py)::(\w+)`", PAGE.read_text(encoding="utf-8"))))


def test_the_page_names_files_and_functions():
    assert len(FILES) > 10 and len(NAMES) > 30


@pytest.mark.parametrize("file", FILES)
def test_every_named_file_exists(file: str):
    assert (ROOT_FOLDER / file).is_file()


@pytest.mark.parametrize(("file", "name"), NAMES)
def test_every_named_function_exists(file: str, name: str):
    tree = ast.parse((ROOT_FOLDER / file).read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    assert name in {found.name for found in ast.walk(tree) if isinstance(found, kinds)}
