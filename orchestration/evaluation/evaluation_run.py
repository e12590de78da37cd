"""Evaluation of a run: every method of the recipe answers the same unseen questions and is graded.

Writes the rollouts to ``trajectories/<run>`` and the document to ``metrics/<run>``. A method is a memory policy with the
checkpoint that answers.
"""

from collections.abc import Mapping

from assets.index.retention import remove_replaced
from infra.reporting.report import ReportExample
from infra.storage.publication import publish
from infra.storage.root import Storage
from memory_graph.drawing.svg import draw
from memory_graph.linearise import linearise
from model.agent.graph_state import graph_state, node_notes
from model.evaluation.evaluation import Evaluation
from model.evaluation.statistics import agreement
from model.policies.image_uris import image_uri
from model.rl import trajectory_store
from model.types import Trajectory
from orchestration.evaluation.answering import MethodResult, answer, side_by_side, told, unseen_questions
from orchestration.evaluation.document import (
    DOCUMENT,
    METHODS,
    EvaluationDocument,
    Judging,
    comparisons,
    method_scores,
    savings,
)
from orchestration.joins.agents import RunContext, best_checkpoint
from orchestration.joins.grading import METRIC
from orchestration.launch.reporter import Reporter
from orchestration.launch.run_config import RunConfig
from orchestration.launch.synced_directory import SyncedDirectory

EXAMPLES_PER_DATASET = 2
THUMBNAIL = 160  # pixels a side of the images in a drawing


def run(config: RunConfig, reporter: Reporter) -> None:
    """Evaluate every method of the recipe and publish the document."""
    storage, options = Storage(config.root), config.recipe.evaluation
    if unknown := [name for name in options.methods if name not in METHODS]:
        raise ValueError(f"unknown methods {unknown}; known: {', '.join(METHODS)}")
    tasks = unseen_questions(storage, config)
    reporter.log(f"{len(tasks)} unseen questions for each of {', '.join(options.methods)}")
    context = RunContext.open(storage, config.recipe)
    with (
        SyncedDirectory(storage, config.cold_start_checkpoints) as cold_start,
        SyncedDirectory(storage, config.ggpo_checkpoints) as ggpo,
        SyncedDirectory(storage, config.metrics) as metrics,
    ):
        verdicts = metrics.pull()
        folders = {"cold_start": cold_start, "ggpo": ggpo}
        needed = sorted({METHODS[name].checkpoint for name in options.methods})
        checkpoints = {kind: best_checkpoint(folders[kind].pull(), what=kind) for kind in needed}
        results: dict[str, MethodResult] = {}
        if options.workers > 1:
            for name, result in side_by_side(config, context, checkpoints, verdicts):
                results[name] = result
                reporter.log(told(name, result))
        else:
            for name in options.methods:
                path = checkpoints[METHODS[name].checkpoint]
                results[name] = answer(context, name, tasks, path, verdicts, reporter)
                reporter.log(told(name, results[name]))
        metrics.push()
    document = document_of(results, config, context)
    _store(storage, config, results, document)
    reporter.finish(_metadata(document))


def document_of(
    results: Mapping[str, MethodResult], config: RunConfig, context: RunContext
) -> EvaluationDocument:
    """The document of all methods; its examples are those of the last one with greedy answers, else of the last one."""
    evaluations = {name: result.evaluation for name, result in results.items()}
    last = sorted(results, key=lambda name: not METHODS[name].is_sampled)[-1]
    return EvaluationDocument(
        run=config.name,
        index=context.retriever.fingerprint,
        questions=len({(each.task.dataset, each.task.id) for each in evaluations[last].trajectories}),
        methods=tuple(method_scores(name, evaluation) for name, evaluation in evaluations.items()),
        comparisons=comparisons(evaluations),
        savings=savings(evaluations),
        examples=_examples(last, evaluations[last], context),
        judging={name: _judging(result) for name, result in results.items()},
    )


def _judging(result: MethodResult) -> Judging:
    trajectories = result.evaluation.trajectories
    both = agreement(
        [rollout.correct for rollout in trajectories], [rollout.metric for rollout in trajectories]
    )
    return Judging(
        judge=result.judge,
        tally=result.tally,
        agreement_with_metric=None if result.judge == METRIC else both,
    )


def _examples(name: str, evaluation: Evaluation, context: RunContext) -> tuple[ReportExample, ...]:
    """As many right, wrong and unscored rollouts of each dataset as ``EXAMPLES_PER_DATASET`` allows."""
    counts: dict[tuple[str, bool | None], int] = {}
    examples = []
    for trajectory in evaluation.trajectories:
        key = (trajectory.task.dataset, trajectory.correct)
        counts[key] = counts.get(key, 0) + 1
        if counts[key] * 2 <= EXAMPLES_PER_DATASET:
            examples.append(_example(name, trajectory, context))
    return tuple(examples)


def _example(name: str, trajectory: Trajectory, context: RunContext) -> ReportExample:
    return ReportExample(
        dataset=trajectory.task.dataset,
        question=trajectory.task.question,
        references=trajectory.task.answers,
        method=name,
        answer=trajectory.answer,
        correct=trajectory.correct,
        memory=linearise(trajectory.graph),
        drawing=_drawing(trajectory, context),
    )


def _drawing(trajectory: Trajectory, context: RunContext) -> str:
    """The graph with its energies, grants and thumbnails, as SVG without a style of its own."""

    def thumbnail(item_id: str, time_s: float | None) -> str | None:
        image = context.media.image(item_id) if time_s is None else context.media.frame(item_id, time_s)
        small = image.copy()
        small.thumbnail((THUMBNAIL, THUMBNAIL))
        return image_uri(small)

    state = graph_state(
        trajectory.graph, limits=trajectory.limits, allocation=trajectory.allocation, titles={}
    )
    return draw(trajectory.graph, notes=node_notes(state, thumbnail), embedded=True)


def _store(
    storage: Storage, config: RunConfig, results: Mapping[str, MethodResult], document: EvaluationDocument
) -> None:
    manifest = {"producer": "orchestration.launch.evaluate/1", "params": {"run": config.name}}
    inputs = {"index": document.index}
    with publish(storage, config.trajectories, **manifest, inputs=inputs, versioned=True) as published:
        for name, result in results.items():
            published.counts[name] = trajectory_store.write(
                published.directory / f"{name}.parquet", result.evaluation.trajectories
            )
    storage.write_bytes(f"{config.metrics}/{DOCUMENT}", document.to_json())
    remove_replaced(storage, config.trajectories)


def _metadata(document: EvaluationDocument) -> dict[str, float | int | str]:
    """What Dagster shows of an evaluation."""
    overall = {f"accuracy_{method.name}": method.overall.estimate for method in document.methods}
    gains = {
        f"gain_{pair.after}_over_{pair.before}": pair.difference.estimate for pair in document.comparisons
    }
    return {**overall, **gains, "questions": document.questions, "index": document.index}
