"""What must be true of an artifact before anything downstream may use it, as pure functions over its records.

Each asset evaluates the checks it produces, so that a failed one stops its partition; this file decides, the assets report.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from assets.corpus.completeness import compare
from assets.corpus.dataset import DATASETS
from assets.corpus.merge import ITEMS, QUESTIONS
from assets.corpus.question import AnswerKind, Question
from assets.corpus.read import read_items, read_questions
from assets.grading import NOT_ANSWERABLE, grade
from infra.storage import manifest
from infra.storage.root import Storage

FOUND = "found/"  # what the manifest calls the questions of an edition in the raw files
CURRENT: Mapping[str, str] = {}  # no version named: the one that is current
NAMED = 20  # failing ids that a check shows


class CheckResult(NamedTuple):
    """``failing`` are ids or sentences, the first ``NAMED`` of them; ``checked`` is how many were looked at."""

    passed: bool
    checked: int
    failing: tuple[str, ...]


def gold_answers_score_one(questions: Iterable[Question]) -> CheckResult:
    """Each question's own reference must be graded as right, with the full score; hidden test splits have none to grade."""
    checked, failing = 0, list[str]()
    for question in questions:
        if not question.answers and question.kind is not AnswerKind.UNANSWERABLE:
            continue
        checked += 1
        gold = NOT_ANSWERABLE if question.kind is AnswerKind.UNANSWERABLE else question.answers[0]
        score = grade(question, gold)
        if not score.correct or score.value < 1:
            failing.append(question.id)
    return CheckResult(not failing, checked, tuple(failing[:NAMED]))


def items_match_manifest(
    storage: Storage, datasets: Iterable[str], versions: Mapping[str, str] = CURRENT
) -> CheckResult:
    """As many items as the manifest says, at least one, each with an id of its own; of the ``versions`` or the current ones."""
    checked, failing = 0, list[str]()
    for dataset in datasets:
        version = versions.get(dataset)
        expected = manifest.read(storage, f"corpus/{dataset}", version).counts["items"]
        ids, rows = set[str](), 0
        for item in read_items(storage, dataset, version):
            ids.add(item.id)
            rows += 1
        checked += rows
        if not rows or not rows == len(ids) == expected:
            failing.append(f"{dataset}: {rows} rows of {ITEMS}, {len(ids)} ids, manifest says {expected}")
    return CheckResult(not failing, checked, tuple(failing[:NAMED]))


def questions_match_manifest(
    storage: Storage, datasets: Iterable[str], versions: Mapping[str, str] = CURRENT
) -> CheckResult:
    """As many questions as the manifest says, and none whose gold names an item of no dataset at all.

    Gold may lie in another dataset: a question over clips may need a page of a report.
    """
    checked, failing = 0, list[str]()
    for dataset in datasets:
        version = versions.get(dataset)
        expected = manifest.read(storage, f"corpus/{dataset}", version).counts["questions"]
        rows = 0
        for question in read_questions(storage, dataset, version):
            rows += 1
            if any(gold.partition(":")[0] not in DATASETS for gold in question.gold):
                failing.append(question.id)
        checked += rows
        if rows != expected:
            failing.append(f"{dataset}: {rows} rows of {QUESTIONS}, manifest says {expected}")
    return CheckResult(not failing, checked, tuple(failing[:NAMED]))


def counts_are_published(storage: Storage, datasets: Iterable[str]) -> CheckResult:
    """No edition holds another number of questions than is published, unless it is plainly a part of it."""
    checked, failing = 0, list[str]()
    for dataset in datasets:
        counts = manifest.read(storage, f"corpus/{dataset}").counts
        editions = {
            name.removeprefix(FOUND): count for name, count in counts.items() if name.startswith(FOUND)
        }
        copies = compare(editions, DATASETS[dataset].expected_counts)
        checked += len(copies)
        failing += [f"{dataset} {copy.warning}" for copy in copies if copy.warning]
    return CheckResult(not failing, checked, tuple(failing[:NAMED]))


def index_count_equals_corpus(indexed: int, storage: Storage, corpora: Mapping[str, str]) -> CheckResult:
    """The index holds exactly the items of the versions of the corpora (dataset -> digest) it was built from."""
    expected = {
        name: manifest.read(storage, f"corpus/{name}", version).counts["items"]
        for name, version in corpora.items()
    }
    total = sum(expected.values())
    failing = () if indexed == total else (f"index holds {indexed} items, the corpus {total}: {expected}",)
    return CheckResult(indexed == total and total > 0, total, failing)


def corpora_are_right(storage: Storage, corpora: Mapping[str, str]) -> CheckResult:
    """What blocks a corpus blocks a release that holds it (dataset -> digest): counts, ids, and references graded as right."""
    parts = (
        items_match_manifest(storage, corpora, corpora),
        questions_match_manifest(storage, corpora, corpora),
        gold_answers_score_one(
            question
            for name, version in corpora.items()
            for question in read_questions(storage, name, version)
        ),
    )
    failing = tuple(each for part in parts for each in part.failing)
    return CheckResult(all(part.passed for part in parts), sum(part.checked for part in parts), failing)
