"""The command line for every test of ``app``."""

from __future__ import annotations

import pytest

from app.cli import main
from tests.app.command_line import Said, Vimrag


@pytest.fixture
def vimrag(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Vimrag:
    """Runs a command line in this process and gives its exit code and what it wrote to both streams."""
    for name in ("VIMRAG_ROOT", "VIMRAG_RAW", "VIMRAG_DEBUG"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: object) -> Said:
        capfd.readouterr()
        code = main([str(argument) for argument in arguments])
        return Said(code, *capfd.readouterr())

    return run


@pytest.fixture(autouse=True)
def nothing_remembered(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was found out of a model at some port is not known to the next test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
