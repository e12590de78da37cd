"""Each sentence of an answer beside the sources: supported, partly, or without a source; and where it stands.

Pure, and no judge of meaning: a sentence is supported where one place of a source holds its numbers, its names and enough of its
words, and denies no more and no less. What is paraphrased beyond recognition is "partly" at best; a statement that needs two
sources is partly supported by each.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from app.answers.support.quantities import Quantity, quantities
from app.answers.support.words import Token, contradicts, denials, is_same, names, tokens

MAX_CLAIMS = 100
MAX_PASSAGES = 60
MAX_PASSAGE_CHARS = 20_000  # of one source; the model is shown less
MAX_WINDOW = 3  # neighbouring sentences that are looked at together
ENOUGH = (0.7, 0.5, 0.3)  # of the words, for a sentence with no, one, or more numbers and names
ABOUT = 0.6  # of the words: the sentence says the same of something
RELATED = 0.35  # of words and facts together; below that it is about something else
LONG = 400  # characters; where equal, a shorter place is shown
HEAD = 5  # characters that two forms of a word share at least
FACT_WEIGHT = 2.0  # words that a number or a name counts for

_SENTENCE_END = re.compile(
    r"(?<=[.!?\u3002\uff01\uff1f])[\"'\u201d)\]]*\s+(?=\S)|(?<=[\u3002\uff01\uff1f])|\n+"
)
_ABBREVIATION = re.compile(
    r"\b(?:[A-Z]|Dr|Mr|Mrs|Ms|Prof|St|No|Nr|vol|fig|p|pp|ca|approx|z\.B|d\.h|e\.g|i\.e|vs|Mio)\.\s*\Z|\A\W*\d{1,3}\.\s*\Z"
)
_ORDINAL = re.compile(r"(?<!\d)\d{1,2}\.\s*\Z")
_GOES_ON = re.compile(r"[a-z]|(?i:jan|feb|m[a\u00e4]r|apr|ma[iy]|ju[nl]|aug|sep|o[ck]t|nov|de[cz])")
_MARK = re.compile(r"\s*\[\d{1,3}\]")
_NO_ANSWER = re.compile(r"\W*(not answerable|no answer|unanswerable)\W*\Z", re.IGNORECASE)


class Verdict(StrEnum):
    """What the sources say of a sentence."""

    SUPPORTED = "supported"
    PARTLY = "partly"
    NONE = "no source found"


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A text that the model was shown of one item."""

    item_id: str
    title: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A sentence of an answer; ``start`` and ``end`` are characters of the answer, those of the quote of the passage's text."""

    text: str
    start: int
    end: int
    verdict: Verdict
    item_id: str = ""
    quote: str = ""
    quote_start: int = 0
    quote_end: int = 0
    missing: tuple[str, ...] = ()
    """Numbers and names of the sentence that its best place does not hold."""


@dataclass(frozen=True, slots=True)
class _Span:
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Match:
    """How much of a claim stands at one place."""

    score: float  # 0 to 1, facts count double
    words: float
    missing: tuple[str, ...]
    facts: int
    agrees: bool
    passage: Passage
    span: _Span
    is_sentence: bool = True
    conflicts: bool = False  # it has other numbers of the kinds that are missing


def check(answer: str, passages: Sequence[Passage], *, context: str = "") -> tuple[Claim, ...]:
    """The sentences of an answer, each with its verdict; none for an answer that says there is none.

    ``context`` is the question: an answer of a word or a number is looked for beside the question's words.
    """
    if _NO_ANSWER.match(answer):
        return ()
    return tuple(_claim(answer, span, passages, context) for span in sentences(answer)[:MAX_CLAIMS])


def sentences(text: str) -> list[_Span]:
    """Where the sentences of a text stand; abbreviations and numbers end none."""
    spans: list[_Span] = []
    start = 0
    for end in [*(match.end() for match in _SENTENCE_END.finditer(text)), len(text)]:
        piece = text[start:end]
        if end < len(text) and "\n" not in piece and _goes_on(piece, text[end : end + 3]):
            continue
        if re.search(r"\w", piece):
            left = start + len(piece) - len(piece.lstrip())
            spans.append(_Span(left, start + len(piece.rstrip())))
        start = end
    return spans


def _goes_on(piece: str, rest: str) -> bool:
    """Whether the point at the end of ``piece`` belongs to an abbreviation, an ordinal or the number of a list."""
    if _ABBREVIATION.search(piece):
        return True
    return _ORDINAL.search(piece) is not None and _GOES_ON.match(rest) is not None


def _claim(answer: str, span: _Span, passages: Sequence[Passage], context: str) -> Claim:
    text = answer[span.start : span.end]
    best = max(
        (
            match
            for passage in passages[:MAX_PASSAGES]
            for match in _matches(_MARK.sub("", text), passage, context)
        ),
        key=lambda match: (match.agrees and not match.missing, match.score),
        default=None,
    )
    verdict = Verdict.NONE if best is None else _verdict(best)
    if best is None or verdict is Verdict.NONE:
        return Claim(text=text, start=span.start, end=span.end, verdict=Verdict.NONE)
    return Claim(
        text=text,
        start=span.start,
        end=span.end,
        verdict=verdict,
        item_id=best.passage.item_id,
        quote=best.passage.text[best.span.start : best.span.end],
        quote_start=best.span.start,
        quote_end=best.span.end,
        missing=best.missing,
    )


def _verdict(match: _Match) -> Verdict:
    if match.score < RELATED:
        return Verdict.NONE
    enough = ENOUGH[min(match.facts, len(ENOUGH) - 1)]
    if not match.missing and match.agrees and match.words >= enough:
        return Verdict.SUPPORTED
    return Verdict.PARTLY


@dataclass(frozen=True, slots=True)
class _Read:
    """A place of a source, taken apart."""

    span: _Span
    is_sentence: bool
    words: list[Token]
    stems: frozenset[str]
    heads: frozenset[str]  # of longer stems, so that forms of a word are found without comparing all
    quantities: list[Quantity]
    denials: int

    def holds(self, token: Token) -> bool:
        """Whether it has the word, or a form of it."""
        if token.stem in self.stems:
            return True
        return token.stem[:HEAD] in self.heads and any(is_same(token.stem, each) for each in self.stems)


@lru_cache(maxsize=256)
def _windows(text: str) -> tuple[_Read, ...]:
    """Every one to three neighbouring sentences of a source."""
    spans = sentences(text[:MAX_PASSAGE_CHARS])
    return tuple(
        _read(text, _Span(spans[place].start, spans[place + size - 1].end), is_sentence=size == 1)
        for size in range(1, MAX_WINDOW + 1)
        for place in range(len(spans) - size + 1)
    )


def _read(text: str, span: _Span, *, is_sentence: bool) -> _Read:
    piece = text[span.start : span.end]
    words = tokens(piece)
    stems = frozenset(word.stem for word in words)
    heads = frozenset(each[:HEAD] for each in stems if len(each) >= HEAD)
    return _Read(span, is_sentence, words, stems, heads, quantities(piece), denials(piece))


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a place has to hold."""

    words: list[Token]
    names: list[Token]
    quantities: list[Quantity]
    hints: list[Token]  # the question's words, for an answer that has none of its own
    denials: int


def _wanted(claim: str, context: str) -> _Wanted:
    found, counted = tokens(claim), quantities(claim)
    named = names(claim, found)
    plain = [token for token in found if token not in named and not _is_in(token, counted)]
    return _Wanted(plain, named, counted, tokens(context) if len(plain) < 2 else [], denials(claim))


def _matches(claim: str, passage: Passage, context: str) -> list[_Match]:
    """The claim beside every place of a passage."""
    wanted = _wanted(claim, context)
    everywhere = {token.stem for token in tokens(f"{passage.title} {passage.text[:MAX_PASSAGE_CHARS]}")}
    found = [_match(place, passage, wanted, everywhere) for place in _windows(passage.text)]
    # a sentence that says the same with another number is not mended by a number from elsewhere
    about = max((match for match in found if match.is_sentence), key=lambda match: match.words, default=None)
    if about is not None and about.conflicts and about.words >= ABOUT:
        return [match for match in found if match.is_sentence and match.words >= ABOUT]
    return found


def _match(place: _Read, passage: Passage, wanted: _Wanted, everywhere: set[str]) -> _Match:
    """Numbers have to stand at the place itself, names anywhere in its source."""
    held = sum(map(place.holds, wanted.words))
    near = [token for token in wanted.names if token.stem in place.stems]
    lost = [token.text for token in wanted.names if token not in near and token.stem not in everywhere]
    wrong = [quantity for quantity in wanted.quantities if not quantity.stands_in(place.quantities)]
    facts = len(wanted.names) + len(wanted.quantities)
    right = len(near) + len(wanted.quantities) - len(wrong)
    weight = len(wanted.words) + FACT_WEIGHT * facts
    score = (held + FACT_WEIGHT * right) / weight if weight else 0.0
    hints = sum(map(place.holds, wanted.hints)) / max(1, len(wanted.hints))
    nearness = 0.01 * hints - 0.02 * (place.span.end - place.span.start > LONG)
    words = held / len(wanted.words) if wanted.words else 1.0
    denied = wanted.denials % 2 != place.denials % 2 and (wanted.denials > 0 or words == 1.0)
    agrees = not denied and not contradicts(wanted.words, place.words)
    missing = (*lost, *map(_written, wrong))
    kinds = {each.unit for each in place.quantities}
    conflicts = any(quantity.unit in kinds for quantity in wrong)
    return _Match(
        score + nearness, words, missing, facts, agrees, passage, place.span, place.is_sentence, conflicts
    )


def _written(quantity: Quantity) -> str:
    if quantity.date is not None:
        return "-".join(str(part) for part in quantity.date if part)
    return f"{min(quantity.values):g}"


def _is_in(token: Token, counted: list[Quantity]) -> bool:
    return any(quantity.start <= token.start < quantity.end for quantity in counted)
