"""A model, served or of this machine, measured on the questions of a root: arm after arm, resumable to the rollout.

Each rollout is a file as soon as it has ended; one that failed for reasons of machines is tried again by the next run and is
unscored until then, never wrong. The documents at the end depend on the rollouts alone, so that a run that was killed and went on
leaves the same bytes.
"""

import asyncio
import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from app.answers.agent import require_memory
from app.answers.measuring.arms import Opener
from app.answers.measuring.comparing import agreement_of, clustered_accuracy, compare_pairs, finite
from app.answers.measuring.records import ANSWERS, RESULT, SETTINGS, AnswerRecord, record_of, write_answers
from app.answers.models import AnswerModel
from app.errors import UsageError
from infra.storage import atomic
from model.agent.loop import Agent, derived_seed
from model.evaluation.evaluation import Evaluation, grade_all, summarise
from model.rl import trajectory_store
from model.rl.rollouts import rollout
from model.types import Outcome, Task, Trajectory
from orchestration.joins.adapters import MetricGrader
from orchestration.joins.grading import METRIC, GradingSession, grading
from orchestration.study.arms import Arm

NAMED_FAILURES = 5  # kinds of failures that a result tells


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationPlan:
    """What is measured, and what it may cost."""

    arms: tuple[Arm, ...] = (Arm(name="vimrag", memory="vimrag"),)
    """The first is compared with each of the others."""
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
        for arm in self.arms:
            require_memory(arm.memory)
        if min(self.attempts, self.concurrency) < 1 or self.timeout_s <= 0 or not self.arms:
            raise UsageError(
                f"an evaluation needs memory policies, attempts, rollouts at once and time: {self}"
            )
        if len({arm.name for arm in self.arms}) < len(self.arms):
            raise UsageError(f"an arm is named twice: {', '.join(arm.name for arm in self.arms)}")


class Spent(NamedTuple):
    """What rollouts took."""

    rollouts: int
    tokens: int
    cost: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationResult:
    """Graded rollouts by arm, who graded, and what was left undone."""

    evaluations: Mapping[str, Evaluation]
    records: Mapping[str, tuple[AnswerRecord, ...]]
    judge: str
    model: str
    index: str
    left: int
    """Rollouts that were not begun, because the cap was reached."""
    spent: Spent
    """By all rollouts that are kept."""
    spent_now: Spent
    """By those of this run."""
    notes: Mapping[str, tuple[str, ...]]
    """Dataset -> what a reader of its figures must know."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    labels: Mapping[str, bool] = field(default_factory=dict)
    """Question -> whether a person called the first arm's answer right."""

    def document(self) -> dict[str, Any]:
        """What ``evaluation.json`` holds: a function of the rollouts alone."""
        return {
            "model": self.model,
            "index": self.index,
            "judge": self.judge,
            "left": self.left,
            "spent": self.spent._asdict(),
            "notes": {name: list(notes) for name, notes in self.notes.items()},
            "memories": {name: self._arm(name) for name in self.evaluations},
            "comparisons": list(self.comparisons()),
            **self.extra,
        }

    def to_json(self) -> dict[str, Any]:
        """What ``--json`` prints."""
        return {**self.document(), "spent_now": self.spent_now._asdict()}

    def comparisons(self) -> Iterator[dict[str, Any]]:
        """The first arm minus each of the others over the questions both have, clustered, with Holm's p-values."""
        first, *others = self.records
        pairs = [(first, self.records[first], name, self.records[name]) for name in others]
        for pair in compare_pairs(pairs):
            yield {**pair.to_json(), "line": pair.line}

    def failures(self, name: str) -> dict[str, int]:
        """Why rollouts of an arm are unscored: the beginning of each error, and how often."""
        counts = Counter(record.error[:200] for record in self.records[name] if record.correct is None)
        return dict(counts.most_common(NAMED_FAILURES))

    def blind(self, name: str) -> int:
        """Rollouts of an arm that found pictures and were shown words, because the model reads none."""
        return sum(record.pictures_as_words > 0 for record in self.records[name])

    def _arm(self, name: str) -> dict[str, Any]:
        evaluation, records = self.evaluations[name], self.records[name]
        clustered, clusters = clustered_accuracy(records)
        arm: dict[str, Any] = {
            "overall": finite(asdict(evaluation.overall)),
            "questions_mean": {**finite(asdict(clustered)), "clusters": clusters},
            "datasets": [
                {**finite(asdict(score)), **_of_dataset(score.dataset, records)}
                for score in evaluation.datasets
            ],
            "unscored": self.failures(name),
            "pictures_as_words": self.blind(name),
        }
        if self.judge != METRIC:
            arm["agreement_with_metric"] = agreement_of(records)
        if self.labels and name == next(iter(self.records)):
            arm["agreement_with_people"] = agreement_of(records, self.labels)
        return arm


def _of_dataset(dataset: str, records: Sequence[AnswerRecord]) -> dict[str, Any]:
    """The interval over documents, and the means of the benchmark's own scores."""
    own = [record for record in records if record.dataset == dataset]
    clustered, clusters = clustered_accuracy(own)
    names = sorted({name for record in own for name in record.scores})
    values = {name: [record.scores[name] for record in own if name in record.scores] for name in names}
    return {
        "clustered": {**finite(asdict(clustered)), "clusters": clusters},
        "scores": {name: sum(each) / len(each) for name, each in values.items()},
    }


async def evaluate_model(  # noqa: PLR0913 - what is measured, where it is kept, and what is said
    opener: Opener,
    model: AnswerModel,
    tasks: Sequence[Task],
    plan: EvaluationPlan,
    folder: Path,
    *,
    index: str,
    clusters: Mapping[str, str],
    notes: Mapping[str, tuple[str, ...]],
    progress: Callable[[str, int, int | None], None],
    extra: Mapping[str, Any] | None = None,
    labels: Mapping[str, bool] | None = None,
) -> EvaluationResult:
    """Answer every question in every arm, grade, and write the result to ``folder``.

    Raises:
        UsageError: if ``folder`` holds an evaluation of something else; the text says what differs.
    """
    _begin(folder, index, model, tasks, plan)
    budget = _Budget(plan, model)
    answered: dict[str, list[tuple[int, Trajectory]]] = {}
    left = 0
    for arm in plan.arms:
        answered[arm.name], skipped = await _answers(
            arm.name, opener.open(arm), tasks, plan, folder / "rollouts" / arm.name, budget, progress
        )
        left += skipped
    async with grading(folder) as session:
        graded = {name: await _graded(each, session) for name, each in answered.items()}
        judge = session.name
    everything = [rollout_ for rollouts in graded.values() for _, rollout_ in rollouts]
    result = EvaluationResult(
        evaluations={name: summarise([each for _, each in rollouts]) for name, rollouts in graded.items()},
        records={
            name: tuple(
                record_of(name, attempt, clusters.get(each.task.id, each.task.id), each)
                for attempt, each in rollouts
            )
            for name, rollouts in graded.items()
        },
        judge=judge,
        model=model.name,
        index=index,
        left=left,
        spent=_spent(everything, model),
        spent_now=budget.spent,
        notes=notes,
        extra=extra or {},
        labels=labels or {},
    )
    _write(folder, result)
    return result


def _spent(rollouts: Sequence[Trajectory], model: AnswerModel) -> Spent:
    prompt = sum(each.counters.prompt_tokens for each in rollouts)
    completion = sum(each.counters.completion_tokens for each in rollouts)
    return Spent(len(rollouts), prompt + completion, model.cost(prompt, completion))


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


async def _answers(  # noqa: PLR0913 - one arm, its questions, and where its rollouts go
    name: str,
    agent: Agent,
    tasks: Sequence[Task],
    plan: EvaluationPlan,
    folder: Path,
    budget: _Budget,
    progress: Callable[[str, int, int | None], None],
) -> tuple[list[tuple[int, Trajectory]], int]:
    """The rollouts of one arm with their attempts, and how many the cap left undone."""
    slots = [(task, attempt) for task in tasks for attempt in range(plan.attempts)]
    done = _kept(slots, folder)
    total, open_ = len(slots), iter([slot for slot in slots if (slot[0].id, slot[1]) not in done])
    progress(name, len(done), total)

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
            progress(name, len(done), total)

    async with asyncio.TaskGroup() as workers:
        for _ in range(plan.concurrency):
            workers.create_task(work())
    ordered = [(task.id, attempt) for task, attempt in slots]
    return [(key[1], done[key]) for key in ordered if key in done], total - len(done)


def _kept(slots: Sequence[tuple[Task, int]], folder: Path) -> dict[tuple[str, int], Trajectory]:
    """The rollouts that an earlier run ended."""
    folder.mkdir(parents=True, exist_ok=True)
    kept: dict[tuple[str, int], Trajectory] = {}
    for task, attempt in slots:
        if (path := folder / _name(task, attempt)).is_file():
            [kept[task.id, attempt]] = trajectory_store.read(path)
    return kept


async def _graded(
    rollouts: Sequence[tuple[int, Trajectory]], session: GradingSession
) -> list[tuple[int, Trajectory]]:
    graded = await grade_all([each for _, each in rollouts], session.grader, metric=MetricGrader())
    return [(attempt, each) for (attempt, _), each in zip(rollouts, graded, strict=True)]


def _name(task: Task, attempt: int) -> str:
    return f"{hashlib.sha256(task.id.encode()).hexdigest()[:24]}-{attempt}.parquet"


def _begin(folder: Path, index: str, model: AnswerModel, tasks: Sequence[Task], plan: EvaluationPlan) -> None:
    """Note what is evaluated, or refuse to mix it with something else; arms may be added."""
    ids = "\n".join(sorted(task.id for task in tasks))
    wanted: dict[str, Any] = {
        "model": model.name,
        "index": index,
        "questions": hashlib.sha256(ids.encode()).hexdigest()[:16],
        "seed": plan.seed,
        "temperature": model.sampling.temperature,
    }
    arms = {arm.name: arm.to_json() for arm in plan.arms}
    path = folder / SETTINGS
    if path.is_file():
        known = json.loads(path.read_bytes())
        different = [name for name, value in wanted.items() if known.get(name) != value]
        known_arms: dict[str, Any] = known.get("arms", {})
        different += [f"arm {name!r}" for name, arm in arms.items() if known_arms.get(name, arm) != arm]
        if different:
            raise UsageError(
                f"{folder} holds another evaluation: {', '.join(different)} differ{'s' if different == ['model'] else ''}; "
                "give --name for this one, or remove it"
            )
        arms = {**known_arms, **arms}
    folder.mkdir(parents=True, exist_ok=True)
    with atomic.replacing(path) as partial:
        partial.write_text(json.dumps({**wanted, "arms": arms}, indent=1) + "\n")


def _write(folder: Path, result: EvaluationResult) -> None:
    with atomic.replacing(folder / RESULT) as partial:
        partial.write_text(json.dumps(result.document(), indent=1, sort_keys=True) + os.linesep)
    write_answers(folder / ANSWERS, [record for records in result.records.values() for record in records])
