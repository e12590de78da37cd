"""What every launch script does first and last: read its command line, set up its process, report what went wrong.

Holds no work of its own; a script gives ``run_script`` the function to run.
"""

import argparse
import os
import random
import sys
from collections.abc import Callable, Sequence

from infra.errors import ExternalError
from orchestration.launch.reporter import Reporter, open_reporter
from orchestration.launch.run_config import RunConfig

Body = Callable[[RunConfig, Reporter], None]


def run_script(
    body: Body, *, description: str, argv: Sequence[str] | None = None, needs_torch: bool = True
) -> int:
    """Run ``body`` under the configuration of the command line; exit code 0, 1 for a failure, 2 for a bad configuration.

    A clear error is one line; anything unexpected keeps its traceback.
    """
    config = _parse(description, argv)
    if isinstance(config, int):
        return config
    if needs_torch:
        prepare(config)
    with open_reporter() as reporter:
        try:
            body(config, reporter)
        except (ValueError, FileNotFoundError, ExternalError) as error:
            if os.environ.get("VIMRAG_DEBUG"):
                raise
            print(f"error: {error}", file=sys.stderr)
            reporter.say(f"failed: {error}")
            return 1
    return 0


def prepare(config: RunConfig) -> None:
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


def _parse(description: str, argv: Sequence[str] | None) -> RunConfig | int:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--config-json",
        required=True,
        metavar="JSON",
        help="a RunConfig; see orchestration/launch/run_config.py",
    )
    given = parser.parse_args(argv)
    try:
        return RunConfig.from_json(given.config_json)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
