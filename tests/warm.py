"""Processes of their own that begin with torch and the libraries around it imported: forked from a server that did it once.

A fresh interpreter spends ten seconds of a core on these imports, which is most of what a small run takes. Where the start of
the interpreter or the command line is what is tested, start a real one instead.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import TypeVar

import pytest

from tests.memory import keep_little_memory

# none of this repository, which every process imports anew, and nothing that starts a thread, as lancedb does
PRELOADED = [
    "torch",
    "transformers.models.qwen3_vl.modeling_qwen3_vl",
    "deepspeed",
    "torch._dynamo",
    "matplotlib.pyplot",
    "lance_namespace",
    "pandas",
    "pyarrow.dataset",
    "s3fs",
    "weaviate",
    "snowballstemmer",
]
_CONTEXT = multiprocessing.get_context("forkserver")
_Result = TypeVar("_Result")


def elsewhere(work: Callable[..., _Result], *arguments: object) -> _Result:
    """What ``work`` returns in a process of its own, for work whose batches take most of a gigabyte."""
    with ProcessPoolExecutor(1, _context(), _enter, (dict(os.environ),)) as process:
        return process.submit(work, *arguments).result()


def start(
    work: Callable[..., int], *arguments: object, environment: Mapping[str, str], log: Path
) -> ForkServerProcess:
    """A process that ends with the code that ``work`` returns; what it writes is added to ``log``."""
    process = _context().Process(target=_run, args=(dict(environment), log, work, *arguments))
    process.start()
    return process


def _context() -> ForkServerContext:
    """The context, whose server is running."""
    _CONTEXT.set_forkserver_preload(PRELOADED)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DS_ACCELERATOR", "cpu")  # looked up as DeepSpeed is imported
        patch.setenv("OMP_NUM_THREADS", "1")  # a pool of threads does not live through a fork
        forkserver.ensure_running()
    return _CONTEXT


def _run(environment: dict[str, str], log: Path, work: Callable[..., int], *arguments: object) -> None:
    with log.open("ab") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    _enter(environment)
    sys.exit(work(*arguments))


def _enter(environment: dict[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environment)
    keep_little_memory()
