"""A JSONL of questions, read line by line: what each line asks, or what is wrong with it.

    {"question": "What does the budget say?", "answer": "12 million", "file": "budget.pdf", "page": 3}
    {"question": "When does she wave?", "answers": ["at noon"], "file": "walk.mp4", "seconds": [61, 64], "split": "train"}

Every fault of every line is told, with its number; whoever adds questions adds all of them or none.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from assets.corpus.question import AnswerKind
from assets.grading.normalise import NOT_ANSWERABLE, abstains
from assets.user_files.ledger import FileLedger, IngestedFile
from assets.user_files.questions.places import Place, last_page, length_s, places
from assets.user_files.questions.records import OwnQuestion
from infra.errors import nearest_name
from infra.storage.root import Storage

FIELDS = (
    "id",
    "question",
    "answer",
    "answers",
    "kind",
    "choices",
    "split",
    "file",
    "page",
    "pages",
    "seconds",
)
SPLITS = ("train", "val", "test")
MAX_LINE_BYTES = 1 << 20
MAX_QUESTIONS = 100_000
MAX_ANSWERS = 100  # equally good ones; more are a list that belongs together, or a mistake
MAX_CHOICES = 26
MAX_ID = 200
MAX_CHARACTERS = 20_000
LONG_WORDS = 20  # an answer of more is graded as a text, not by its exact words


class LineFault(NamedTuple):
    """What is wrong with a line; lines count from 1."""

    line: int
    fault: str


class ReadLines(NamedTuple):
    """The questions that are right, and the faults of the others."""

    questions: tuple[OwnQuestion, ...]
    faults: tuple[LineFault, ...]


def read_lines(
    lines: Iterable[bytes], storage: Storage, files: FileLedger, known: Sequence[OwnQuestion] = ()
) -> ReadLines:
    """Read a whole JSONL. ``known`` are questions that are there already, whose ids are taken."""
    taken = {question.id: 0 for question in known}
    found: list[OwnQuestion] = []
    faults: list[LineFault] = []
    finder = FileFinder(storage, files)
    for number, raw in enumerate(lines, start=1):
        if not raw.strip():
            continue
        if len(found) >= MAX_QUESTIONS:
            faults.append(LineFault(number, f"more than {MAX_QUESTIONS:,} questions; add them in parts"))
            break
        told, wrong = _fields(raw)
        question = None if wrong else _question(told, finder, wrong)
        if question is not None and question.id in taken:
            line = taken[question.id]
            wrong.append(
                f"id {question.id!r} is that of {f'line {line}' if line else 'a question added before'}"
            )
        if wrong or question is None:
            faults += [LineFault(number, fault) for fault in wrong]
            continue
        taken[question.id] = number
        found.append(question)
    return ReadLines(tuple(found), tuple(faults))


def _fields(raw: bytes) -> tuple[dict[str, Any], list[str]]:
    """The object of a line, and why it is none."""
    if len(raw) > MAX_LINE_BYTES:
        return {}, [f"{len(raw):,} bytes; a line has at most {MAX_LINE_BYTES:,}"]
    try:
        told = json.loads(raw)
    except (ValueError, RecursionError) as error:
        return {}, [f"no JSON: {error}"]
    if not isinstance(told, dict):
        return {}, [f"a line is one object, not {type(told).__name__}"]
    wrong = []
    for name in told:
        if name not in FIELDS:
            near = nearest_name(str(name), FIELDS)
            wrong.append(f"unknown field {str(name)[:40]!r}" + (f"; did you mean {near!r}?" if near else ""))
    return told, wrong


def _question(told: Mapping[str, Any], finder: "FileFinder", wrong: list[str]) -> OwnQuestion | None:
    text = _text(told.get("question"), "question", wrong)
    answers = _answers(told, wrong)
    choices = _choices(told.get("choices", []), wrong)
    kind = _kind(told.get("kind"), answers, choices, wrong)
    split = told.get("split", "test")
    if split not in SPLITS:
        wrong.append(f"split is one of {', '.join(SPLITS)}, not {split!r}")
    place = _place(told, finder, wrong)
    native = _id(told, text, wrong)
    if wrong:
        return None
    return OwnQuestion(
        id=native,
        question=text,
        answers=() if kind == AnswerKind.UNANSWERABLE else answers,
        kind=kind,
        choices=choices,
        split=split,
        **place,
    )


def _id(told: Mapping[str, Any], text: str, wrong: list[str]) -> str:
    """As told, else of the question."""
    given = told.get("id", hashlib.sha256(text.encode()).hexdigest()[:12])
    native = str(given) if isinstance(given, int) and not isinstance(given, bool) else given
    if not isinstance(native, str) or not native.strip() or len(native) > MAX_ID or not native.isprintable():
        wrong.append(f"an id is a short text or a whole number, not {str(given)[:40]!r}")
        return ""
    return native


def _text(value: object, name: str, wrong: list[str]) -> str:
    if not isinstance(value, str) or not value.strip():
        wrong.append(
            f"{name} is empty" if value in ("", None) or isinstance(value, str) else f"{name} is no text"
        )
        return ""
    if len(value) > MAX_CHARACTERS:
        wrong.append(f"{name} has {len(value):,} characters, at most {MAX_CHARACTERS:,}")
        return ""
    return value.strip()


def _answers(told: Mapping[str, Any], wrong: list[str]) -> tuple[str, ...]:
    if "answer" in told and "answers" in told:
        wrong.append("give answer or answers, not both")
        return ()
    name = "answers" if "answers" in told else "answer"
    given = told.get(name)
    values = given if isinstance(given, list) else [given]
    if not values:
        wrong.append(f"{name} is empty")
    if len(values) > MAX_ANSWERS:
        wrong.append(
            f"{len(values):,} answers; at most {MAX_ANSWERS} that are equally good (a list is one text)"
        )
        return ()
    spelled = [
        str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
        for value in values
    ]
    return tuple(dict.fromkeys(_text(value, name, wrong) for value in spelled))


def _choices(value: object, wrong: list[str]) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > MAX_CHOICES:
        wrong.append(f"choices are a list of at most {MAX_CHOICES} texts")
        return ()
    return tuple(_text(choice, "a choice", wrong) for choice in value)


def _kind(value: object, answers: Sequence[str], choices: Sequence[str], wrong: list[str]) -> str:
    """As told, else by the answers: a choice, none, a long text, or a short one."""
    if value is not None:
        kinds = [str(kind) for kind in AnswerKind]
        if value not in kinds:
            wrong.append(f"kind is one of {', '.join(kinds)}, not {str(value)[:40]!r}")
        return str(value)
    if choices:
        return AnswerKind.CHOICE.value
    if answers and all(abstains(answer) or answer == NOT_ANSWERABLE for answer in answers):
        return AnswerKind.UNANSWERABLE.value
    is_long = any(len(answer.split()) > LONG_WORDS for answer in answers)
    return AnswerKind.LONG_FORM.value if is_long else AnswerKind.TEXT.value


def _place(told: Mapping[str, Any], finder: "FileFinder", wrong: list[str]) -> dict[str, Any]:
    """``file``, ``pages`` and ``seconds`` of the question, checked against what was read of the file."""
    name = told.get("file")
    pages, seconds = _pages(told, wrong), _seconds(told.get("seconds"), wrong)
    if name is None:
        if pages or seconds:
            wrong.append("page and seconds need a file")
        return {}
    file = finder.find(name, wrong)
    if file is None:
        return {}
    found = finder.places(file)
    if pages and (beyond := [page for page in pages if page > last_page(found)]):
        there = last_page(found)
        has = f"has {there} pages" if there else "has no pages"
        wrong.append(f"page {beyond[0]} is out of range: {str(name)[:80]} {has}")
    if seconds and seconds[0] >= (long := length_s(found)):
        has = f"lasts {long:.0f} s" if long else "is no film"
        wrong.append(f"second {seconds[0]:g} is out of range: {str(name)[:80]} {has}")
    return {"file": file.location, "pages": pages, "seconds": seconds}


def _pages(told: Mapping[str, Any], wrong: list[str]) -> tuple[int, ...]:
    given = told.get("pages", told.get("page", []))
    values = given if isinstance(given, list) else [given]
    if not all(isinstance(page, int) and not isinstance(page, bool) and page >= 1 for page in values):
        wrong.append(f"pages are whole numbers from 1, not {str(given)[:40]}")
        return ()
    return tuple(sorted(set(values)))


def _seconds(value: object, wrong: list[str]) -> tuple[float, float] | None:
    if value is None:
        return None
    values = value if isinstance(value, list) else [value, value]
    numbers = [each for each in values if isinstance(each, int | float) and not isinstance(each, bool)]
    if len(numbers) != 2 or len(values) != 2 or not 0 <= numbers[0] <= numbers[1] < float("inf"):
        wrong.append(f"seconds are one number or [begin, end], not {str(value)[:40]}")
        return None
    return float(numbers[0]), float(numbers[1])


class FileFinder:
    """Files by what people call them: their path, the end of it, or their name alone where only one has it."""

    def __init__(self, storage: Storage, files: FileLedger) -> None:
        self._storage, self._files = storage, files
        self.places = cache(self._places)

    def find(self, name: object, wrong: list[str]) -> IngestedFile | None:
        """The file; None with one more fault if there is none, or more than one."""
        if not isinstance(name, str) or not name.strip():
            wrong.append("file is a path or a name")
            return None
        found = list(self._called(name.strip()))
        if len(found) == 1:
            return found[0]
        if found:
            wrong.append(
                f"{len(found)} files are called {name[:80]!r}: give more of the path, e.g. {found[0].source!r}"
            )
            return None
        names = [file.location.rsplit("/", 1)[-1] for file in self._files.values()]
        near = nearest_name(name.rsplit("/", 1)[-1], names)
        wrong.append(f"no file {name[:80]!r} was ingested" + (f"; did you mean {near!r}?" if near else ""))
        return None

    def _called(self, name: str) -> Iterator[IngestedFile]:
        for file in self._files.values():
            if name in (file.location, file.source) or file.location.endswith(f"/{name.removeprefix('./')}"):
                yield file

    def _places(self, file: IngestedFile) -> list[Place]:
        return places(self._storage, file)
