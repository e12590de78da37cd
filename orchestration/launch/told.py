"""``python -m orchestration.launch.told PREFIX MODULE ARGUMENTS``: becomes MODULE, with the environment sent to its host.

What was sent is known by ``exported.py``. Every rank of the host reads the same file, so none removes it.
"""

import json
import os
import sys
from pathlib import Path

HOST_NUMBER = "CROSS_RANK"  # DeepSpeed's launcher says it to its ranks


def main(prefix: str, line: list[str]) -> None:
    """Read the file and become the module; ``FileNotFoundError`` if nothing was sent to this host."""
    told = json.loads(Path(f"{prefix}{os.environ[HOST_NUMBER]}").read_text())
    os.execve(sys.executable, [sys.executable, "-u", "-m", *line], {**os.environ, **told})


if __name__ == "__main__":
    try:
        main(sys.argv[1], sys.argv[2:])
    except FileNotFoundError as error:
        sys.exit(f"error: the environment of this run did not reach this host: {error.filename}")
