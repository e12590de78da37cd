"""``python -m orchestration.launch.record RECIPE [RUN_NAME]``: what a launcher without Dagster tells an entry point.

Prints the record of the run as one line of JSON; the root is that of ``VIMRAG_ROOT``.
"""

import os
import sys
from dataclasses import replace

from orchestration.launch.commands import to_json
from orchestration.launch.run_config import RunConfig
from orchestration.recipes.registry import recipe


def main(name: str, run: str, root: str) -> str:
    """The record; ``ValueError`` for a recipe that is not there or a name that is no folder's."""
    return to_json(RunConfig(root=root, name=run, recipe=replace(recipe(name), name=run)))


if __name__ == "__main__":
    try:
        print(main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else sys.argv[1], os.environ["VIMRAG_ROOT"]))
    except (KeyError, IndexError):
        sys.exit("usage: VIMRAG_ROOT=... python -m orchestration.launch.record RECIPE [RUN_NAME]")
    except ValueError as error:
        sys.exit(f"error: {error}")
