"""A model, served or of this machine, measured on the questions of a root: every memory policy, resumable to the rollout.

Each rollout is a file as soon as it has ended; one that failed for reasons of machines is tried again by the next run and is
unscored until then, never wrong.
"""

import asyncio
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from app.answers.agent import open_agent, require_memory
from app.answers.corpus_handle import Snapshot
from app.answers.models import AnswerModel
from app.errors import UsageError
from infra.storage import atomic
from model.agent.loop import Agent, derived_seed
from model.evaluation.evaluation import Evaluation, compare, grade_all, summarise
from model.evaluation.statistics import holm
from model.rl import trajectory_store
from model.rl.rollouts import rollout
from model.types import Outcome, Task, Trajectory
from orchestration.joins.adapters import MetricGrader
from orchestration.joins.grading import GradingSession, grading

SETTINGS, RESULT, ANSWERS = "settings.json", "evaluation.json", "answers.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationPlan:
    """What is measured, and what it may cost."""

    memories: tuple[str, ...] = ("vimrag",)
    """Memory policies; the first is compared with each of the others."""
    attempts: int = 1
    """Rollouts of a question."""
    seed: int = 0
    concurrency: int = 8
    """Rollouts under way at once."""
    timeout_s: float = 900.0
    """A rollout that takes longer has failed."""
    max_tokens: int | None = None
    """Read and written by all rollouts of this run together; none is begun beyond it."""
    max_cost: float | None = None
    """The same in money, by the prices that were given."""

    def __post_init__(self) -> None:
        for memory in self.memories:
            require_memory(memory)
        if min(self.attempts, self.concurrency) < 1 or self.timeout_s <= 0 or not self.memories:
            raise UsageError(
                f"an evaluation needs memory policies, attempts, rollouts at once and time: {self}"
            )


class Spent(NamedTuple):
    """What the rollouts of this run took."""

    rollouts: int
    tokens: int
    cost: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationResult:
    """Graded rollouts by memory policy, who graded, and what was left undone."""

    evaluations: Mapping[str, Evaluation]
    judge: str
    model: str
    index: str
    left: int
    """Rollouts that were not begun, because the cap was reached."""
    spent: Spent
    notes: Mapping[str, tuple[str, ...]]
    """Dataset -> what a reader of its figures must know."""

    def to_json(self) -> dict[str, Any]:
        """What ``--json`` prints and ``evaluation.json`` holds."""
        return {
            "model": self.model,
            "index": self.index,
            "judge": self.judge,
            "left": self.left,
            "spent": self.spent._asdict(),
            "notes": dict(self.notes),
            "memories": {
                name: {
                    "overall": _finite(asdict(each.overall)),
                    "datasets": [_finite(asdict(score)) for score in each.datasets],
                }
                for name, each in self.evaluations.items()
            },
            "comparisons": list(self.comparisons()),
        }

    def comparisons(self) -> Iterator[dict[str, Any]]:
        """The first policy minus each of the others over the questions both have, with Holm's p-values."""
        first, *others = self.evaluations
        pairs = [
            compare(self.evaluations[name].trajectories, self.evaluations[first].trajectories)
            for name in others
        ]
        adjusted = holm([pair.p_value for pair in pairs])
        for name, pair, p_value in zip(others, pairs, adjusted, strict=True):
            difference = _finite(asdict(pair.difference))
            yield {
                "of": first,
                "against": name,
                "questions": pair.questions,
                "difference": difference,
                "p_holm": p_value,
            }


async def evaluate_model(  # noqa: PLR0913 - what is measured, where it is kept, and what is said
    snapshot: Snapshot,
    model: AnswerModel,
    tasks: Sequence[Task],
    plan: EvaluationPlan,
    folder: Path,
    *,
    notes: Mapping[str, tuple[str, ...]],
    progress: Callable[[str, int, int | None], None],
) -> EvaluationResult:
    """Answer every question under every memory policy, grade, and write the result to ``folder``.

    Raises:
        UsageError: if ``folder`` holds an evaluation of something else; the text says what differs.
    """
    _begin(folder, snapshot, model, tasks, plan)
    budget = _Budget(plan, model)
    answered: dict[str, list[Trajectory]] = {}
    left = 0
    for memory in plan.memories:
        agent = replace(open_agent(snapshot, model, memory), for_reader=False)  # replies as they come
        answered[memory], skipped = await _answers(
            agent, tasks, plan, folder / "rollouts" / memory, budget, progress
        )
        left += skipped
    async with grading(folder) as session:
        graded = {memory: await _graded(each, session) for memory, each in answered.items()}
        judge = session.name
    result = EvaluationResult(
        evaluations={memory: summarise(each) for memory, each in graded.items()},
        judge=judge,
        model=model.name,
        index=snapshot.version,
        left=left,
        spent=budget.spent,
        notes=notes,
    )
    _write(folder, result)
    return result


class _Budget:
    """What was spent, and whether another rollout may begin."""

    def __init__(self, plan: EvaluationPlan, model: AnswerModel) -> None:
        self._plan, self._model = plan, model
        self._rollouts = self._prompt = self._completion = 0

    def add(self, trajectory: Trajectory) -> None:
        self._rollouts += 1
        self._prompt += trajectory.counters.prompt_tokens
        self._completion += trajectory.counters.completion_tokens

    @property
    def spent(self) -> Spent:
        cost = self._model.cost(self._prompt, self._completion)
        return Spent(self._rollouts, self._prompt + self._completion, cost)

    @property
    def is_left(self) -> bool:
        spent, plan = self.spent, self._plan
        within_tokens = plan.max_tokens is None or spent.tokens < plan.max_tokens
        return within_tokens and (plan.max_cost is None or (spent.cost or 0.0) < plan.max_cost)


async def _answers(
    agent: Agent,
    tasks: Sequence[Task],
    plan: EvaluationPlan,
    folder: Path,
    budget: _Budget,
    progress: Callable[[str, int, int | None], None],
) -> tuple[list[Trajectory], int]:
    """The rollouts of one memory policy, and how many the cap left undone."""
    slots = [(task, attempt) for task in tasks for attempt in range(plan.attempts)]
    done = _kept(slots, folder)
    total, open_ = len(slots), iter([slot for slot in slots if (slot[0].id, slot[1]) not in done])
    progress(agent.memory.name, len(done), total)

    async def work() -> None:
        for task, attempt in open_:
            if not budget.is_left:
                return
            seed = derived_seed(plan.seed, task.id, attempt)
            ended = await rollout(agent, task, seed, plan.timeout_s)
            budget.add(ended)
            done[task.id, attempt] = ended
            if ended.outcome is not Outcome.FAILED:
                with atomic.replacing(folder / _name(task, attempt)) as partial:
                    trajectory_store.write(partial, [ended])
            progress(agent.memory.name, len(done), total)

    async with asyncio.TaskGroup() as workers:
        for _ in range(plan.concurrency):
            workers.create_task(work())
    ordered = [(task.id, attempt) for task, attempt in slots]
    return [done[key] for key in ordered if key in done], total - len(done)


def _kept(slots: Sequence[tuple[Task, int]], folder: Path) -> dict[tuple[str, int], Trajectory]:
    """The rollouts that an earlier run ended."""
    folder.mkdir(parents=True, exist_ok=True)
    kept: dict[tuple[str, int], Trajectory] = {}
    for task, attempt in slots:
        if (path := folder / _name(task, attempt)).is_file():
            [kept[task.id, attempt]] = trajectory_store.read(path)
    return kept


async def _graded(trajectories: Sequence[Trajectory], session: GradingSession) -> tuple[Trajectory, ...]:
    return await grade_all(trajectories, session.grader, metric=MetricGrader())


def _name(task: Task, attempt: int) -> str:
    return f"{hashlib.sha256(task.id.encode()).hexdigest()[:24]}-{attempt}.parquet"


def _begin(
    folder: Path, snapshot: Snapshot, model: AnswerModel, tasks: Sequence[Task], plan: EvaluationPlan
) -> None:
    """Note what is evaluated, or refuse to mix it with something else."""
    ids = "\n".join(sorted(task.id for task in tasks))
    wanted = {
        "model": model.name,
        "index": snapshot.version,
        "questions": hashlib.sha256(ids.encode()).hexdigest()[:16],
        "seed": plan.seed,
        "temperature": model.sampling.temperature,
    }
    path = folder / SETTINGS
    if path.is_file():
        known = json.loads(path.read_bytes())
        if different := [name for name, value in wanted.items() if known.get(name) != value]:
            raise UsageError(
                f"{folder} holds an evaluation with another {', '.join(different)}; give --name for this one, or remove it"
            )
        return
    folder.mkdir(parents=True, exist_ok=True)
    with atomic.replacing(path) as partial:
        partial.write_text(json.dumps(wanted, indent=1) + "\n")


def _write(folder: Path, result: EvaluationResult) -> None:
    with atomic.replacing(folder / RESULT) as partial:
        partial.write_text(json.dumps(result.to_json(), indent=1, sort_keys=True) + os.linesep)
    with atomic.replacing(folder / ANSWERS) as partial, partial.open("w", encoding="utf-8") as file:
        for memory, evaluation in result.evaluations.items():
            for each in evaluation.trajectories:
                file.write(json.dumps(_answer_record(memory, each), ensure_ascii=False) + "\n")


def _answer_record(memory: str, each: Trajectory) -> dict[str, Any]:
    return {
        "memory": memory,
        "id": each.task.id,
        "dataset": each.task.dataset,
        "question": each.task.question,
        "answer": each.answer,
        "target": list(each.task.answers),
        "correct": each.correct,
        "metric": each.metric,
        "outcome": each.outcome.value,
        "error": each.error,
        "tokens": each.counters.prompt_tokens + each.counters.completion_tokens,
        "searches": each.counters.searches,
    }


def _finite(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers that are not known become None, for JSON has none."""

    def known(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: known(each) for name, each in value.items()}
        return None if isinstance(value, float) and not abs(value) < float("inf") else value

    return {name: known(value) for name, value in fields.items()}
