"""The unseen questions answered by the last weights of one run of the study, in a process of its own.

Holds the command line alone; what is answered and stored is ``study_runs.answer``.
"""

import argparse
import sys
from collections.abc import Sequence

import torch
from pydantic import TypeAdapter

from orchestration.study.runs import Study, answer, runs


def main(argv: Sequence[str] | None = None) -> int:
    """Answer what is not answered; exit code 1 for a run that the study does not have."""
    parser = argparse.ArgumentParser(description="Answers of one run of the study.")
    parser.add_argument("--study-json", required=True)
    parser.add_argument("--run", required=True)
    given = parser.parse_args(argv)
    study = TypeAdapter(Study).validate_json(given.study_json)
    for run in runs(study):
        if run.name == given.run:
            torch.set_num_threads(run.config.recipe.threads)
            answer(study, run)
            return 0
    print(f"error: the study has no run {given.run!r}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
