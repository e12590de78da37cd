"""Ways to mend GGPO, all of them: chosen among on one set of worlds, confirmed on another (docs/ggpo.md, docs/log.md).

Each starts from ``ggpo`` with refused replies as units of their own, which is what trains by default, and changes one thing.
No more than ten, so that the best of them is not the best by luck.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from memory_graph.energy import energies
from model.audit.objectives import Objective, of_algorithm
from model.audit.rollouts import Kind, Rollout, Step, Weights
from model.config.algorithm import ALGORITHMS, Algorithm, Denominator

Factor = Callable[[Rollout, Step], float]
OURS = "ours, model/audit/candidates.py"


def scaled(name: str, factor: Factor, *, algorithm: Algorithm = ALGORITHMS["ggpo"]) -> Objective:
    """The trainer's objective with the weight of each step multiplied."""
    base = of_algorithm(name, algorithm)

    def weigh(group: Sequence[Rollout]) -> list[Weights]:
        return [
            tuple(
                tuple(value * factor(rollout, step) for value in row)
                for step, row in zip(rollout.steps, rows, strict=True)
            )
            for rollout, rows in zip(group, base.weigh(group), strict=True)
        ]

    return Objective(name=name, source=OURS, weigh=weigh)


def answer(weight: float) -> Factor:
    """Answers at ``weight``: what was found mattered more than how it was put."""
    return lambda _, step: weight if step.kind is Kind.ANSWER else 1.0


def of_kind(kind: Kind, weight: float) -> Factor:
    """Replies of one kind at ``weight``."""
    return lambda _, step: weight if step.kind is kind else 1.0


def path_gold(_: Rollout, step: Step) -> float:
    """On the path, nodes that found gold in full, bridges without at half."""
    return 0.5 if step.node_id is not None and step.on_path and not step.found_gold else 1.0


def path_energy(rollout: Rollout, step: Step) -> float:
    """On the path of a right rollout, in proportion to what the graph's energies (Eq. 7) say of the node, at mean 1.

    A node without kept items has the least energy of the path, and a path without any is weighed evenly.
    """
    if not rollout.right or step.node_id is None or step.kind is Kind.REFUSED:
        return 1.0
    graph = rollout.trajectory.graph
    by_node: dict[str, float] = {}
    for (node_id, _item), energy in energies(graph).items():
        by_node[node_id] = by_node.get(node_id, 0.0) + energy
    path = {each.node_id for each in rollout.steps if each.node_id is not None and each.on_path}
    known = [by_node[node_id] for node_id in path if node_id in by_node]
    if not known or step.node_id not in path:
        return 1.0
    of_path = {node_id: by_node.get(node_id, min(known)) for node_id in path if node_id is not None}
    return of_path[step.node_id] * len(of_path) / sum(of_path.values())


def with_answers(factor: Factor, weight: float) -> Factor:
    """A factor, and answers at ``weight``."""
    return lambda rollout, step: factor(rollout, step) * answer(weight)(rollout, step)


_GSPO, _GGPO = ALGORITHMS["gspo"], ALGORITHMS["ggpo"]
CANDIDATES: Mapping[str, Objective] = {
    objective.name: objective
    for objective in (
        scaled("answer_half", answer(0.5)),
        scaled("answer_quarter", answer(0.25)),
        scaled("memorize_half", of_kind(Kind.MEMORIZE, 0.5)),
        scaled("search_double", of_kind(Kind.SEARCH, 2.0)),
        scaled("path_gold", path_gold),
        scaled("path_energy", path_energy),
        scaled("answer_half_path_energy", with_answers(path_energy, 0.5)),
        scaled("answer_half_kept", answer(0.5), algorithm=replace(_GGPO, denominator=Denominator.KEPT)),
        scaled("answer_half_no_std", answer(0.5), algorithm=replace(_GGPO, normalise_std=False)),
        scaled("gspo_answer_half", answer(0.5), algorithm=_GSPO),
    )
}
"""The last one tells what half answers do without any mask: a control, not a candidate."""
