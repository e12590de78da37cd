"""``python -m orchestration.launch.exported HOSTFILE MODULE ARGUMENTS``: DeepSpeed's runner, its ranks told what they need.

The runner hands variables on as words of the command lines of pdsh, ssh and shells, where ``ps`` shows them to everybody on
every host; those of its ``.deepspeed_env`` as well. So it is given no more than its launchers read. What the ranks need, the
keys of the stores among it, goes ahead over the standard input of ssh, into a file on each host that only its owner reads;
``told.py`` begins with it there. The files lie in memory and are removed when the run ends; those of a run that was ended by
SIGKILL stay until their host starts anew.
"""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

NEEDED = (
    "VIMRAG_",
    "AWS_",
    "WEAVIATE_",
    "DAGSTER_PIPES_",
    "OMP_",
    "TOKENIZERS_",
    "HF_",
    "WANDB_",
    "MLFLOW_",
)
"""How the names begin of what a rank is told in its file."""
OF_LAUNCHERS = ("DS_", "CUDA_")  # read by DeepSpeed's launcher on each host, before there is a rank
TOLD_BY_RUNNER = "MLFLOW_"  # DeepSpeed's runner puts these on command lines by itself
ENV_FILE = "DS_ENV_FILE"
MEMORY = "/dev/shm"
_HOST = re.compile(r"(\S+)\s+slots=\d+")
# what a shell looks for between the double quotes that the runner puts around a value
_SPECIAL = re.compile(r'([\\"$`])')
_ESCAPED = r"\\\1"


def told(environment: Mapping[str, str]) -> dict[str, str]:
    """What ranks on other hosts need."""
    return {name: value for name, value in environment.items() if name.startswith(NEEDED)}


def exports(environment: Mapping[str, str]) -> str:
    """A line ``NAME=value`` for each variable of launchers, as ``DS_ENV_FILE`` has them; one with a line break cannot be told."""
    lines = {
        name: value
        for name, value in environment.items()
        if name.startswith(OF_LAUNCHERS) and name != ENV_FILE and "\n" not in value
    }
    return "".join(f"{name}={_SPECIAL.sub(_ESCAPED, lines[name])}\n" for name in sorted(lines))


def hosts_of(hostfile: Path) -> list[str]:
    """The hosts in the order of their numbers; ``ValueError`` for a line that is none."""
    lines = [line.strip() for line in hostfile.read_text().splitlines()]
    hosts: list[str] = []
    for line in lines:
        if not line or line.startswith("#"):
            continue
        if (found := _HOST.match(line)) is None:
            raise ValueError(f"{hostfile}: a line is `host slots=devices`, got {line!r}")
        hosts.append(found[1])
    return hosts


class Sent:
    """The environment of the ranks, in a file on each host until the end of the block."""

    def __init__(self, hosts: Sequence[str], variables: Mapping[str, str]) -> None:
        """Sends nothing yet; ``prefix`` with the number of a host behind it is the file there."""
        self.prefix = f"{MEMORY}/vimrag-{uuid.uuid4().hex}-"
        self._hosts, self._content = hosts, json.dumps(dict(variables)).encode()

    def __enter__(self) -> "Sent":
        """Send; ``ValueError`` with what ssh says if a host cannot be told."""
        try:
            self._on_each("umask 077 && set -C && cat > ", self._content)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._on_each("rm -f ", b"")
        except ValueError as error:
            print(f"a file of keys was not removed: {error}", file=sys.stderr)

    def _on_each(self, command: str, given: bytes) -> None:
        lines = [
            ["ssh", "-o", "BatchMode=yes", host, f"{command}{self.prefix}{number}"]
            for number, host in enumerate(self._hosts)
        ]
        pipe = subprocess.PIPE
        calls = [subprocess.Popen(line, stdin=pipe, stdout=subprocess.DEVNULL, stderr=pipe) for line in lines]
        said = [call.communicate(given)[1] for call in calls]
        for host, call, text in zip(self._hosts, calls, said, strict=True):
            if call.returncode:
                cause = text.decode(errors="replace").strip() or f"it ended with code {call.returncode}"
                raise ValueError(f"ssh {host}: {cause}")


def main(hostfile: str, module: str, arguments: Sequence[str]) -> int:
    """Send, run the runner, remove; the exit code of the runner."""
    with (
        Sent(hosts_of(Path(hostfile)), told(os.environ)) as sent,
        tempfile.NamedTemporaryFile("w", prefix="exports-") as of_launchers,
    ):
        of_launchers.write(exports(os.environ))
        of_launchers.flush()
        kept = {name: value for name, value in os.environ.items() if not name.startswith(TOLD_BY_RUNNER)}
        rank = ["--module", "orchestration.launch.told", sent.prefix, module, *arguments]
        runner = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "deepspeed.launcher.runner",
                "--hostfile",
                hostfile,
                "--no_local_rank",
                *rank,
            ],
            env={**kept, ENV_FILE: of_launchers.name},
        )
        try:
            return runner.wait()
        except BaseException:  # asked to end: the runner ends what it started, and the files go
            runner.terminate()
            runner.wait()
            raise


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        code = main(sys.argv[1], sys.argv[2], sys.argv[3:])
    except (ValueError, FileNotFoundError) as error:
        sys.exit(f"error: {error}")
    sys.exit(code if code >= 0 else 128 - code)
