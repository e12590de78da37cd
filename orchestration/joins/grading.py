"""The judge of an evaluation or a training run: a served model where the environment names one, else each dataset's own metric.

``VIMRAG_JUDGE_ENDPOINT`` is its address up to and with the version (``http://127.0.0.1:8000/v1``), ``VIMRAG_JUDGE_MODEL`` the
model, by default the only one the server lists, ``VIMRAG_JUDGE_API_KEY`` its key. Verdicts are kept in one file a run, so that a
repeated evaluation pays for new answers only.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from infra.llm.client import ChatClient
from infra.llm.errors import EndpointUnavailableError
from infra.llm.types import ChatSettings
from infra.storage.key_value import KeyValueFile
from model.evaluation.judge import JudgeCounts, JudgeGrader
from model.protocols import Grader
from orchestration.joins.adapters import MetricGrader

ENDPOINT, MODEL, API_KEY = "VIMRAG_JUDGE_ENDPOINT", "VIMRAG_JUDGE_MODEL", "VIMRAG_JUDGE_API_KEY"
VERDICTS = "verdicts.sqlite"
METRIC = "the datasets' own metrics"


@dataclass(frozen=True, slots=True, kw_only=True)
class GradingSession:
    """Who grades, and what a report says of it once all is graded."""

    grader: Grader
    judge: JudgeGrader | None = None

    @property
    def name(self) -> str:
        """The judge's fingerprint, or that there is none."""
        return METRIC if self.judge is None else self.judge.fingerprint

    def tally(self) -> JudgeCounts:
        """What the judge did; zeros without one."""
        return JudgeCounts() if self.judge is None else self.judge.tally


@asynccontextmanager
async def grading(folder: Path, *, ask_judge: bool = True) -> AsyncIterator[GradingSession]:
    """The grader of one event loop; verdicts of a judge lie in ``folder``. Without ``ask_judge`` it is the metric in any case.

    Raises:
        RequestRefusedError: by the endpoint, for a wrong key or model.
    """
    if not ask_judge or not (url := os.environ.get(ENDPOINT, "")):
        yield GradingSession(grader=MetricGrader())
        return
    settings = ChatSettings(
        base_url=url, model=os.environ.get(MODEL, ""), api_key=os.environ.get(API_KEY) or None
    )
    client, verdicts = ChatClient(settings), KeyValueFile(folder / VERDICTS)
    try:
        judge = JudgeGrader(
            client, model=await client.model(), cache=verdicts, failures=(EndpointUnavailableError,)
        )
        yield GradingSession(grader=judge, judge=judge)
    finally:
        verdicts.close()
        await client.close()
