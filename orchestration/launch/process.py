"""What every entry point does first and last: read its record, set up its process, report what went wrong.

Holds no work of its own; ``orchestration.runs`` gives ``run_script`` the function to run.
"""

import os
import random
import sys
from collections.abc import Callable
from pathlib import Path
from socket import gethostname
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from infra.errors import ExternalError
from orchestration.launch.commands import CAUSE_VARIABLE
from orchestration.launch.reporter import Reporter, open_reporter
from orchestration.launch.run_config import RunConfig

_Record = TypeVar("_Record")


def run_script(
    body: Callable[[_Record, Reporter], None],
    kind: type[_Record],
    text: str,
    *,
    setup: Callable[[_Record], None] | None = None,
) -> int:
    """Run ``body`` with the record in ``text``; exit code 0, 1 for a failure, 2 for a record that is none.

    ``setup`` readies the process before. A clear error is one line; anything unexpected keeps its traceback.
    """
    try:
        config = from_json(kind, text)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if setup is not None:
        setup(config)
    _say_rank("begins")
    with open_reporter() as reporter:
        try:
            body(config, reporter)
        except (ValueError, FileNotFoundError, ExternalError) as error:
            if os.environ.get("VIMRAG_DEBUG"):
                raise
            print(f"error: {error}", file=sys.stderr)
            _say_rank(f"failed: {error}")
            reporter.log(f"failed: {error}")
            _tell_cause(str(error))
            return 1
        except Exception as error:
            _say_rank(f"failed: {type(error).__name__}: {error}")
            _tell_cause(f"{type(error).__name__}: {error}")
            raise
    _say_rank("is done")
    return 0


def _tell_cause(text: str) -> None:
    """Of the first rank that fails; what the others say follows from it."""
    path = os.environ.get(CAUSE_VARIABLE)
    if path and not os.path.exists(path):
        Path(path).write_text(text)


def _say_rank(text: str) -> None:
    """One line of each of several ranks, whichever host it is on; the only one has its reporter."""
    ranks = int(os.environ.get("WORLD_SIZE", "1"))
    if ranks > 1:
        sys.stderr.write(f"rank {rank()} of {ranks} on {gethostname()}, process {os.getpid()}, {text}\n")
        sys.stderr.flush()


def from_json(kind: type[_Record], text: str) -> _Record:
    """The record of class ``kind`` that ``commands.to_json`` wrote; ``ValueError`` in one line if it is not one."""
    try:
        return TypeAdapter(kind).validate_json(text)
    except ValidationError as error:
        places = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'record'}: {e['msg']}" for e in error.errors())
        raise ValueError(f"not a {kind.__name__}: {places}") from None


def prepare_torch(config: RunConfig) -> None:
    """Threads, random state and library settings of this process."""
    os.environ.setdefault("DS_ACCELERATOR", config.recipe.device)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    import torch
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()  # bars of milliseconds between our own lines
    torch.set_num_threads(max(1, config.recipe.threads // local_ranks()))
    random.seed(0)
    torch.manual_seed(0)


def rank() -> int:
    """This process among all ranks."""
    return int(os.environ.get("RANK", "0"))


def local_ranks() -> int:
    """Processes that share this machine."""
    return max(1, int(os.environ.get("LOCAL_SIZE", "1")))
