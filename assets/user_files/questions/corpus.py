"""Questions of one's own as those of the dataset ``documents``, with the items that answer them."""

import hashlib
from collections.abc import Iterator

from assets.corpus.question import AnswerKind, EvidenceStatus, Question
from assets.user_files.ledger import FileLedger
from assets.user_files.questions import records
from assets.user_files.questions.places import on_pages, places, within
from assets.user_files.questions.records import OwnQuestion
from assets.user_files.reading import DATASET
from infra.storage.root import Storage


def question_records(storage: Storage, files: FileLedger) -> Iterator[Question]:
    """Every question that is kept; one whose file is gone stays, and says so."""
    for own in records.read(storage):
        yield question_of(storage, files, own)


def question_of(storage: Storage, files: FileLedger, own: OwnQuestion) -> Question:
    """The question with its gold items: those of its pages or seconds, else of the whole file."""
    gold: list[str] = []
    notes: tuple[str, ...] = ()
    status = EvidenceStatus.UNANSWERABLE if own.kind == AnswerKind.UNANSWERABLE else EvidenceStatus.NONE
    if own.file:
        file = files.get(own.file)
        found = [] if file is None else places(storage, file)
        if own.pages:
            gold = on_pages(found, own.pages)
        elif own.seconds:
            gold = within(found, *own.seconds)
        else:
            gold, notes = [place.item for place in found], ("gold_is_the_whole_file",)
        status = EvidenceStatus.PRESENT if gold else EvidenceStatus.MEDIA_MISSING
        if not gold:
            notes = (f"file_gone:{own.file}",)
    return Question(
        id=f"{DATASET}:{own.split}:{own.id}",
        dataset=DATASET,
        split=own.split,
        text=own.question,
        answers=own.answers,
        kind=AnswerKind(own.kind),
        choices=own.choices,
        gold=tuple(sorted(gold)),
        evidence=status,
        notes=notes,
    )


def inputs(storage: Storage) -> dict[str, str]:
    """What the corpus is made from beside its files; nothing where there are no questions."""
    own = records.read(storage)
    return {"questions": hashlib.sha256(records.to_bytes(own)).hexdigest()} if own else {}
