"""Entry point: every method of a recipe answers the test questions (``orchestration.evaluation.evaluation_run``)."""

import sys

from orchestration.evaluation.evaluation_run import run
from orchestration.launch.process import prepare_torch, run_script
from orchestration.launch.run_config import RunConfig

if __name__ == "__main__":
    sys.exit(
        run_script(
            run, RunConfig, setup=prepare_torch, description="Answer the test questions with every method."
        )
    )
