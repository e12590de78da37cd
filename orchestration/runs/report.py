"""Entry point: the report of a run from its metric files (``orchestration.evaluation.report_run``)."""

import sys

from orchestration.evaluation.report_run import run
from orchestration.launch.process import run_script
from orchestration.launch.run_config import RunConfig

if __name__ == "__main__":
    sys.exit(run_script(run, RunConfig, description="Render the report of a run."))
