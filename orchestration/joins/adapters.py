"""Where ``assets`` and ``model`` meet: questions become tasks, the index a retriever, the metrics a grader.

Holds adapters only. Neither side knows the other; what they agree on are the Protocols of ``model.protocols``.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import NamedTuple

from pydantic import TypeAdapter

from assets.corpus.question import AnswerKind, Question
from assets.corpus.read import built_datasets, read_questions
from assets.grading import grade_answer
from assets.index.search import Index, IndexHit
from assets.question_sets.build import DEFAULT, unusable
from assets.question_sets.build import roles as question_set_roles
from infra.storage.root import Storage
from infra.vector_stores.types import RowFilter
from memory_graph.graph import Modality
from model.imitation.gold_plan import GoldPlan
from model.protocols import ANYWHERE
from model.types import Hit, HitFilter, Task

PLANS = "raw/miniature/plans.jsonl"  # below the root; only the miniature has it


class _PendingSearch(NamedTuple):
    query: str
    top_k: int
    where: HitFilter
    like: tuple[str, ...]
    result: asyncio.Future[list[Hit]]


class IndexRetriever:
    """``Retriever`` over an index: searches that wait at the same time are answered together, in a thread.

    Use it from one event loop at a time.
    """

    def __init__(
        self,
        index: Index,
        *,
        datasets: Sequence[str] | None = None,
        parents: Sequence[str] | None = None,
        max_batch: int = 64,
        lockstep: bool = False,
    ) -> None:
        """``datasets``: search only there; None searches the whole corpus. ``parents``: only in these files of them.

        ``lockstep`` searches without a thread, so that which searches are answered together is no matter of time.
        """
        self._lockstep = lockstep
        self._index, self._datasets, self._max_batch = index, datasets, max_batch
        self._parents = None if parents is None else tuple(sorted(set(parents)))
        self._waiting: list[_PendingSearch] = []
        self._worker: asyncio.Task[None] | None = None
        # one thread: the store's own threads use the cores, and searches keep their order
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="search")

    @property
    def fingerprint(self) -> str:
        """The index's own; of the scope too, where there is one."""
        scope = "" if self._datasets is None else f":{','.join(sorted(self._datasets))}"
        files = "" if self._parents is None else f":in:{','.join(self._parents)}"
        return f"{self._index.fingerprint}{scope}{files}"

    @property
    def sees(self) -> bool:
        """Whether the index has vectors of pictures."""
        return self._index.sees

    async def search(
        self, query: str, *, top_k: int, where: HitFilter = ANYWHERE, like: Sequence[str] = ()
    ) -> list[Hit]:
        """See ``Retriever``; an error of the store comes through."""
        result: asyncio.Future[list[Hit]] = asyncio.get_running_loop().create_future()
        self._waiting.append(_PendingSearch(query, top_k, where, tuple(like), result))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        return await result

    async def _work(self) -> None:
        while self._waiting:
            await asyncio.sleep(0)  # whoever is ready to ask may join this batch
            batch, self._waiting = self._waiting[: self._max_batch], self._waiting[self._max_batch :]
            try:
                results = await self._answers(batch)
            except Exception as error:
                for search in batch:
                    if not search.result.done():
                        search.result.set_exception(error)
                continue
            for search, hits in zip(batch, results, strict=True):
                if not search.result.done():
                    search.result.set_result(hits)

    async def _answers(self, batch: Sequence[_PendingSearch]) -> list[list[Hit]]:
        if self._lockstep:
            return self._search(batch)
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._search, batch)

    def _search(self, batch: Sequence[_PendingSearch]) -> list[list[Hit]]:
        """Those of one filter together; each that looks for pictures alone."""
        groups: dict[tuple[HitFilter, tuple[str, ...]], list[int]] = {}
        for at, search in enumerate(batch):
            groups.setdefault((search.where, search.like), []).append(at)
        found: dict[int, list[Hit]] = {}
        for (where, like), places in groups.items():
            top_k = max(batch[at].top_k for at in places)
            queries, rows = [batch[at].query for at in places], self._rows(where)
            results = (
                [self._index.search_like(query, like, top_k, rows) for query in queries]
                if like
                else self._index.search_many(queries, top_k, rows)
            )
            for at, hits in zip(places, results, strict=True):
                found[at] = [hit_of(hit) for hit in hits[: batch[at].top_k]]
        return [found[at] for at in range(len(batch))]

    def _rows(self, where: HitFilter) -> RowFilter:
        datasets = self._datasets
        if where.dataset is not None:
            datasets = [where.dataset] if datasets is None or where.dataset in datasets else []
        parents = self._parents
        if where.parent is not None:
            parents = (where.parent,) if parents is None or where.parent in parents else ()
        return replace(
            RowFilter.of_scopes(datasets),
            modalities=None if where.modality is None else (where.modality.value,),
            kinds=where.kinds,
            parents=parents,
        )


def hit_of(hit: IndexHit) -> Hit:
    """What the agent is shown of one result."""
    return Hit(
        item_id=hit.item_id,
        dataset=hit.dataset,
        modality=Modality(hit.modality),
        title=hit.title,
        text=hit.text,
        score=hit.score,
        width=hit.width,
        height=hit.height,
        duration_s=hit.duration_s,
        start_s=hit.start_s,
        parent=hit.parent,
    )


class MetricGrader:
    """``Grader`` by each dataset's own deterministic metric; no judge model."""

    async def grade(self, task: Task, answer: str) -> bool | None:
        """Right or wrong; None for a question that is published without its answer."""
        if not task.answers and task.kind != AnswerKind.UNANSWERABLE:
            return None
        score = grade_answer(
            task.kind, task.dataset, task.answers, answer, task.choices, question=task.question
        )
        return score.correct


def task_of(question: Question) -> Task:
    """The question as the agent gets it; choices stand in the text, because a policy sees nothing else."""
    return Task(
        id=question.id,
        dataset=question.dataset,
        question=with_choices(question),
        answers=question.answers,
        kind=str(question.kind),
        choices=question.choices,
        gold=frozenset(question.gold),
    )


def with_choices(question: Question) -> str:
    """The text of the question, followed by its choices unless it already lists them."""
    missing = [choice for choice in question.choices if choice not in question.text]
    return "\n".join((question.text, *question.choices)) if missing else question.text


@dataclass(frozen=True, slots=True, kw_only=True)
class MiniaturePlan(GoldPlan):
    """How a question of the miniature is answered; ``split`` is its world's, which is finer than that of the format."""

    question_id: str
    split: str


_PLAN = TypeAdapter(MiniaturePlan)


def read_plans(storage: Storage) -> dict[str, MiniaturePlan]:
    """How each question of the miniature is answered, by question id; empty for a corpus that was not invented."""
    if not storage.exists(PLANS):
        return {}
    lines = storage.read_bytes(PLANS).splitlines()
    return {plan.question_id: plan for line in lines if (plan := _PLAN.validate_json(line))}


def tasks_of_split(
    storage: Storage,
    split: str,
    *,
    per_dataset: int | None = None,
    seed: int = 0,
    datasets: Sequence[str] | None = None,
    question_set: str = DEFAULT,
) -> tuple[Task, ...]:
    """Tasks of one split, dataset after dataset; at most ``per_dataset`` of each, drawn by ``seed`` alone.

    The miniature's worlds have splits of their own; of data that others published the question set ``question_set`` says what is
    for what (``assets.question_sets``). Questions whose evidence is known to be lost are left out.

    Raises:
        ValueError: if no question is of that split; the text says what there is, and what to do.
    """
    plans = read_plans(storage)
    roles: Mapping[str, str] = (
        {id_: plan.split for id_, plan in plans.items()}
        if plans
        else question_set_roles(storage, question_set)
    )
    tasks: list[Task] = []
    for name in datasets or built_datasets(storage):
        of_split = [
            task_of(q) for q in read_questions(storage, name) if not unusable(q) and roles.get(q.id) == split
        ]
        tasks += sampled_tasks(of_split, per_dataset, seed=f"{seed}/{name}")
    if not tasks:
        raise ValueError(_nothing_of(storage, split, roles))
    return tuple(tasks)


def _nothing_of(storage: Storage, split: str, roles: Mapping[str, str]) -> str:
    there = Counter((id_.partition(":")[0], str(role)) for id_, role in roles.items())
    known = (
        "; ".join(f"{name}: {count:,} {role}" for (name, role), count in sorted(there.items()))
        or "none at all"
    )
    cut = next(iter(sorted(there)), ("DATASET", ""))[0]
    return (
        f"no questions of split {split!r} in {storage.root}. There are {known}. To train on a part of what measures: "
        f"`vimrag questions build --root {storage.root} --cut {cut}=0.5`"
    )


def sampled_tasks(tasks: Iterable[Task], count: int | None, *, seed: str) -> list[Task]:
    """At most ``count`` of the tasks in id order; which ones depends on ids and ``seed``, not on the order given."""
    ordered = sorted(tasks, key=lambda task: task.id)
    if count is None or count >= len(ordered):
        return ordered
    return sorted(random.Random(seed).sample(ordered, count), key=lambda task: task.id)
