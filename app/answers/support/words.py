"""The words of a sentence as they are compared: without case, accents and endings; its names; whether it denies.

Pure. Words of languages that write no spaces are compared by pairs of characters.
"""

import re
import unicodedata
from dataclasses import dataclass

_TOKEN = re.compile(r"[^\W_]+(?:['\u2019][^\W\d_]{1,2}\b)?", re.UNICODE)
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0e00-\u0e7f]")
_STOP_WORDS = """
a an the this that these those and or but nor so of in on at by for from to with as into onto over under is are was were
be been being has have had do does did will would can could may might must shall should it its he she they them his her
their we our you your i my me who whom which what when where why how there here than then also such other some any all
each both very more most up out about after before between during through per one ones get gets got der die das den dem
des ein eine einer eines einem einen und oder aber von im in am an auf aus bei mit nach zu zum zur ist sind war waren
wird wurde wurden werden hat haben er sie es sich nicht als auch wie bis fur uber jahr le la les un une des et ou de du
au aux en dans par pour sur avec est sont etait a ete il elle qui que ce cette el los las y o del al por para con es son
fue se su
"""
_STOP = frozenset(_STOP_WORDS.split())
_DENIAL_WORDS = """
not no never none neither nor without cannot nobody nothing hardly nicht kein keine keinen keiner nie niemals ohne aucun
jamais sans nunca sin ningun
"""
_DENIALS = frozenset(_DENIAL_WORDS.split())
_PAIRS = """
increas/decreas increas/fell rose/fell rise/fall grew/shrank grow/shrink more/less most/least highest/lowest
largest/smallest high/low first/last before/after earlier/later open/clos allow/prohibit allow/forbid permit/prohibit
north/south east/west northern/southern eastern/western left/right maximum/minimum win/lose won/lost success/failure
true/false accept/reject buy/sell import/export hot/cold longest/shortest upper/lower
"""
_OPPOSITES = tuple(frozenset(pair.split("/")) for pair in _PAIRS.split())
_SUFFIXES = (
    "ations",
    "ation",
    "ingly",
    "ings",
    "ing",
    "edly",
    "ies",
    "ied",
    "ed",
    "es",
    "ers",
    "er",
    "ly",
    "s",
    "en",
    "e",
)
_COMMON_ENDINGS = re.compile(r"(s|ion|ment|ing|ness|ity|ance|ence|ly|age|ure|ism)\Z")
_GERMAN = re.compile(r"\b(der|die|das|und|ist|wurde|nicht|ein|eine|mit|von)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Token:
    """A word: as it stands, as it is compared, and where."""

    text: str
    stem: str
    start: int
    end: int


def tokens(text: str) -> list[Token]:
    """The words that mean something; words without spaces between them as pairs of characters."""
    found: list[Token] = []
    for match in _TOKEN.finditer(text):
        word = match[0]
        if _UNSPACED.search(word):
            pairs = range(max(1, len(word) - 1))
            found += [
                Token(word[k : k + 2], word[k : k + 2], match.start() + k, match.start() + k + 2)
                for k in pairs
            ]
        elif (
            (plain := folded(word)) not in _STOP
            and plain not in _DENIALS
            and not plain[0].isdigit()
            and len(plain) > 1
        ):
            found.append(Token(word, stem(plain), match.start(), match.end()))
    return found


def folded(word: str) -> str:
    """Without case, accents and a genitive."""
    word = re.sub(r"['\u2019](s|S)?\Z", "", word).casefold().replace("\u00df", "ss").replace("\u0142", "l")
    return (
        "".join(char for char in unicodedata.normalize("NFKD", word) if not unicodedata.combining(char))
        or word
    )


def stem(word: str) -> str:
    """Without the endings of English and German; crude, but the same for two forms of most words."""
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= 4:
            return word[: -len(suffix)]
    return word


def is_same(one: str, other: str) -> bool:
    """Whether two stems are one word, or forms of one."""
    if one == other:
        return True
    shorter, longer = sorted((one, other), key=len)
    return len(shorter) >= 5 and longer.startswith(shorter) and len(longer) - len(shorter) <= 4


def names(sentence: str, found: list[Token]) -> list[Token]:
    """Words that name someone or something: capitals within a sentence, or at its start where it can hardly be else.

    In German every noun has a capital, so only a capital that follows one counts.
    """
    german = len(_GERMAN.findall(sentence)) >= 2
    first = re.search(r"\w", sentence)
    named: list[Token] = []
    before_end = -9
    for token in found:
        is_capital = token.text[0].isupper() and not _UNSPACED.search(token.text)
        follows = token.start - before_end <= 2
        at_start = first is not None and token.start == first.start()
        if is_capital and german:
            counts = follows
        elif is_capital and at_start:
            counts = _is_name_at_start(token, sentence)
        else:
            counts = is_capital
        if counts:
            named.append(token)
        before_end = token.end if is_capital else -9
    return named


def _is_name_at_start(token: Token, sentence: str) -> bool:
    rest = sentence[token.end :].lstrip()
    if rest[:1].isupper():
        return True
    return re.match(
        r"(was|is|has|had|will|[a-z]+ed|wrote|led|won|made|built|became)\b", rest
    ) is not None and not (_COMMON_ENDINGS.search(token.text.casefold()))


def denials(text: str) -> int:
    """How often a text denies."""
    words = [folded(word) for word in re.findall(r"[^\W\d_]+(?:['\u2019]t)?", text)]
    return sum(word in _DENIALS or word.endswith(("n't", "n\u2019t")) for word in words)


def contradicts(claim: list[Token], source: list[Token]) -> bool:
    """Whether one holds a word and the other, in its place, the opposite."""
    mine, theirs = {token.stem for token in claim}, {token.stem for token in source}
    for pair in _OPPOSITES:
        in_claim = {word for word in pair if any(each.startswith(stem(word)) for each in mine)}
        in_source = {word for word in pair if any(each.startswith(stem(word)) for each in theirs)}
        if len(in_claim) == 1 and len(in_source) == 1 and in_claim != in_source:
            return True
    return False
