"""The entry points, run as ``python -m orchestration.runs NAME --config-json JSON`` and imported by nobody.

Each imports its work when it starts, so that a report loads no torch. Without Dagster they report to the console.
"""

import argparse
import base64
import sys

from orchestration.launch.commands import Script
from orchestration.launch.process import prepare_torch, run_script
from orchestration.launch.run_config import RunConfig


def main(script: Script, record: str) -> int:
    """Run one entry point with its ``record`` as JSON; returns the exit code of the process."""
    match script:
        case Script.COLD_START:
            from orchestration.imitation.cold_start import run

            return run_script(run, RunConfig, record, setup=prepare_torch)
        case Script.TRAIN_GGPO:
            from orchestration.training.ggpo_run import train

            return run_script(train, RunConfig, record, setup=prepare_torch)
        case Script.EVALUATE:
            from orchestration.evaluation.evaluation_run import run

            return run_script(run, RunConfig, record, setup=prepare_torch)
        case Script.REPORT:
            from orchestration.evaluation.report_run import run

            return run_script(run, RunConfig, record)
        case Script.MINIATURE_EYE:
            from orchestration.embedding.eye_run import run

            return run_script(run, RunConfig, record, setup=prepare_torch)
        case _:
            return _study(script, record)


def _study(script: Script, record: str) -> int:
    """Run one entry point of the studies."""
    match script:
        case Script.CREDIT:
            from orchestration.study.credit.options import CreditStudy
            from orchestration.study.credit.run import make_credit

            return run_script(make_credit, CreditStudy, record)
        case Script.STUDY:
            from orchestration.study.options import Study
            from orchestration.study.study import make_study

            return run_script(make_study, Study, record)
        case _:
            from orchestration.study.answers import answer
            from orchestration.study.options import StudyRun

            return run_script(
                answer, StudyRun, record, setup=lambda study_run: prepare_torch(study_run.config)
            )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m orchestration.runs", description="Run one entry point.")
    parser.add_argument("script", type=Script, choices=list(Script))
    told = parser.add_mutually_exclusive_group(required=True)
    told.add_argument("--config-json", metavar="JSON", help="the record of what is to be run")
    told.add_argument("--config-base64", metavar="TEXT", help="the same where a shell would eat its quotes")
    given = parser.parse_args()
    record = given.config_json or base64.urlsafe_b64decode(given.config_base64).decode()
    sys.exit(main(given.script, record))
