"""One method answers the unseen questions: here, or several methods side by side, each in a process of its own.

On a few cores processes with a share of the threads are faster than one process with all of them, for tensors as small as
the miniature's. What a process answers lies in a folder until this one has read it; the order of methods stays.
"""

import asyncio
import json
import math
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from infra.progress import ProgressLogger
from infra.storage.root import Storage
from infra.workers.local import LocalEngine
from model.evaluation.evaluation import Evaluation, evaluate, summarise, with_metric
from model.evaluation.judge import JudgeCounts
from model.evaluation.statistics import Interval
from model.policies.transformers_policy import TransformersPolicy
from model.rl import trajectory_store
from model.rl.rollouts import RolloutPlan, RolloutProgress
from model.types import Task
from orchestration.evaluation.document import METHODS, SAMPLES
from orchestration.joins.adapters import MetricGrader, tasks_of_split
from orchestration.joins.agents import GREEDY, RunContext, load
from orchestration.joins.grading import grading
from orchestration.launch.process import prepare_torch
from orchestration.launch.reporter import ConsoleReporter, Reporter
from orchestration.launch.run_config import RunConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodResult:
    """One method's graded rollouts, who graded them and what the judge did."""

    evaluation: Evaluation
    judge: str
    tally: JudgeCounts


def unseen_questions(storage: Storage, config: RunConfig) -> tuple[Task, ...]:
    """What every method of the run answers, the same for each and in each process."""
    options = config.recipe.evaluation
    return tuple(
        tasks_of_split(
            storage,
            "test",
            datasets=config.recipe.datasets or None,
            per_dataset=options.questions,
            seed=options.seed,
            question_set=config.recipe.question_set,
        )
    )


def answer(
    context: RunContext, name: str, tasks: Sequence[Task], path: Path, verdicts: Path, reporter: Reporter
) -> MethodResult:
    """The graded rollouts of one method with the checkpoint at ``path``; verdicts of a judge lie in ``verdicts``."""
    checkpoint, options, method = load(path), context.recipe.evaluation, METHODS[name]
    encoder = checkpoint.encoder()
    samples = SAMPLES if method.is_sampled else 1
    temperature = context.recipe.ggpo.engine.temperature if method.is_sampled else GREEDY
    policy = TransformersPolicy(checkpoint.model, encoder, context.media, max_batch=options.concurrency)
    agent = context.agent(policy, context.memory(method.memory, encoder), temperature=temperature)
    show_progress = ProgressLogger(reporter.log)
    show_progress(name, 0, len(tasks) * samples)

    def on_progress(rollouts: RolloutProgress) -> None:
        show_progress(name, rollouts.done, rollouts.total)

    plan = RolloutPlan(group_size=samples, concurrency=options.concurrency, seed=options.seed)

    async def run_and_grade() -> MethodResult:
        async with grading(verdicts) as session:
            evaluation = await evaluate(agent, tasks, session.grader, plan, on_progress=on_progress)
            trajectories = await with_metric(evaluation.trajectories, MetricGrader())
            return MethodResult(
                evaluation=replace(evaluation, trajectories=trajectories),
                judge=session.name,
                tally=session.tally(),
            )

    return asyncio.run(run_and_grade())


def told(name: str, result: MethodResult) -> str:
    """``vanilla: 45.1% (38.9% to 52.1%) right, mean of 9 benchmarks``."""
    return f"{name}: {percent(result.evaluation.overall)} right, mean of {len(result.evaluation.datasets)} benchmarks"


def percent(interval: Interval) -> str:
    """An accuracy with its interval, or that nothing was scored."""
    if math.isnan(interval.estimate):
        return "nothing scored"
    return f"{interval.estimate:.1%} ({interval.low:.1%} to {interval.high:.1%})"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answering:
    """What a process is told; called there it opens the root, and gives what answers a method."""

    config: RunConfig
    index: str
    """Fingerprint of the index that all methods search."""
    checkpoints: Mapping[str, Path]
    """By kind."""
    verdicts: Path
    folder: Path
    """Where the answers go, a file of rollouts and one of counts a method."""

    def __call__(self) -> "_Answers":
        threads = max(1, self.config.recipe.threads // self.config.recipe.evaluation.workers)
        prepare_torch(replace(self.config, recipe=replace(self.config.recipe, threads=threads)))
        storage = Storage(self.config.root)
        context = RunContext.open(storage, self.config.recipe)
        if context.retriever.fingerprint != self.index:
            raise ValueError("the index was replaced while the evaluation began: run it again")
        return _Answers(self, context, unseen_questions(storage, self.config))


class _Answers:
    """Answers one method after another, in a process of the pool."""

    def __init__(self, told: _Answering, context: RunContext, tasks: Sequence[Task]) -> None:
        self._told, self._context, self._tasks = told, context, tasks

    def __call__(self, name: str) -> int:
        given = self._told
        path = given.checkpoints[METHODS[name].checkpoint]
        result = answer(self._context, name, self._tasks, path, given.verdicts, ConsoleReporter())
        counts = {"judge": result.judge, "tally": asdict(result.tally)}
        (given.folder / f"{name}.json").write_text(json.dumps(counts))
        return trajectory_store.write(given.folder / f"{name}.parquet", result.evaluation.trajectories)


def side_by_side(
    config: RunConfig, context: RunContext, checkpoints: Mapping[str, Path], verdicts: Path
) -> Iterator[tuple[str, MethodResult]]:
    """Every method's result in the order of the recipe, ``config.recipe.evaluation.workers`` of them answered at once.

    Their progress goes to standard error.

    Raises:
        EngineError: if its processes die again and again.
        ValueError: if another index is published meanwhile.
    """
    options = config.recipe.evaluation
    with tempfile.TemporaryDirectory(prefix="vimrag-answers-") as folder:
        make = _Answering(
            config=config,
            index=context.retriever.fingerprint,
            checkpoints=checkpoints,
            verdicts=verdicts,
            folder=Path(folder),
        )
        slowest_first = sorted(options.methods, key=lambda name: not METHODS[name].is_sampled)
        for _ in LocalEngine(workers=options.workers).run(make, slowest_first):
            pass
        for name in options.methods:
            counts = json.loads((Path(folder) / f"{name}.json").read_text())
            trajectories = tuple(trajectory_store.read(Path(folder) / f"{name}.parquet"))
            yield (
                name,
                MethodResult(
                    evaluation=summarise(trajectories),
                    judge=counts["judge"],
                    tally=JudgeCounts(**counts["tally"]),
                ),
            )
