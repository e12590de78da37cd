"""Entry point: the unseen questions answered by the last weights of one run of the study."""

import sys

from orchestration.launch.process import prepare_torch, run_script
from orchestration.study.answers import answer
from orchestration.study.options import StudyRun

if __name__ == "__main__":
    sys.exit(
        run_script(
            answer,
            StudyRun,
            setup=lambda run: prepare_torch(run.config),
            description="Answer the unseen questions with one run of the study.",
        )
    )
