"""The scores as the benchmarks' own scripts compute them, oddities included, beside our verdicts.

Written from the published rules: SQuAD's and HotpotQA's evaluation scripts, SlideVQA's ``evaluate.py``, MMLongBench-Doc's
``eval_score.py``, VideoRAG's ``evaluation.py`` (ROUGE-L, BLEU-4), LVBench's letters, WebQA's approximation. Where a rule wants a
fact that is not kept (WebQA's category), it is told from the reference. ``rules.py`` decides right and wrong.
"""

import math
import re
import string
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from assets.corpus.question import AnswerKind
from assets.grading import webqa
from assets.grading.metrics import anls, bleu4, rouge_l
from assets.grading.normalise import NUMBER_WORDS, abstains, letter_of, listed, words

Scores = dict[str, float]
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLE = re.compile(r"\b(a|an|the)\b")
_SLIDE_WORDS = {word: value for word, value in NUMBER_WORDS.items() if word != "twenty"}
_SLIDE_TEXTS = (
    *(("this is ", ""), ("it is ", ""), ("&", ","), ("and", ","), ("percent", "")),
    *(("organisation", "organization"), ("because of", ""), ("because", ""), ("due to", "")),
    *(("hours", "hrs"), ("minites", "min")),
)
_EXACT = re.compile(
    r"\d+(-\d+|\s\d+)?|\d{4}[-\s]\d{2}[-\s]\d{2}|\d{4}[-\s]\d{2}|[a-zA-Z0-9._%+-]+@[a-zA-Z0-9.-]+\.[a-zA-Z]{2,}"
)
_YES_NO = ("yes", "no", "noanswer")


def published_scores(
    kind: str,
    dataset: str,
    answers: Sequence[str],
    answer: str,
    choices: Sequence[str] = (),
    *,
    question: str = "",
) -> Scores:
    """What the benchmark's script gives for one answer, by the script's names of its scores, each in 0..1.

    The best reference counts, score by score. Empty for a benchmark that is graded by a judge alone.
    """
    answer_kind = AnswerKind(kind)
    if answer_kind is AnswerKind.UNANSWERABLE:
        return _unanswerable(dataset, answer)
    rule = _RULES.get(dataset) or _by_kind(answer_kind)
    scored = [rule(answer_kind, reference, answer, question, choices) for reference in answers]
    return {name: max(each[name] for each in scored) for name in (scored[0] if scored else ())}


def _unanswerable(dataset: str, answer: str) -> Scores:
    """Scripts want an empty answer (SQuAD 2.0) or the words (MMLongBench-Doc); an agent's abstention is handed in as such."""
    silent = abstains(answer) or not answer.strip()
    if dataset == "mmlongbench_doc":
        return {"score": 1.0 if abstains(answer) else anls(_cleaned("Not answerable"), _cleaned(answer))}
    return {"em": float(silent), "f1": float(silent)}


def _by_kind(kind: AnswerKind) -> "Rule":
    return {AnswerKind.CHOICE: _letters, AnswerKind.LONG_FORM: _how_to}.get(kind, _words)


def f1(answer: Sequence[str], reference: Sequence[str]) -> float:
    """Of the bags of words; where one is empty, whether both are."""
    if not answer or not reference:
        return float(list(answer) == list(reference))
    shared = sum((Counter(answer) & Counter(reference)).values())
    return 2 * shared / (len(answer) + len(reference))


def _words(kind: AnswerKind, reference: str, answer: str, question: str, choices: Sequence[str]) -> Scores:
    """SQuAD 1.1 and 2.0."""
    del kind, question, choices
    ours, theirs = words(answer), words(reference)
    return {"em": float(ours == theirs), "f1": f1(ours, theirs)}


def _hotpot(kind: AnswerKind, reference: str, answer: str, question: str, choices: Sequence[str]) -> Scores:
    """As SQuAD's, but yes, no and noanswer are all or nothing."""
    scores = _words(kind, reference, answer, question, choices)
    ours, theirs = (" ".join(words(text)) for text in (answer, reference))
    if ours != theirs and (ours in _YES_NO or theirs in _YES_NO):
        return {**scores, "f1": 0.0}
    return scores


def slide_tokens(text: str, question: str) -> list[str]:
    """SlideVQA's normalisation: phrases and the unit that the question asks for go, wherever they stand."""
    plain = text.lower()
    for phrase, instead in _SLIDE_TEXTS:
        plain = plain.replace(phrase, instead)
    for asking in ("how many", "which"):
        behind = question.partition(asking)[2].split() if asking in question else []
        if behind:
            plain = plain.replace(behind[0], "")
    plain = _ARTICLE.sub(" ", plain.translate(_PUNCTUATION))
    if plain.startswith(("yes", "no")):
        plain = plain.split()[0]
    return [_SLIDE_WORDS.get(word, word) for word in plain.split()]


def _slides(kind: AnswerKind, reference: str, answer: str, question: str, choices: Sequence[str]) -> Scores:
    del kind, choices
    ours, theirs = slide_tokens(answer, question), slide_tokens(reference, question)
    shared = bool(Counter(ours) & Counter(theirs))
    return {"em": float(shared and ours == theirs), "f1": f1(ours, theirs) if shared else 0.0}


def _cleaned(text: str) -> str:
    """MMLongBench-Doc's cleaning; its stripping of units has no effect in the script either."""
    plain = re.sub(r"\s*\([^)]*\)", "", text.lower().strip()).strip()
    plain = re.sub(r"^['\"]|['\"]$", "", plain).strip()
    return plain.lstrip("$").strip().rstrip("%").strip()


def _is_exact(text: str) -> bool:
    """Whether MMLongBench-Doc wants it letter by letter: addresses, files, pages, telephone numbers, times, dates."""
    ends = text.endswith((".py", "ipynb"))
    holds = any(part in text for part in ("https://", "a.m.", "p.m."))
    return ends or holds or text.startswith("page") or bool(_EXACT.fullmatch(text))


def _document(kind: AnswerKind, reference: str, answer: str, question: str, choices: Sequence[str]) -> Scores:
    """By the format of the answer: Int, Float, List, else Str."""
    del question, choices
    formats: Mapping[AnswerKind, Callable[[str, str], float]] = {
        AnswerKind.INTEGER: _integer,
        AnswerKind.FLOAT: _float,
        AnswerKind.LIST: _list,
    }
    return {"score": formats.get(kind, _string)(reference, answer)}


def _string(reference: str, answer: str) -> float:
    theirs, ours = _cleaned(reference), _cleaned(answer)
    return float(theirs == ours) if _is_exact(theirs) else anls(theirs, ours)


def _integer(reference: str, answer: str) -> float:
    """int(float(...)) of the answer as it stands; what is no number is wrong."""
    try:
        return float(int(reference) == int(float(answer)))
    except (ValueError, OverflowError):
        return 0.0


def _float(reference: str, answer: str) -> float:
    """Within one per cent, or equal when rounded, of the reference, a hundredth and a hundred times it."""
    try:
        theirs, ours = float(_cleaned(reference)), float(_cleaned(answer))
    except ValueError:
        return 0.0
    readings = (theirs / 100, theirs, theirs * 100)
    return float(
        any(math.isclose(each, ours, rel_tol=0.01) or _rounded_alike(each, ours) for each in readings)
    )


def _rounded_alike(reference: float, answer: float) -> bool:
    precision = max(min(_decimals(reference), _decimals(answer)), 2)
    return round(answer, precision) == round(reference, precision)


def _decimals(number: float) -> int:
    return len(str(number).rpartition(".")[2]) if "." in str(number) else 3


def _list(reference: str, answer: str) -> float:
    """Equal lengths; sorted, all equal where the first is a number or exact, else the worst ANLS.

    The script reads a Python list; an answer in words is parted at commas and "and" first, as its extraction step does.
    """
    theirs, ours = (sorted(map(_cleaned, listed(text))) for text in (reference, answer))
    if len(theirs) != len(ours) or not theirs:
        return float(not theirs and not ours)
    if _is_number(theirs[0]) or _is_exact(theirs[0]):
        return float("-".join(theirs) == "-".join(ours))
    return min(anls(one, other) for one, other in zip(theirs, ours, strict=True))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _letters(kind: AnswerKind, reference: str, answer: str, question: str, choices: Sequence[str]) -> Scores:
    """LVBench: the letter."""
    del kind, question
    theirs = letter_of(reference, choices)
    return {"accuracy": float(bool(theirs) and letter_of(answer, choices) == theirs)}


def _how_to(kind: AnswerKind, reference: str, answer: str, question: str, choices: Sequence[str]) -> Scores:
    """VideoRAG; its BERTScore wants a model and is left out."""
    del kind, question, choices
    return {"rouge_l": rouge_l(answer, reference), "bleu_4": bleu4(answer, reference)}


def _keywords(kind: AnswerKind, reference: str, answer: str, question: str, choices: Sequence[str]) -> Scores:
    """WebQA's accuracy: F1 over a closed set for colours, shapes, numbers and yes/no, recall of the keywords else."""
    del kind, choices
    return {"accuracy": webqa.compare(answer, reference, question).value}


Rule = Callable[[AnswerKind, str, str, str, Sequence[str]], Scores]
_RULES: Mapping[str, Rule] = {
    "squad": _words,
    "hotpotqa": _hotpot,
    "slidevqa": _slides,
    "mmlongbench_doc": _document,
    "webqa": _keywords,
    "lvbench": _letters,
    "wikihowqa": _how_to,
    "syntheticqa": _how_to,
}
