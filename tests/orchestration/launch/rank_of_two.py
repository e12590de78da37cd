"""What a rank of the test of two hosts does: meet the others over gloo, and say what it was told."""

from __future__ import annotations

import json
import os
import sys
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from orchestration.launch.commands import to_json
from orchestration.launch.process import run_script
from orchestration.launch.reporter import Reporter
from orchestration.launch.run_config import RunConfig

TOLD = ("VIMRAG_", "AWS_", "MLFLOW_")


def command_lines() -> Iterator[bytes]:
    """Of every process that anybody sees."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it ended
            yield path.read_bytes()


def body(config: RunConfig, reporter: Reporter) -> None:
    """Add the ranks up; a rank named by VIMRAG_FAILS fails."""
    import torch
    from torch import distributed

    distributed.init_process_group("gloo")
    total = torch.tensor([distributed.get_rank() + 1.0])
    distributed.all_reduce(total)
    told = {name: value for name, value in os.environ.items() if name.startswith(TOLD)}
    said = {
        "sum": total.item(),
        "world": distributed.get_world_size(),
        "told": told,
        "shown": [name for name in told if told[name].encode() in b" ".join(command_lines())],
        "record": to_json(config),
    }
    Path(config.root, f"rank-{distributed.get_rank()}.json").write_text(json.dumps(said))
    distributed.barrier()
    if os.environ.get("VIMRAG_FAILS") == str(distributed.get_rank()):
        raise ValueError("this rank was asked to")
    reporter.finish({"sum": total.item()})


if __name__ == "__main__":
    sys.exit(run_script(body, RunConfig, urlsafe_b64decode(sys.argv[2]).decode()))
