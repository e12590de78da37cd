"""Every method of a recipe on the same unseen questions: rollouts, verdicts, intervals, paired comparisons.

Writes the rollouts to ``trajectories/<run>`` and one JSON document to ``metrics/<run>/evaluation.json``, which is all that the
report needs. A method is a memory policy with a checkpoint's weights.
"""

import asyncio
import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from infra.storage.manifest import publish
from infra.storage.root import Storage
from memory_graph.drawing.svg import draw
from memory_graph.linearise import linearise
from model.agent.graph_state import allocation_of, graph_state, node_notes
from model.agent.limits import BY_PROFILE
from model.agent.memory.registry import MEMORIES, TRAINED
from model.evaluation.agreement import agreement
from model.evaluation.evaluation import Evaluation, PairedComparison, compare, evaluate, noted, table
from model.evaluation.spending import Spending, StepMean, saving, spending
from model.evaluation.statistics import Interval
from model.policies.image_uris import data_uri
from model.policies.transformers_policy import TransformersPolicy
from model.rl import trajectory_store
from model.rl.rollouts import RolloutPlan, RolloutProgress
from model.types import Task, Trajectory
from orchestration.joins.adapters import MetricGrader, tasks_of_split
from orchestration.joins.agents import GREEDY, RunContext, chosen, load
from orchestration.joins.grading import METRIC, grading
from orchestration.launch.process import run_script
from orchestration.launch.reporter import Reporter, finite, progress
from orchestration.launch.run_config import RunConfig
from orchestration.launch.synced_directory import SyncedDirectory

DOCUMENT = "evaluation.json"
SCHEMA_VERSION = 1
EXAMPLES_PER_DATASET = 2
THUMBNAIL = 160  # pixels a side of the pictures in a drawing


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One row of the table: ``weights`` is ``cold_start`` or ``ggpo``, ``memory`` a memory policy."""

    weights: str
    memory: str


_BASELINES = tuple(name for name in MEMORIES if name not in ("vimrag", TRAINED))
METHODS = {
    **{name: Method(weights="cold_start", memory=name) for name in _BASELINES},
    "cold_start": Method(weights="cold_start", memory="vimrag"),
    "ggpo": Method(weights="ggpo", memory="vimrag"),
}
REFERENCE = "cold_start"  # what the spending of every other method is compared with
COMPARED = (*((name, REFERENCE) for name in _BASELINES), (REFERENCE, "ggpo"))


def run(config: RunConfig, reporter: Reporter) -> None:
    """Evaluate all methods and publish what came out."""
    storage, plan = Storage(config.root), config.recipe.evaluation
    if unknown := [name for name in plan.methods if name not in METHODS]:
        raise ValueError(f"unknown methods {unknown}; known: {', '.join(METHODS)}")
    tasks = tasks_of_split(storage, "test", per_dataset=plan.questions, seed=plan.seed)
    reporter.say(f"{len(tasks)} unseen questions for each of {', '.join(plan.methods)}")
    world = RunContext.open(storage, config.recipe)
    with (
        SyncedDirectory(storage, config.cold_start_checkpoints) as cold_start,
        SyncedDirectory(storage, config.ggpo_checkpoints) as ggpo,
        SyncedDirectory(storage, config.metrics) as metrics,
    ):
        verdicts = metrics.pull()
        mirrors = {"cold_start": cold_start, "ggpo": ggpo}
        answers = {}
        for name in plan.methods:
            folder = mirrors[METHODS[name].weights].pull()
            path = chosen(folder, what=METHODS[name].weights)
            answers[name] = _answer(world, name, tasks, path, verdicts, reporter)
        metrics.push()
    results = {name: each.evaluation for name, each in answers.items()}
    document = summarise(results, config, world)
    document["judging"] = {name: _judging(each) for name, each in answers.items()}
    _store(storage, config, results, document)
    reporter.finish(_metadata(document))


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodResult:
    """One method's results, who graded them and what the judge did."""

    evaluation: Evaluation
    judge: str
    tally: Mapping[str, Any]


def _judging(answered: MethodResult) -> dict[str, Any]:
    """Who graded, what the judge did, and how far it agrees with the datasets' own metrics."""
    trajectories = answered.evaluation.trajectories
    agreed = agreement([each.correct for each in trajectories], [each.metric for each in trajectories])
    beside = {} if answered.judge == METRIC else {"agreement_with_metric": finite(agreed._asdict())}
    return {"judge": answered.judge, "tally": dict(answered.tally), **beside}


def _answer(
    world: RunContext, name: str, tasks: Sequence[Task], path: Path, verdicts: Path, reporter: Reporter
) -> MethodResult:
    weights = load(path)
    encoder = weights.encoder()
    policy = TransformersPolicy(
        weights.model, encoder, world.media, max_batch=world.recipe.evaluation.concurrency
    )
    agent = world.agent(policy, world.memory(METHODS[name].memory, encoder), temperature=GREEDY)
    plan, shown = world.recipe.evaluation, progress(reporter)
    shown(name, 0, len(tasks))

    def on_progress(now: RolloutProgress) -> None:
        shown(name, now.done, now.total)

    collection = RolloutPlan(concurrency=plan.concurrency, seed=plan.seed)

    async def run_and_grade() -> MethodResult:
        async with grading(verdicts) as bench:
            found = await evaluate(agent, tasks, bench.grader, collection, on_progress=on_progress)
            both = replace(found, trajectories=await noted(found.trajectories, MetricGrader()))
            return MethodResult(evaluation=both, judge=bench.name, tally=bench.tally())

    answered = asyncio.run(run_and_grade())
    result = answered.evaluation
    reporter.say(f"{name}: {_percent(result.overall)} right, mean of {len(result.datasets)} benchmarks")
    return answered


def summarise(results: dict[str, Evaluation], config: RunConfig, world: RunContext) -> dict[str, Any]:
    """The document: scores a method and dataset, each method against the one before it, examples."""
    names = list(results)
    return {
        "schema_version": SCHEMA_VERSION,
        "run": config.name,
        "index": world.retriever.fingerprint,
        "questions": len(results[names[0]].trajectories),
        "methods": [_method(name, results[name]) for name in names],
        "comparisons": [
            _comparison(before, after, compare(results[before].trajectories, results[after].trajectories))
            for before, after in COMPARED
            if before in results and after in results
        ],
        "savings": [
            _saving(name, results[REFERENCE], results[name])
            for name in names
            if name != REFERENCE and REFERENCE in results
        ],
        "examples": [example for name in names[-1:] for example in _examples(name, results[name], world)],
    }


def _method(name: str, result: Evaluation) -> dict[str, Any]:
    policies = sorted({t.policy for t in result.trajectories if t.policy})
    rows = [finite(row) for row in table(result)]
    return {
        "name": name,
        "overall": finite(result.overall._asdict()),
        "datasets": rows,
        "policies": policies,
        "spending": _spending(spending(result.trajectories)),
    }


def _spending(found: Spending) -> dict[str, Any]:
    return {
        **{name: finite(getattr(found, name)._asdict()) for name in ("tokens", "searches", "repeats")},
        "tokens_by_call": [_step(each) for each in found.tokens_by_call],
        "repeats_by_search": [_step(each) for each in found.repeats_by_search],
    }


def _step(each: StepMean) -> dict[str, Any]:
    return {"step": each.step, "rollouts": each.rollouts, **finite(each.mean._asdict())}


def _saving(name: str, reference: Evaluation, other: Evaluation) -> dict[str, Any]:
    found = saving(reference.trajectories, other.trajectories)
    return {
        "method": name,
        "against": REFERENCE,
        "questions": found.questions,
        "tokens": finite(found.tokens._asdict()),
        "repeats": finite(found.repeats._asdict()),
    }


def _comparison(before: str, after: str, found: PairedComparison) -> dict[str, Any]:
    return {
        "before": before,
        "after": after,
        "questions": found.questions,
        "difference": finite(found.difference._asdict()),
        "p_value": found.p_value,
        "datasets": {name: finite(interval._asdict()) for name, interval in found.datasets.items()},
    }


def _examples(name: str, result: Evaluation, world: RunContext) -> list[dict[str, Any]]:
    taken: dict[tuple[str, bool | None], int] = {}
    examples = []
    for trajectory in result.trajectories:
        key = (trajectory.task.dataset, trajectory.correct)
        taken[key] = taken.get(key, 0) + 1
        if taken[key] * 2 <= EXAMPLES_PER_DATASET:
            examples.append(_example(name, trajectory, world))
    return examples


def _example(name: str, trajectory: Trajectory, world: RunContext) -> dict[str, Any]:
    return {
        "dataset": trajectory.task.dataset,
        "question": trajectory.task.question,
        "references": list(trajectory.task.answers),
        "method": name,
        "answer": trajectory.answer,
        "correct": trajectory.correct,
        "memory": linearise(trajectory.graph),
        "drawing": _drawn(trajectory, world),
    }


def _drawn(trajectory: Trajectory, world: RunContext) -> str:
    """The graph with its energies, grants and small pictures, as SVG without a style of its own."""

    def thumbnail(item_id: str, time_s: float | None) -> str | None:
        picture = world.media.image(item_id) if time_s is None else world.media.frame(item_id, time_s)
        small = picture.copy()
        small.thumbnail((THUMBNAIL, THUMBNAIL))
        return data_uri(small)

    limits, allocation = BY_PROFILE[world.recipe.profile], allocation_of(trajectory.memory)
    stand = graph_state(trajectory.graph, limits=limits, allocation=allocation, titles={})
    return draw(trajectory.graph, notes=node_notes(stand, thumbnail), embedded=True)


def _store(
    storage: Storage, config: RunConfig, results: dict[str, Evaluation], document: dict[str, Any]
) -> None:
    made = {"producer": "orchestration.launch.evaluate/1", "params": {"run": config.name}}
    with publish(storage, config.trajectories, **made, inputs={"index": document["index"]}) as published:
        for name, result in results.items():
            published.counts[name] = trajectory_store.write(
                published.directory / f"{name}.parquet", result.trajectories
            )
    data = json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False).encode()
    storage.write_bytes(f"{config.metrics}/{DOCUMENT}", data)


def _metadata(document: dict[str, Any]) -> dict[str, Any]:
    overall = {f"accuracy_{each['name']}": each["overall"]["estimate"] for each in document["methods"]}
    gains = {
        f"gain_{each['after']}_over_{each['before']}": each["difference"]["estimate"]
        for each in document["comparisons"]
    }
    return {**overall, **gains, "questions": document["questions"], "index": document["index"]}


def _percent(interval: Interval) -> str:
    if math.isnan(interval.estimate):
        return "nothing scored"
    return f"{interval.estimate:.1%} ({interval.low:.1%} to {interval.high:.1%})"


def main(argv: Sequence[str] | None = None) -> int:
    """Command line."""
    return run_script(run, description="Answer the test questions with every method.", argv=argv)


if __name__ == "__main__":
    sys.exit(main())
