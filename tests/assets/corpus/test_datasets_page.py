"""The page that ties what is known of the datasets to tests names only what exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from assets.corpus.dataset import DATASETS

ROOT_FOLDER = Path(__file__).resolve().parents[3]
PAGE = (ROOT_FOLDER / "docs" / "datasets.md").read_text(encoding="utf-8")
NAMES = sorted(set(re.findall(r"`([a-z_/]+\.py)::(\w+)`", PAGE)))


def test_every_dataset_has_its_tests_on_the_page():
    assert len(NAMES) > 80
    headings = re.sub(r"\W", "", " ".join(re.findall(r"^## (.*)$", PAGE, re.MULTILINE))).lower()
    assert all(name.replace("_", "") in headings for name in DATASETS)


@pytest.mark.parametrize("file", sorted({file for file, _ in NAMES}))
def test_every_named_test_exists(file: str):
    tree = ast.parse((ROOT_FOLDER / file).read_text(encoding="utf-8"))
    there = {found.name for found in ast.walk(tree) if isinstance(found, ast.FunctionDef)}
    assert {name for where, name in NAMES if where == file} <= there
