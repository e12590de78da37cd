"""An evaluation is graded by the judge that the environment names, else by the datasets' own metrics."""

import asyncio
from pathlib import Path

import pytest

from model.evaluation.judge import JudgeCounts
from model.types import Task
from orchestration.joins import grading
from tests.servers.openai_server import OpenAIServer

TASK = Task(id="squad:q:1", dataset="squad", question="Which code is on the badge?", answers=("41",))


def graded(folder: Path, answers: list[str]) -> tuple[list[bool | None], grading.GradingSession]:
    async def grade() -> tuple[list[bool | None], grading.GradingSession]:
        async with grading.grading(folder) as bench:
            return [await bench.grader.grade(TASK, answer) for answer in answers], bench

    return asyncio.run(grade())


def test_without_a_judge_the_metric_grades(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv(grading.ENDPOINT, raising=False)
    verdicts, bench = graded(tmp_path, ["41", "42"])
    assert verdicts == [True, False]
    assert (bench.name, bench.tally()) == (grading.METRIC, JudgeCounts())


def test_a_judge_grades_and_its_verdicts_are_kept_for_the_next_evaluation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    with OpenAIServer(replies=["The same number.\nGRADE: C", "Another one.\nGRADE: I"]) as server:
        monkeypatch.setenv(grading.ENDPOINT, server.base_url)
        verdicts, bench = graded(tmp_path, ["forty-one", "42"])
        assert verdicts == [True, False]
        assert bench.name.startswith("judge:")
        again, repeated = graded(tmp_path, ["forty-one", "42"])
        assert again == verdicts
        assert repeated.tally().cached == 2
        assert len(server.requests) == 2, "the second evaluation asked nothing"
