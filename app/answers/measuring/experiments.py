"""One of the paper's experiments on one model: its arms answered, its pairs compared, its figure drawn.

Resumable to the rollout, as an evaluation is; the page is a function of the answers alone.
"""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from app.answers.measuring.arms import Opener
from app.answers.measuring.comparing import ALL, Comparison, clustered_accuracy, compare_pairs, finite
from app.answers.measuring.crowding import crowd
from app.answers.measuring.evaluating import EvaluationPlan, EvaluationResult, evaluate_model
from app.answers.measuring.exports.page import markdown, report_of
from app.answers.measuring.records import AnswerRecord
from app.answers.models import AnswerModel
from infra.reporting.charts import Curve
from infra.reporting.report import PairedDifference, Report, render
from infra.storage import atomic
from infra.storage.root import Storage
from model.agent.loop import Agent
from model.evaluation.evaluation import grade_all
from model.evaluation.evidence_only import answer_from
from model.rl import trajectory_store
from model.types import Task, Trajectory
from orchestration.joins.adapters import MetricGrader
from orchestration.study.binding import decided_by_energy
from orchestration.study.experiments import Experiment, Line
from orchestration.study.pilot3 import CUTS, compared, cuttable

SWEEPS = ("budget", "crowded")
"""Experiments over budgets, whose graphs say where energies decide sizes at all."""
PAGE, TABLE, FIGURES = "index.html", "report.md", "study.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentResult:
    """What an experiment shows."""

    experiment: Experiment
    evaluation: EvaluationResult
    comparisons: tuple[Comparison, ...]
    evidence: Mapping[str, Any] | None
    """Pilot 3's second half: right answers from what is left of wrong rollouts' graphs."""
    folder: Path
    decided: Mapping[str, float] = field(default_factory=dict)
    """Of a sweep: arm by energy -> share of its rollouts in which equal shares would show other sizes."""

    @property
    def findings(self) -> list[str]:
        """The comparisons in words; of a sweep, where the first beats the second beyond its interval."""
        lines = [each.line for each in self.comparisons]
        if self.experiment.lines and self.experiment.axis:
            beyond = [each for each in self.comparisons if each.test.difference.low > 0]
            best = max(self.comparisons, key=lambda each: each.test.difference.estimate, default=None)
            if beyond:
                lines.append("beyond its 95 % interval better: " + ", ".join(each.of for each in beyond))
            if self.decided:
                most = max(self.decided, key=lambda name: self.decided[name])
                share = f"{self.decided[most]:.0%} of the rollouts, with {most}"
                lines.append(
                    f"energies decide sizes in at most {share}; elsewhere equal shares show the same"
                )
            if not beyond and best is not None:
                lines.append(f"none is better beyond its 95 % interval; the largest difference: {best.line}")
        return lines

    def to_json(self) -> dict[str, Any]:
        """What ``study.json`` holds and ``--json`` prints."""
        return {
            "experiment": self.experiment.name,
            "title": self.experiment.title,
            "model": self.evaluation.model,
            "index": self.evaluation.index,
            "judge": self.evaluation.judge,
            "arms": {name: self._arm(name) for name in self.evaluation.records},
            "comparisons": [each.to_json() for each in self.comparisons],
            "evidence": self.evidence,
            "decided_by_energy": dict(self.decided),
            "findings": self.findings,
        }

    def _arm(self, name: str) -> dict[str, Any]:
        records = self.evaluation.records[name]
        accuracy, clusters = clustered_accuracy(records)
        arm = next(arm for arm in self.experiment.arms if arm.name == name)
        ran = [record for record in records if record.outcome != "failed"]
        means = ("tokens", "visual_tokens", "calls", "searches", "repeated_searches")
        return {
            **arm.to_json(),
            "right": {**finite(asdict(accuracy)), "clusters": clusters},
            "unscored": sum(record.correct is None for record in records),
            "means": {
                field: sum(getattr(r, field) for r in ran) / len(ran) if ran else None for field in means
            },
            "paper": (self.experiment.paper or {}).get(name),
        }


async def run_experiment(  # noqa: PLR0913 - what is run, on what, and where it is kept
    experiment: Experiment,
    storage: Storage,
    opener: Opener,
    model: AnswerModel,
    tasks: Sequence[Task],
    plan: EvaluationPlan,
    folder: Path,
    *,
    index: str,
    clusters: Mapping[str, str],
    progress: Callable[[str, int, int | None], None],
) -> ExperimentResult:
    """Answer, compare and draw; what is answered is not asked again."""
    evaluate = partial(
        evaluate_model, model=model, index=index, clusters=clusters, notes={}, progress=progress
    )
    if experiment.crowded:
        opener, tasks = await crowd(storage, opener, tasks, plan, folder / "gathered", evaluate)
    evaluation = await evaluate(
        opener,
        tasks=tasks,
        plan=replace(plan, arms=experiment.arms),
        folder=folder,
        extra={"experiment": experiment.name},
    )
    pairs = [
        (of, evaluation.records[of], against, evaluation.records[against]) for of, against in experiment.pairs
    ]
    evidence = None
    if experiment.cuts:
        first = experiment.arms[0]
        evidence = await _evidence(
            opener.open(first), evaluation.evaluations[first.name].trajectories, folder
        )
    result = ExperimentResult(
        experiment=experiment,
        evaluation=evaluation,
        comparisons=tuple(compare_pairs(pairs)),
        evidence=evidence,
        folder=folder,
        decided=_decided(experiment, evaluation),
    )
    _write(result)
    return result


def _decided(experiment: Experiment, evaluation: EvaluationResult) -> dict[str, float]:
    """Of the arms by energy of a sweep over budgets, from the graphs of their rollouts."""
    if experiment.name not in SWEEPS:
        return {}
    return {
        arm.name: decided_by_energy((each.graph for each in rollouts if each.graph.nodes), rollouts[0].limits)
        for arm in experiment.arms
        if arm.memory == "vimrag" and (rollouts := evaluation.evaluations[arm.name].trajectories)
    }


async def _evidence(agent: Agent, rollouts: Sequence[Trajectory], folder: Path) -> Mapping[str, Any]:
    """Wrong rollouts that found gold, answered again from the whole graph, its evidence, and as many nodes drawn at random."""
    wrong = cuttable(rollouts)
    answered: dict[str, list[Trajectory]] = {}
    for name, cut in CUTS.items():
        path = folder / "rollouts" / f"cut-{name}.parquet"
        if not path.is_file():
            graphs = [(rollout.task, cut(rollout)) for rollout in wrong]
            answers = await asyncio.gather(*(answer_from(agent, task, graph) for task, graph in graphs))
            with atomic.replacing(path) as partial:
                trajectory_store.write(partial, await grade_all(answers, MetricGrader()))
        answered[name] = list(trajectory_store.read(path))
    return finite(asdict(compared(answered, wrong)))


def _write(result: ExperimentResult) -> None:
    report = report_of_experiment(result)
    told = json.dumps(result.to_json(), indent=1, sort_keys=True) + "\n"
    for name, text in ((PAGE, render(report)), (TABLE, markdown(report)), (FIGURES, told)):
        with atomic.replacing(result.folder / name) as partial:
            partial.write_text(text, encoding="utf-8")


def report_of_experiment(result: ExperimentResult) -> Report:
    """The page: bars, the figure's lines with their intervals, comparisons, counters."""
    records = [record for own in result.evaluation.records.values() for record in own]
    document = result.evaluation.document()
    report = report_of({**document, "comparisons": []}, records, items=None)
    curves = (_curve(result.experiment, result.evaluation.records),) if result.experiment.lines else ()
    facts = [
        *report.facts,
        *((f"finding {number}", line) for number, line in enumerate(result.findings, start=1)),
    ]
    for name, share in (result.experiment.paper or {}).items():
        facts.append((f"paper, {name}", f"{share:.1f} % overall (Qwen3-VL-8B, nine benchmarks, a judge)"))
    if result.evidence is not None:
        facts.append(("wrong rollouts answered again", json.dumps(result.evidence)))
    comparisons = tuple(_difference(each) for each in result.comparisons if each.dataset == ALL)
    return replace(
        report,
        title=f"{result.experiment.title}: {result.evaluation.model}",
        curves=curves,
        comparisons=comparisons,
        facts=tuple(facts),
    )


def _difference(each: Comparison) -> PairedDifference:
    from infra.reporting.report import Estimate

    bounds = finite(asdict(each.test.difference))
    estimate = Estimate(
        value=bounds["estimate"], low=bounds["low"], high=bounds["high"], count=each.test.questions
    )
    return PairedDifference(before=each.against, after=each.of, difference=estimate, p_value=each.p_holm)


def _curve(experiment: Experiment, records: Mapping[str, Sequence[AnswerRecord]]) -> Curve:
    lines = {line.name: _points(line, records) for line in experiment.lines}
    return Curve.banded(experiment.title, experiment.axis, "right, %", lines)


def _points(
    line: Line, records: Mapping[str, Sequence[AnswerRecord]]
) -> list[tuple[float, float, float, float]]:
    points: list[tuple[float, float, float, float]] = []
    for x, arm in line.points:
        right, _ = clustered_accuracy(records[arm])
        low = right.estimate if right.low != right.low else right.low
        high = right.estimate if right.high != right.high else right.high
        points.append((x, 100 * right.estimate, 100 * low, 100 * high))
    return points
