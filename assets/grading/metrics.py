"""Similarities of one answer and one reference, each between 0 and 1.

Pure functions of words or strings; normalisation lives in ``normalise.py``, the choice of rule in
``rules.py``.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache

from rapidfuzz.distance import LCSseq, Levenshtein

ANLS_THRESHOLD = 0.5  # similarities up to this count as 0, as in the DocVQA family
UNSTEMMED = 3  # characters; shorter words are compared as they are


def token_f1(answer: Sequence[str], reference: Sequence[str]) -> float:
    """Harmonic mean of precision and recall over the bags of words; 1 if both are empty."""
    if not answer or not reference:
        return float(list(answer) == list(reference))
    shared = sum((Counter(answer) & Counter(reference)).values())
    return 2 * shared / (len(answer) + len(reference))


def anls(answer: str, reference: str) -> float:
    """1 - edit distance / longer length, 0 up to the threshold (normalised Levenshtein similarity)."""
    longer = max(len(answer), len(reference))
    if not longer:
        return 1.0
    similarity = 1 - Levenshtein.distance(answer, reference) / longer
    return similarity if similarity > ANLS_THRESHOLD else 0.0


def rouge_l(answer: str, reference: str) -> float:
    """ROUGE-L F1 over stemmed lower-case words; for English as the package rouge-score with ``use_stemmer``.

    That package deletes every letter beyond ASCII (docs/decisions/0017-libraries.md).
    """
    answer_words, reference_words = stemmed(answer), stemmed(reference)
    if not answer_words or not reference_words:
        return float(answer_words == reference_words)
    common = LCSseq.similarity(answer_words, reference_words)
    return 2 * common / (len(answer_words) + len(reference_words))


def bleu4(answer: str, reference: str) -> float:
    """Sentence BLEU of up to four words (Papineni et al., 2002), zero counts smoothed by a tenth: NLTK's, as VideoRAG reports it.

    Words are what spaces part, as they are written.
    """
    from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu

    answer_words, reference_words = answer.split(), reference.split()
    if not answer_words or not reference_words:
        return float(answer_words == reference_words)
    value = sentence_bleu([reference_words], answer_words, smoothing_function=SmoothingFunction().method1)
    return min(1.0, max(0.0, float(value)))  # type: ignore[arg-type]


def stemmed(text: str) -> list[str]:
    """Lower-case runs of letters and digits; those longer than three characters by their Porter stem."""
    stem = _stemmer()
    words = re.findall(r"[^\W_]+", text.lower())
    return [stem(word) if len(word) > UNSTEMMED else word for word in words]


@cache
def _stemmer() -> Callable[[str], str]:
    from nltk.stem.porter import PorterStemmer  # half a second that only long answers need

    return cache(PorterStemmer().stem)
