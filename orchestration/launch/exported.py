"""``python -m orchestration.launch.exported ARGUMENTS``: DeepSpeed's runner, told which of this environment the other hosts need.

By itself it hands on what Python and NCCL read. A rank needs the keys of the stores too, and what Dagster listens to; they
travel in a file that only its owner reads (``DS_ENV_FILE``), and over ssh from there.
"""

import os
import re
import sys
import tempfile
from collections.abc import Mapping

NEEDED = (
    "VIMRAG_",
    "AWS_",
    "WEAVIATE_",
    "DAGSTER_PIPES_",
    "DS_",
    "OMP_",
    "TOKENIZERS_",
    "HF_",
    "CUDA_",
    "WANDB_",
    "MLFLOW_",
)
ENV_FILE = "DS_ENV_FILE"
# what a shell looks for between the double quotes that the runner puts around a value
_SPECIAL = re.compile(r'([\\"$`])')
_ESCAPED = r"\\\1"


def exports(environment: Mapping[str, str]) -> str:
    """A line ``NAME=value`` for each variable that ranks on other hosts need; one with a line break cannot be told."""
    told = {
        name: value
        for name, value in environment.items()
        if name.startswith(NEEDED) and name != ENV_FILE and "\n" not in value
    }
    return "".join(f"{name}={_SPECIAL.sub(_ESCAPED, told[name])}\n" for name in sorted(told))


def main(arguments: list[str]) -> None:
    """Write the file, and become the runner."""
    handle, path = tempfile.mkstemp(prefix="exports-")  # readable by its owner only
    with os.fdopen(handle, "w") as file:
        file.write(exports(os.environ))
    os.environ[ENV_FILE] = path
    os.execv(sys.executable, [sys.executable, "-m", "deepspeed.launcher.runner", *arguments])


if __name__ == "__main__":
    main(sys.argv[1:])
