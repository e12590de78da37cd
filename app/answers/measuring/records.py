"""What an evaluation leaves behind: one record an answer, which comparisons and exports read, and the lines they are kept in."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from assets.corpus.question import AnswerKind
from assets.grading.published import published_scores
from infra.storage import atomic
from model.evaluation.evaluation import gold_recall
from model.types import Outcome, Trajectory

ANSWERS, RESULT, SETTINGS = "answers.jsonl", "evaluation.json", "settings.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerRecord:
    """One rollout of one question, as a line of ``answers.jsonl``."""

    memory: str
    """The arm."""
    id: str
    dataset: str
    question: str
    answer: str
    target: tuple[str, ...]
    correct: bool | None
    """The verdict of whoever graded; None is unscored."""
    attempt: int = 0
    cluster: str = ""
    """Questions of one cluster share a document or film."""
    metric: bool | None = None
    """The verdict of the benchmark's own metric."""
    scores: Mapping[str, float] = field(default_factory=dict)
    """The benchmark's own scores by name, in 0..1."""
    outcome: str = "answered"
    error: str = ""
    tokens: int = 0
    """Of prompts and replies, visual ones included."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    visual_tokens: int = 0
    """Shown; one is 32 x 32 pixels."""
    calls: int = 0
    searches: int = 0
    repeated_searches: int = 0
    rejected: int = 0
    """Replies that were refused."""
    pictures_as_words: int = 0
    """Results with pictures that the model, which reads none, was shown as words."""
    recall: float | None = None
    """Of the gold items; None where there is no gold."""

    @property
    def key(self) -> str:
        """The question, whichever attempt."""
        return self.id


def record_of(arm: str, attempt: int, cluster: str, rollout: Trajectory) -> AnswerRecord:
    """The record of a graded rollout."""
    task, counters = rollout.task, rollout.counters
    recall = gold_recall(rollout)
    can_score = bool(task.answers) or task.kind == AnswerKind.UNANSWERABLE
    return AnswerRecord(
        memory=arm,
        id=task.id,
        dataset=task.dataset,
        question=task.question,
        answer=rollout.answer,
        target=task.answers,
        correct=rollout.correct,
        attempt=attempt,
        cluster=cluster,
        metric=rollout.metric,
        scores=published_scores(
            task.kind, task.dataset, task.answers, rollout.answer, task.choices, question=task.question
        )
        if can_score and rollout.outcome is not Outcome.FAILED
        else {},
        outcome=rollout.outcome.value,
        error=rollout.error,
        tokens=counters.prompt_tokens + counters.completion_tokens,
        prompt_tokens=counters.prompt_tokens,
        completion_tokens=counters.completion_tokens,
        visual_tokens=counters.visual_tokens,
        calls=counters.model_calls,
        searches=counters.searches,
        repeated_searches=counters.repeated_searches,
        rejected=counters.rejected_actions,
        pictures_as_words=counters.pictures_as_words,
        recall=None if math.isnan(recall) else recall,
    )


def write_answers(path: Path, records: Iterable[AnswerRecord]) -> None:
    """One line each; the file is whole or as it was."""
    with atomic.replacing(path) as partial, partial.open("w", encoding="utf-8") as file:
        for record in records:
            file.write(json.dumps(asdict(record), ensure_ascii=False) + "\n")


def read_answers(folder: Path) -> list[AnswerRecord]:
    """The answers of a finished evaluation.

    Raises:
        ValueError: if ``folder`` holds none, or a line of them is damaged.
    """
    path = folder / ANSWERS
    if not path.is_file():
        raise ValueError(
            f"no finished evaluation at {folder}: it has no {ANSWERS}; run vimrag evaluate first"
        )
    known = {each.name for each in fields(AnswerRecord)}
    return list(_records(path, known))


def _records(path: Path, known: set[str]) -> Iterator[AnswerRecord]:
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            try:
                found: dict[str, Any] = json.loads(line)
                told: dict[str, Any] = {name: value for name, value in found.items() if name in known}
                told["target"] = tuple(told["target"])
                yield AnswerRecord(**told)
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                raise ValueError(f"{path}, line {number} is no answer: {error}") from error


def read_result(folder: Path) -> dict[str, Any]:
    """``evaluation.json`` of a finished evaluation; ``ValueError`` if there is none."""
    try:
        found = json.loads((folder / RESULT).read_bytes())
    except (OSError, ValueError) as error:
        raise ValueError(f"no finished evaluation at {folder}: {error}") from error
    if not isinstance(found, dict):
        raise ValueError(f"damaged {folder / RESULT}")
    return found
