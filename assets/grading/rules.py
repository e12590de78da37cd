"""Which rule grades which question: by answer kind first, by dataset where its metric has a rule of its own.

Each rule compares one answer with one reference; the best reference counts. ``correct`` is strict where
``value`` is graded: exact match after normalisation, the format's own equality for numbers and lists, ROUGE-L
of at least one half for long answers. Unanswerable questions are right when the answer abstains, and only
then.
"""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from assets.corpus.question import AnswerKind, Question
from assets.grading import webqa
from assets.grading.metrics import anls, rouge_l, token_f1
from assets.grading.normalise import abstains, clean, letter_of, listed, number, slide_words, words

LONG_FORM_CORRECT = 0.5  # ROUGE-L F1 from which a long answer counts as right when no judge is there
FLOAT_TOLERANCE = 0.01  # relative; MMLongBench-Doc
# Words that must match exactly where one of them is the whole answer (HotpotQA's evaluation script).
_ALL_OR_NOTHING = (["yes"], ["no"], ["noanswer"])
# What MMLongBench-Doc compares exactly: addresses, files, page names, times, dates, whole numbers.
_EXACT = re.compile(r".*https?://.*|.*\.(py|ipynb)|page.*|.*[ap]\.m\..*|\d+([-\s]\d+)*|\S+@\S+\.\S+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """``value`` is the dataset's own metric, ``correct`` the binary reading for rewards and accuracy."""

    value: float
    """0..1, best over the references."""
    correct: bool
    metric: str
    """What ``value`` is: "f1", "anls", "rouge_l", ..."""
    explanation: str = ""
    """One line: what was compared with what."""

    def __post_init__(self) -> None:
        """Refuse what is no share of one."""
        if not 0.0 <= self.value <= 1.0:
            raise ValueError(f"a score lies in 0..1, got {self.value}")


class GradingCase(NamedTuple):
    """What a rule may look at."""

    question: str
    choices: tuple[str, ...]


Rule = Callable[[str, str, GradingCase], Score]


def grade(question: Question, answer: str) -> Score:
    """Grade ``answer`` by the rule of the question's dataset and kind.

    Raises:
        ValueError: if the question has no reference answers (hidden test splits).
    """
    return grade_answer(
        question.kind, question.dataset, question.answers, answer, question.choices, question=question.text
    )


def grade_answer(
    kind: str,
    dataset: str,
    answers: Sequence[str],
    answer: str,
    choices: Sequence[str] = (),
    *,
    question: str = "",
) -> Score:
    """As ``grade``, with the facts spelled out; ``question`` sharpens WebQA's keywords.

    Raises:
        ValueError: for an unknown kind, or without references where the kind needs them.
    """
    answer_kind = AnswerKind(kind)
    if answer_kind == AnswerKind.UNANSWERABLE:
        return _verdict(abstains(answer), "abstention", answer, "no answer")
    if not answers:
        raise ValueError(
            f"nothing to grade against: {dataset} question of kind {kind} without reference answers"
        )
    if abstains(answer) and not any(abstains(reference) for reference in answers):
        return _verdict(False, "abstention", answer, answers[0])
    rule = _RULES_OF_DATASET.get((dataset, answer_kind)) or _RULES[answer_kind]
    case = GradingCase(question, tuple(choices))
    return max(
        (rule(answer, reference, case) for reference in answers),
        key=lambda score: (score.correct, score.value),
    )


def _verdict(correct: bool, metric: str, answer: str, reference: str) -> Score:
    return Score(
        value=float(correct), correct=correct, metric=metric, explanation=_compared(answer, reference)
    )


def _compared(answer: object, reference: object) -> str:
    return f"{str(answer)[:200]!r} against {str(reference)[:200]!r}"


def _f1(answer: list[str], reference: list[str]) -> Score:
    if answer != reference and (answer in _ALL_OR_NOTHING or reference in _ALL_OR_NOTHING):
        value = 0.0
    else:
        value = token_f1(answer, reference)
    explanation = _compared(" ".join(answer), " ".join(reference))
    return Score(value=value, correct=answer == reference, metric="f1", explanation=explanation)


def text_rule(answer: str, reference: str, case: GradingCase) -> Score:
    """Token F1 (HotpotQA, SQuAD); correct on exact match of the normalised words."""
    del case
    answer_words, reference_words = words(answer), words(reference)
    if not reference_words:  # a reference of articles or punctuation alone
        answer_words, reference_words = [answer.strip()], [reference.strip()]
    return _f1(answer_words, reference_words)


def slide_rule(answer: str, reference: str, case: GradingCase) -> Score:
    """SlideVQA: token F1 over its own normalisation."""
    if not slide_words(reference):
        return text_rule(answer, reference, case)
    return _f1(slide_words(answer), slide_words(reference))


def document_rule(answer: str, reference: str, case: GradingCase) -> Score:
    """MMLongBench-Doc strings: exact for addresses, dates and numbers, else ANLS; correct on exact match."""
    del case
    ours, theirs = clean(answer), clean(reference)
    same = ours == theirs or (bool(words(reference)) and words(answer) == words(reference))
    value = 1.0 if same else 0.0 if _EXACT.fullmatch(theirs) else anls(ours, theirs)
    return Score(value=value, correct=same, metric="anls", explanation=_compared(ours, theirs))


def integer_rule(answer: str, reference: str, case: GradingCase) -> Score:
    """Equal whole numbers."""
    ours, theirs = number(answer), number(reference)
    if theirs is None:
        return document_rule(answer, reference, case)
    return _verdict(ours == theirs, "integer", answer, reference)


def float_rule(answer: str, reference: str, case: GradingCase) -> Score:
    """Within one per cent, a share and its percentage being the same (MMLongBench-Doc)."""
    ours, theirs = number(answer), number(reference)
    if theirs is None:
        return document_rule(answer, reference, case)
    readings = (theirs, theirs / 100, theirs * 100)
    close = ours is not None and any(math.isclose(ours, value, rel_tol=FLOAT_TOLERANCE) for value in readings)
    return _verdict(close, "float", answer, reference)


def list_rule(answer: str, reference: str, case: GradingCase) -> Score:
    """Equal length, then the worst element counts after sorting (MMLongBench-Doc); order is free."""
    ours, theirs = sorted(map(clean, listed(answer))), sorted(map(clean, listed(reference)))
    if len(ours) != len(theirs):
        return Score(value=0.0, correct=False, metric="list", explanation=_compared(ours, theirs))
    scores = [document_rule(*pair, case) for pair in zip(ours, theirs, strict=True)]
    return Score(
        value=min((score.value for score in scores), default=1.0),
        correct=all(score.correct for score in scores),
        metric="list",
        explanation=_compared(ours, theirs),
    )


def choice_rule(answer: str, reference: str, case: GradingCase) -> Score:
    """The same letter."""
    ours, theirs = letter_of(answer, case.choices), letter_of(reference, case.choices)
    correct = ours == theirs if theirs else answer.strip() == reference.strip()
    return _verdict(correct, "choice", ours or answer, theirs or reference)


def long_form_rule(answer: str, reference: str, case: GradingCase) -> Score:
    """ROUGE-L F1; correct from one half."""
    del case
    value = rouge_l(answer, reference)
    if not words(reference):
        value = float(answer.strip() == reference.strip())
    return Score(
        value=value,
        correct=value >= LONG_FORM_CORRECT,
        metric="rouge_l",
        explanation=f"{len(answer.split())} against {len(reference.split())} words",
    )


def webqa_rule(answer: str, reference: str, case: GradingCase) -> Score:
    """WebQA's accuracy over keywords; see ``webqa.py``."""
    keywords = webqa.compare(answer, reference, case.question)
    same = words(answer) == words(reference)
    return Score(
        value=1.0 if same else keywords.value,
        correct=same or keywords.complete,
        metric="keywords",
        explanation=f"{keywords.matched} of {keywords.wanted}",
    )


_RULES: dict[AnswerKind, Rule] = {
    AnswerKind.TEXT: text_rule,
    AnswerKind.YES_NO: text_rule,
    AnswerKind.CHOICE: choice_rule,
    AnswerKind.INTEGER: integer_rule,
    AnswerKind.FLOAT: float_rule,
    AnswerKind.LIST: list_rule,
    AnswerKind.LONG_FORM: long_form_rule,
}
_RULES_OF_DATASET: dict[tuple[str, AnswerKind], Rule] = {
    ("webqa", AnswerKind.TEXT): webqa_rule,
    ("webqa", AnswerKind.YES_NO): webqa_rule,
    ("slidevqa", AnswerKind.TEXT): slide_rule,
    ("mmlongbench_doc", AnswerKind.TEXT): document_rule,
}
