"""Entry point: the training study."""

import sys

from orchestration.launch.process import run_script
from orchestration.study.options import Study
from orchestration.study.study import make_study

if __name__ == "__main__":
    sys.exit(run_script(make_study, Study, description="Compare GGPO with its baselines on the miniature."))
