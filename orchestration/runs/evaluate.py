"""Entry point: every method of a recipe answers the test questions (``orchestration.evaluation.evaluation_run``)."""

import sys

from orchestration.evaluation.evaluation_run import run
from orchestration.launch.process import run_script

if __name__ == "__main__":
    sys.exit(run_script(run, description="Answer the test questions with every method."))
