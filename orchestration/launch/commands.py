"""Command lines of the entry points: supervisor, then the DeepSpeed launcher where ranks are needed, then the entry point.

Holds strings and environment only. The supervisor makes sure that a cancelled run leaves no rank behind.
"""

import base64
import json
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum

from pydantic import TypeAdapter

from orchestration.recipes.options import Recipe

GRACE_S = (
    12.0  # to save and end after a request to stop; below the 20 s that Dagster waits for its subprocess
)

CAUSE_VARIABLE = "VIMRAG_CAUSE"
"""Of the environment: the file in which a process that fails says why, for whoever started it."""


class Script(StrEnum):
    """Entry points of ``orchestration.runs``."""

    COLD_START = "cold_start"
    TRAIN_GGPO = "train_ggpo"
    EVALUATE = "evaluate"
    REPORT = "report"
    STUDY = "study"
    STUDY_ANSWERS = "study_answers"
    CREDIT = "credit"
    MINIATURE_EYE = "miniature_eye"


def command(
    script: Script, record: object, *, ranks: int | None = None, hostfile: str | None = None
) -> list[str]:
    """The supervised command that gives ``script`` its ``record``; with ``ranks`` DeepSpeed launches one process a rank.

    With a ``hostfile`` the runner of DeepSpeed starts a launcher on each of its hosts over ssh (``exported.py``).
    """
    module = entry_point(script, record)
    if ranks is None:
        return supervised([sys.executable, "-m", *module])
    if hostfile is not None:
        encoded = base64.urlsafe_b64encode(to_json(record).encode()).decode()
        module = [*module[:2], "--config-base64", encoded]  # the shell of a host would eat quotes
        return supervised([sys.executable, "-m", "orchestration.launch.exported", hostfile, *module])
    world = base64.urlsafe_b64encode(json.dumps({"localhost": list(range(ranks))}).encode()).decode()
    launcher = [sys.executable, "-m", "deepspeed.launcher.launch", "--quiet", "--no_local_rank", "--module"]
    return supervised([*launcher, f"--world_info={world}", f"--master_port={_free_port()}", *module])


def entry_point(script: Script, record: object) -> list[str]:
    """What follows ``python -m``: the module, which entry point of it, and its ``record``."""
    return ["orchestration.runs", script.value, "--config-json", to_json(record)]


def to_json(record: object) -> str:
    """A frozen record as one line of JSON: how a process is told what to do."""
    return TypeAdapter(type(record)).dump_json(record).decode()


def supervised(line: Sequence[str]) -> list[str]:
    """The command under a supervisor that ends it, and all that it started, when whoever asked for it is gone."""
    return [sys.executable, "-m", "infra.workers.supervisor", "--grace-s", str(GRACE_S), "--", *line]


def environment(recipe: Recipe) -> Mapping[str, str]:
    """What the subprocess is told beside the environment of this one.

    Ranks of one machine meet on its loopback, whatever its name resolves to; GLOO_SOCKET_IFNAME of this environment goes before.
    """
    alone = recipe.ggpo.hostfile is None and "GLOO_SOCKET_IFNAME" not in os.environ
    return {
        **({"GLOO_SOCKET_IFNAME": "lo"} if alone else {}),
        "DS_ACCELERATOR": recipe.device,
        "OMP_NUM_THREADS": str(max(1, recipe.threads)),
        "PYTHONUNBUFFERED": "1",
        "PYTHONWARNINGS": "ignore",
        "TOKENIZERS_PARALLELISM": "false",
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
