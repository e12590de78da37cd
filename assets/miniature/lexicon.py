"""Every string fragment the miniature can ever show: syllables of names, fixed words, numbers, punctuation.

Holds vocabulary and name composition only. A tokenizer whose vocabulary contains ``all_fragments()`` reads every rendering
of the miniature without falling back to bytes. Which sentences the words form is decided in ``world.py`` and
``questions.py``.
"""

import hashlib
import math
from collections.abc import Iterator
from functools import cache

CONSONANTS = "bdfgklmnprstvz"
VOWELS = "aeiou"
SYLLABLES: tuple[str, ...] = tuple(c + v for c in CONSONANTS for v in VOWELS)
NAME_SYLLABLES = 3
SPLITS = ("train", "val", "test")
SPLIT_SHARES = (8, 1, 1)  # tenths of all names

COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "white", "black")
MARKS = ("circle", "square", "triangle", "cross", "ring", "bars")
SEASONS = ("spring", "summer", "autumn", "winter")
GOODS = ("iron", "wood", "glass", "stone")
ROLES = ("baker", "pilot", "judge", "nurse", "clerk", "miner", "actor", "guard")
MATERIALS = ("brass", "copper", "silver", "steel", "clay", "ivory", "marble", "rubber")
REGIONS = ("north", "south", "east", "west")
GIFTS = ("honey", "salt", "wool", "silk", "rice", "cheese", "tea", "wine")
STEPS = ("cut", "weld", "paint", "drill", "fold", "heat", "glue", "wash")
LETTERS = ("A", "B", "C", "D")

FIXED_WORDS: tuple[str, ...] = tuple(
    (  # noqa: SIM905 - a list of quoted words would hide the groups
        # passages, captions, running heads, transcripts
        "a is the of by in at to has team person device workshop leader maker founder boss works "
        "opened lives made stands meets lies known for sells job workers badge door dial report "
        "output stock notes film video make build first then last "
        # questions
        "what where when which who how do does did was had many much on with and or have same colour "
        "code mark work open live stand meet sell region reading higher more lamp shown after start "
        "ends its badges videos "
        # the other wordings
        "head builder older age employer role home material place card cards creator gate yield store "
        "gauge staff trade chief movie movies making "
        # what is remembered and answered
        "kept reads nothing found chart table yes no not answerable "
        # ids and titles
        "deck page slide clip pdf seconds second part "
    ).split()
)
VALUE_WORDS: tuple[str, ...] = (
    *COLOURS, *MARKS, *SEASONS, *GOODS, *ROLES, *MATERIALS, *REGIONS, *GIFTS, *STEPS,
)  # fmt: skip
PUNCTUATION: tuple[str, ...] = tuple(" .,:;?!()[]{}<>|-_/'\"\n#=+*&%$@")
NUMBERS: tuple[str, ...] = (*(f"{n:02d}" for n in range(100)), *(str(n) for n in range(10)))


def _word_forms(word: str) -> tuple[str, ...]:
    """Lower-case and Capitalised, each without and with a leading space."""
    capital = word[:1].upper() + word[1:]
    return (word, " " + word, capital, " " + capital)


@cache
def all_fragments() -> tuple[str, ...]:
    """Every fragment, without repeats, in a fixed order: punctuation, numbers, syllables, words."""
    words = [w for w in (*VALUE_WORDS, *FIXED_WORDS) if w.isalpha()]
    forms = [form for text in (*SYLLABLES, *words) for form in _word_forms(text)]
    letters = [form for letter in LETTERS for form in (letter, " " + letter)]
    return tuple(dict.fromkeys((*PUNCTUATION, *NUMBERS, *forms, *letters)))


@cache
def longest_fragment() -> tuple[frozenset[str], int]:
    """All fragments, and the length of the longest."""
    fragments = frozenset(all_fragments())
    return fragments, max(map(len, fragments))


def split_of(name: str) -> str:
    """Which split a name belongs to: a hash of the name, so that the three name sets are disjoint by construction."""
    bucket = hashlib.sha256(name.encode()).digest()[0] % sum(SPLIT_SHARES)
    if bucket < SPLIT_SHARES[0]:
        return SPLITS[0]
    return SPLITS[1] if bucket < SPLIT_SHARES[0] + SPLIT_SHARES[1] else SPLITS[2]


def reads_by_syllable(name: str) -> bool:
    """False for a name in which a fixed word hides ("Notape" would be read "Not" first)."""
    fragments, longest = longest_fragment()
    for prefix in ("", " "):
        text, at = prefix + name, 0
        for syllable in range(NAME_SYLLABLES):
            size = 2 + (len(prefix) if syllable == 0 else 0)
            if any(text[at : at + n] in fragments for n in range(size + 1, min(longest, len(text) - at) + 1)):
                return False
            at += size
    return True


def names(split: str, *, seed: int = 0) -> Iterator[str]:
    """The names of one split, each once, in an order shuffled by ``seed``: three different syllables, Capitalised.

    Raises:
        ValueError: for an unknown split.
    """
    if split not in SPLITS:
        raise ValueError(f"split must be one of {SPLITS}, got {split!r}")
    total = len(SYLLABLES) ** NAME_SYLLABLES
    stride = (
        2 * 7919 * (seed % 1009) + 104_729
    )  # made coprime to the total below: the walk visits every name once
    while math.gcd(stride, total) != 1:
        stride += 2
    for step in range(total):
        code = (seed * 31 + step * stride) % total
        parts = [SYLLABLES[code // 70**place % 70] for place in range(NAME_SYLLABLES)]
        name = "".join(parts).capitalize()
        if len(set(parts)) == NAME_SYLLABLES and split_of(name) == split and reads_by_syllable(name):
            yield name
