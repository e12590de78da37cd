"""The Dagster code location: assets, checks, jobs, schedules and resources put together, and nothing else.

Nothing here may import torch or read the environment: it is loaded by the web server and the daemon. Assets live in
``*_assets.py``, jobs in ``dagster_defs/jobs.py``, work for a GPU in ``launch/``.
"""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from orchestration.dagster_defs.automation.alerts import tell_failures
from orchestration.dagster_defs.automation.sensors import SCHEDULES, sensors
from orchestration.dagster_defs.console import progress_logger
from orchestration.dagster_defs.corpus_assets import corpus
from orchestration.dagster_defs.index_assets import index_in_use, index_of_corpus
from orchestration.dagster_defs.jobs import JOBS
from orchestration.dagster_defs.launched_assets import (
    cold_start_checkpoint,
    evaluation,
    ggpo_checkpoint,
    miniature_eye,
    report,
)
from orchestration.dagster_defs.pipes_reader import CompleteLineMessageReader
from orchestration.dagster_defs.question_assets import question_set
from orchestration.dagster_defs.raw_assets import fetched, raw
from orchestration.dagster_defs.resources import RawLocationResource, RecipeResource, StorageResource
from orchestration.dagster_defs.retrieval_assets import retrieval
from orchestration.dagster_defs.scored_assets import model_scores
from orchestration.launch.commands import GRACE_S

ASSETS = [
    raw,
    fetched,
    corpus,
    question_set,
    miniature_eye,
    index_of_corpus,
    index_in_use,
    retrieval,
    cold_start_checkpoint,
    ggpo_checkpoint,
    evaluation,
    report,
    model_scores,
]


def build_defs(*, resource_overrides: Mapping[str, Any] | None = None) -> dg.Definitions:
    """Fresh definitions; tests and notebooks put their own resources in."""
    resources = {
        "storage": StorageResource(),
        "raw": RawLocationResource(),
        "recipe": RecipeResource(),  # every field may be left out
        "pipes": dg.PipesSubprocessClient(
            message_reader=CompleteLineMessageReader(), termination_timeout_seconds=GRACE_S + 6
        ),
    }
    return dg.Definitions(
        assets=ASSETS,
        jobs=JOBS,
        schedules=SCHEDULES,
        sensors=[*sensors(), tell_failures],
        resources={**resources, **(resource_overrides or {})},
        loggers={"progress": progress_logger},
    )


defs = build_defs()
