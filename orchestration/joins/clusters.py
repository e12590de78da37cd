"""Which questions stand or fall together: those that rest on one item, one document or one film."""

from collections.abc import Iterable

from assets.corpus.read import parents
from assets.question_sets.division import Candidate, grouped
from infra.storage.root import Storage
from model.types import Task


def clusters_of(storage: Storage, tasks: Iterable[Task]) -> dict[str, str]:
    """Question -> the least id among those that share evidence with it, directly or through others."""
    asked = list(tasks)
    parent_of: dict[str, str] = {}
    for dataset in sorted({task.dataset for task in asked}):
        parent_of |= parents(storage, dataset)
    return grouped(
        Candidate(
            id=task.id,
            dataset=task.dataset,
            split="",
            text=task.id,
            evidence=frozenset(parent_of.get(item, item) for item in task.gold),
        )
        for task in asked
    )
