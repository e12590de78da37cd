"""Entry point: publish the cold start of a recipe."""

import sys

from orchestration.imitation.cold_start import run
from orchestration.launch.process import prepare_torch, run_script
from orchestration.launch.run_config import RunConfig

if __name__ == "__main__":
    sys.exit(
        run_script(run, RunConfig, setup=prepare_torch, description="Publish the cold start of a recipe.")
    )
