"""UTF-16 and UTF-32 without a mark: told by how the characters fit together.

Read the wrong way round, or where a file is something else, two bytes make characters of every script at once.
"""

import re
import unicodedata
from bisect import bisect_right
from collections import Counter
from typing import NamedTuple

SAMPLE_BYTES = 65_536  # at the beginning, a whole number of characters
MAX_STRANGE_SHARE = 0.01  # of the characters: unassigned, private or control
MIN_HALVES_SHARE = 0.2  # of the bytes; a page of Chinese has fewer, and is no UTF-8
MIN_SCRIPT_SHARE = 0.95  # of the characters: of the two commonest scripts, signs and ASCII
_ENCODINGS = ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be")
_STRANGE = frozenset({"Cc", "Cn", "Co", "Cs"})
_HALVES = re.compile(rb"[\x00-\x09\x0e-\x1f]")
_PADDING = re.compile(rb"\x00{4,}")
_USUAL = frozenset("\t\n\r\f\v\x1b\0")
# where blocks that belong together begin: Latin, Greek, ..., Indic, ..., signs, ideographs, Hangul, ...
_SCRIPTS = (
    *(0x0, 0x370, 0x400, 0x530, 0x590, 0x600, 0x780, 0x900, *range(0x980, 0xE00, 0x80), 0xE00, 0xE80),
    *(0xF00, 0x1000, 0x10A0, 0x1100, 0x1200, 0x1E00, 0x1F00, 0x2000, 0x2E80, 0xA000, 0xAC00, 0xD800),
    *(0xF900, 0xFB00, 0xFE30, 0x10000),
)
_SIGNS = bisect_right(_SCRIPTS, 0x2000)
_IDEOGRAPHS = bisect_right(_SCRIPTS, 0x2E80)
_SAME = {bisect_right(_SCRIPTS, 0xF900): _IDEOGRAPHS, bisect_right(_SCRIPTS, 0xFE30): _IDEOGRAPHS}


class WideText(NamedTuple):
    """The text and the encoding it was told to have."""

    text: str
    encoding: str


def may_be_wide(data: bytes) -> bool:
    """Whether so many bytes are control characters as only the halves of wide characters are."""
    sample = _PADDING.sub(b"", data[:SAMPLE_BYTES])
    halves = len(_HALVES.findall(sample))
    if b"\0" not in sample:  # a line of Thai or Cyrillic without blanks, no table of tabs
        return halves - sample.count(b"\t") > 2 * MIN_HALVES_SHARE * len(sample)
    return halves >= MIN_HALVES_SHARE * len(sample)


def wide_text(data: bytes) -> WideText | None:
    """``data`` in the UTF-16 or UTF-32 that it must be; None if it is neither."""
    # read the wrong way round, the characters are of more blocks
    for encoding in sorted(_ENCODINGS, key=lambda name: ("16" in name, _num_blocks(data, name))):
        sample = _sample(data, encoding)
        if sample and _is_text(sample):
            return WideText(data.decode(encoding, "replace"), encoding)
    return None


def _sample(data: bytes, encoding: str) -> str:
    unit = 4 if "32" in encoding else 2
    return data[: min(SAMPLE_BYTES, len(data) // unit * unit)].decode(encoding, "replace")


def _num_blocks(data: bytes, encoding: str) -> int:
    return len({ord(char) >> 8 for char in _sample(data, encoding)})


def _is_text(text: str) -> bool:
    strange = sum(
        char == "\ufffd" or (char not in _USUAL and unicodedata.category(char) in _STRANGE) for char in text
    )
    scripts = Counter(_script(ord(char)) for char in text if char > "\x7f")
    scripts.pop(_SIGNS, None)
    fitting = sum(count for _, count in scripts.most_common(2))
    others = scripts.total() - fitting
    nuls = len(re.findall("\0+", text))
    damaged = min(1, len(text) // 8)  # one letter may be
    return max(strange, nuls) <= damaged + MAX_STRANGE_SHARE * len(text) and others <= (
        1 - MIN_SCRIPT_SHARE
    ) * len(text)


def _script(code: int) -> int:
    script = bisect_right(_SCRIPTS, code)
    return _SAME.get(script, script)
