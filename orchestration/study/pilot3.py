"""Pilot study 3, second half: wrong rollouts that had found gold evidence, answered again from parts of their graphs.

One greedy forced answer each from the whole graph, from its evidence nodes alone, and from as many nodes drawn at random.
Holds the answering and the comparison; the graphs are ``model.evaluation.evidence_only``.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple

from memory_graph.graph import MemoryGraph
from model.agent.loop import Agent
from model.evaluation.evaluation import grade_all
from model.evaluation.evidence_only import (
    answer_from,
    evidence_nodes,
    only_evidence,
    without,
    without_random_nodes,
)
from model.evaluation.statistics import bootstrap_mean, paired_difference, sign_test
from model.types import Trajectory
from orchestration.joins.adapters import MetricGrader
from orchestration.study.document import EvidenceFigures, PairedTest

Cut = Callable[[Trajectory], MemoryGraph]
FULL, EVIDENCE, RANDOM = "full", "evidence", "random"
CUTS: Mapping[str, Cut] = {
    FULL: lambda rollout: without(rollout.graph, set()),
    EVIDENCE: lambda rollout: only_evidence(rollout.graph, rollout.task.gold),
    RANDOM: lambda rollout: without_random_nodes(rollout.graph, rollout.task.gold, seed=rollout.task.id),
}


def cuttable(trajectories: Sequence[Trajectory]) -> list[Trajectory]:
    """Wrong rollouts that found gold evidence, those without a noise node too: all cuts leave these as they are."""
    return [
        rollout
        for rollout in trajectories
        if rollout.correct is False and evidence_nodes(rollout.graph, rollout.task.gold)
    ]


def answered_again(agent: Agent, rollouts: Sequence[Trajectory], cut: Cut) -> tuple[Trajectory, ...]:
    """One graded answer a rollout, from what ``cut`` leaves of its graph."""

    async def answer() -> tuple[Trajectory, ...]:
        graphs = [(rollout.task, cut(rollout)) for rollout in rollouts]
        answers = await asyncio.gather(*(answer_from(agent, task, graph) for task, graph in graphs))
        return await grade_all(answers, MetricGrader())

    return asyncio.run(answer())


def compared(by_cut: Mapping[str, Sequence[Trajectory]], rollouts: Sequence[Trajectory]) -> EvidenceFigures:
    """Share right from each cut, and the evidence's against both controls, paired by question."""
    right = {name: [float(t.correct is True) for t in answers] for name, answers in by_cut.items()}
    noise = [len(t.graph.nodes) - len(evidence_nodes(t.graph, t.task.gold)) for t in rollouts]
    return EvidenceFigures(
        wrong_rollouts_with_evidence=len(rollouts),
        with_noise_nodes=sum(count > 0 for count in noise),
        noise_nodes=sum(noise),
        right={name: bootstrap_mean(values) for name, values in right.items()},
        evidence_against={name: _paired_test(right[name], right[EVIDENCE]) for name in (FULL, RANDOM)},
    )


def _paired_test(control: Sequence[float], evidence: Sequence[float]) -> PairedTest:
    return PairedTest(*astuple(paired_difference(control, evidence)), p_value=sign_test(control, evidence))
