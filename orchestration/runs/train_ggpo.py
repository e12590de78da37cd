"""Entry point: train with GGPO from the cold start."""

import sys

from orchestration.launch.process import prepare_torch, run_script
from orchestration.launch.run_config import RunConfig
from orchestration.training.ggpo_run import train

if __name__ == "__main__":
    sys.exit(
        run_script(train, RunConfig, setup=prepare_torch, description="Train with GGPO from the cold start.")
    )
