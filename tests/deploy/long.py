"""Whole walks of minutes on a quiet machine: run with ``VIMRAG_LONG=1``, skipped without."""

import os

import pytest

long = pytest.mark.skipif(
    os.environ.get("VIMRAG_LONG") != "1", reason="minutes of a quiet machine: set VIMRAG_LONG=1"
)
