"""Entry point: train with GGPO from the cold start."""

import sys

from orchestration.launch.process import run_script
from orchestration.training.ggpo_run import train

if __name__ == "__main__":
    sys.exit(run_script(train, description="Train with GGPO from the cold start."))
