"""Making the question set of a root, publishing it, and reading it back: who is trained on is a record, not a rule."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from io import BytesIO
from typing import Any

import polars as pl

from assets.corpus.completeness import CopyExtent, compare
from assets.corpus.dataset import DATASETS
from assets.corpus.item import Modality
from assets.corpus.media import ShardMedia
from assets.corpus.question import AnswerKind, EvidenceStatus, Question
from assets.corpus.read import built_datasets, directory, parents, read_items, read_questions, same_content
from assets.question_sets.division import Candidate, divide
from assets.question_sets.near import GoldItem, NearDuplicates, film_of, near_duplicates
from assets.question_sets.settings import QuestionSetSettings, Role
from infra.storage import manifest
from infra.storage.publication import publish
from infra.storage.root import Storage

FOLDER = "question_sets"
DEFAULT = "default"
PRODUCER = "assets.question_sets/1"
QUESTIONS, ABOUT = "questions.parquet", "about.json"
USABLE = (EvidenceStatus.PRESENT, EvidenceStatus.NONE, EvidenceStatus.UNANSWERABLE)
MAX_NAMED = 20  # leaks that the record names; the others are counted


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionSetRow:
    """One benchmark: how many questions of which published split are for what, and what was left out."""

    dataset: str
    roles: Mapping[str, int]
    """Role -> questions."""
    splits: Mapping[str, int]
    """Published split -> questions that have a role."""
    dropped: Mapping[str, int] = field(default_factory=dict)
    """Reason -> questions."""
    notes: tuple[str, ...] = ()
    """What a reader of its figures must know: an extract, a cut."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionSet:
    """The record, as it is published."""

    name: str
    settings: QuestionSetSettings
    corpora: Mapping[str, str]
    """Dataset -> digest of the corpus that the questions were read from."""
    rows: tuple[QuestionSetRow, ...]
    leaks: tuple[str, ...] = ()
    """Some of the questions left out of training because something that measures is like them."""
    near: tuple[str, ...] = ()
    """Some pairs of gold items that are nearly the same; their questions are on one side."""
    near_items: int = 0
    """Gold items that another one is nearly the same as."""
    unseen_pictures: int = 0
    """Gold pictures whose looks were not compared."""

    def to_json(self) -> dict[str, Any]:
        """As it is stored and printed."""
        return asdict(self)


def build_question_set(
    storage: Storage, settings: QuestionSetSettings | None = None, *, name: str = DEFAULT
) -> QuestionSet:
    """Divide every question of every finished corpus, and publish the record.

    Raises:
        ValueError: if there is no corpus, or a cut names a benchmark without usable questions.
    """
    settings = settings or QuestionSetSettings()
    corpora = _corpora(storage)
    if not corpora:
        raise ValueError(
            f"no finished corpus at {storage.path('corpus')!r}; build one with `vimrag corpus build`"
        )
    candidates: list[Candidate] = []
    dropped: dict[str, dict[str, str]] = {dataset: {} for dataset in corpora}
    same = same_content(storage, tuple(corpora))
    questions = {dataset: list(read_questions(storage, dataset)) for dataset in corpora}
    near = _near(storage, questions, settings)
    for dataset in corpora:
        parent_of = parents(storage, dataset)
        for question in questions[dataset]:
            if reason := unusable(question):
                dropped[dataset][question.id] = reason
            else:
                candidates.append(_candidate(question, parent_of, same, near.groups))
    division = divide(candidates, settings)
    for each in candidates:
        if each.id in division.dropped:
            dropped[each.dataset][each.id] = division.dropped[each.id]
    leaks = sorted(f"{id_}: {why}" for id_, why in division.dropped.items() if why.startswith("leak"))
    made = QuestionSet(
        name=name,
        settings=settings,
        corpora=corpora,
        rows=tuple(
            _row(storage, dataset, candidates, division.roles, dropped[dataset], settings)
            for dataset in corpora
        ),
        leaks=tuple(leaks[:MAX_NAMED]),
        near=near.pairs[:MAX_NAMED],
        near_items=len(near.groups),
        unseen_pictures=near.unseen,
    )
    _publish(storage, made, candidates, division.roles)
    return made


def question_set(storage: Storage, name: str = DEFAULT) -> QuestionSet:
    """The published record. Raises ``ValueError`` if there is none, or it is damaged."""
    if not has_question_set(storage, name):
        there = [each for each in storage.list(FOLDER) if has_question_set(storage, each)]
        called = "" if name == DEFAULT else f" --name {name}"
        raise ValueError(
            f"no question set {name!r} at {storage.root} (there are: {', '.join(there) or 'none'}); make it with "
            f"`vimrag questions build --root {storage.root}{called}`"
        )
    with manifest.open_file(storage, f"{FOLDER}/{name}", ABOUT) as file:
        fields = json.load(file)
    rows = tuple(_row_of(row) for row in fields.pop("rows"))
    settings = QuestionSetSettings(**fields.pop("settings"))
    named: dict[str, Any] = {name: tuple(fields.get(name, ())) for name in ("leaks", "near")}
    return QuestionSet(**{**fields, **named}, rows=rows, settings=settings)


def _row_of(fields: dict[str, Any]) -> QuestionSetRow:
    fields["notes"] = tuple(fields["notes"])
    return QuestionSetRow(**fields)


def has_question_set(storage: Storage, name: str = DEFAULT) -> bool:
    """Whether one of that name was published, of whichever corpora."""
    return storage.exists(f"{FOLDER}/{name}/{manifest.MANIFEST}")


def roles(storage: Storage, name: str = DEFAULT) -> dict[str, Role]:
    """Question -> role, of a question set that is there and of the present corpora; the default one is made if there is none.

    Raises:
        ValueError: if a named set is not there, or was made of other corpora.
    """
    folder = f"{FOLDER}/{name}"
    if name == DEFAULT and not has_question_set(storage):
        build_question_set(storage)
    known = question_set(storage, name)
    if known.corpora != _corpora(storage):
        changed = sorted(set(known.corpora.items()) ^ set(_corpora(storage).items()))
        names = ", ".join(sorted({dataset for dataset, _ in changed}))
        raise ValueError(
            f"the question set {name!r} was made of other corpora ({names} changed); make it again with "
            f"`vimrag questions build --root {storage.root}`"
        )
    with manifest.open_file(storage, folder, QUESTIONS) as file:
        table = pl.read_parquet(file)
    return {id_: Role(role) for id_, role in zip(table["id"], table["role"], strict=True)}


def unusable(question: Question) -> str:
    """Why a question can neither be trained on nor measured; "" if it can."""
    if not question.answers and question.kind is not AnswerKind.UNANSWERABLE:
        return "published without its answer"
    return "" if question.evidence in USABLE else f"evidence: {question.evidence}"


def _near(
    storage: Storage, questions: Mapping[str, list[Question]], settings: QuestionSetSettings
) -> NearDuplicates:
    """Gold items of the usable questions that are nearly the same, within and across benchmarks."""
    wanted = {
        item for asked in questions.values() for each in asked if not unusable(each) for item in each.gold
    }
    items = [
        GoldItem(
            item.id,
            item.text,
            item.modality is Modality.IMAGE and item.media_key is not None,
            item.parent or "",
        )
        for dataset in questions
        for item in read_items(storage, dataset)
        if item.id in wanted
    ]
    media = ShardMedia(storage)
    try:
        return near_duplicates(items, media.image, most_pictures=settings.most_pictures)
    finally:
        media.close()


def _candidate(
    question: Question, parent_of: Mapping[str, str], same: Mapping[str, str], near: Mapping[str, str]
) -> Candidate:
    gold = {same.get(item, item) for item in question.gold}
    parents_ = {parent_of[item] for item in (*gold, *question.gold) if item in parent_of}
    documents = {f"of {parent}" for parent in parents_}
    documents |= {f"film {film}" for parent in parents_ if (film := film_of(parent))}
    documents |= {f"near {near[item]}" for item in question.gold if item in near}
    return Candidate(
        id=question.id,
        dataset=question.dataset,
        split=question.split,
        text=question.text,
        evidence=frozenset(gold | documents),
    )


def _row(
    storage: Storage,
    dataset: str,
    candidates: list[Candidate],
    roles_: Mapping[str, Role],
    dropped: Mapping[str, str],
    settings: QuestionSetSettings,
) -> QuestionSetRow:
    own = [each for each in candidates if each.dataset == dataset and each.id in roles_]
    reasons = Counter("leak" if why.startswith("leak") else why for why in dropped.values())
    return QuestionSetRow(
        dataset=dataset,
        roles=dict(Counter(str(roles_[each.id]) for each in own)),
        splits=dict(Counter(each.split for each in own)),
        dropped=dict(reasons),
        notes=tuple(_notes(storage, dataset, settings)),
    )


def _notes(storage: Storage, dataset: str, settings: QuestionSetSettings) -> Iterator[str]:
    counts = manifest.read(storage, directory(dataset)).counts
    found = {
        name.removeprefix("found/"): count for name, count in counts.items() if name.startswith("found/")
    }
    expected = DATASETS[dataset].expected_counts if dataset in DATASETS else {}
    for copy in compare(found, expected):
        if copy.extent is CopyExtent.PARTIAL:
            yield f"extract: {copy.found:,} of the {copy.expected:,} questions of {copy.edition!r}"
        elif copy.extent is CopyExtent.DIFFERENT:
            yield copy.warning
    if share := settings.cuts.get(dataset):
        yield f"cut: {share:.0%} of its documents are trained on, whatever its published splits say"


def _corpora(storage: Storage) -> dict[str, str]:
    return {
        name: manifest.digest(manifest.read(storage, directory(name))) for name in built_datasets(storage)
    }


def _publish(
    storage: Storage, made: QuestionSet, candidates: list[Candidate], roles_: Mapping[str, Role]
) -> None:
    ordered = sorted((each for each in candidates if each.id in roles_), key=lambda each: each.id)
    table = pl.DataFrame(
        {
            "id": [each.id for each in ordered],
            "dataset": [each.dataset for each in ordered],
            "split": [each.split for each in ordered],
            "role": [str(roles_[each.id]) for each in ordered],
        },
        schema=dict.fromkeys(("id", "dataset", "split", "role"), pl.String),
    )
    folder = f"{FOLDER}/{made.name}"
    with publish(
        storage,
        folder,
        producer=PRODUCER,
        params=made.settings.to_json(),
        inputs=made.corpora,
        versioned=True,
    ) as publication:
        encoded = BytesIO()
        table.write_parquet(encoded)
        publication.write_bytes(QUESTIONS, encoded.getvalue())
        publication.write_bytes(ABOUT, json.dumps(made.to_json(), indent=1, sort_keys=True).encode())
        publication.counts.update(Counter(str(role) for role in roles_.values()))
