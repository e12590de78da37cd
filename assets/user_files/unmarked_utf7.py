"""UTF-7 without its mark: told where every plus sign begins what only UTF-7 writes, in letters of one script.

A telephone number, a sum or base64 with a plus in it is none: the bits behind it do not end as they must, or are letters of
many scripts.
"""

import re
import unicodedata

MIN_CHARACTERS = 3  # behind plus signs; fewer may be chance
_SEQUENCE = re.compile(r"\+([A-Za-z0-9+/]*)-?")
_BITS = 6  # of a sign of base64
_UNIT = 16  # bits of a half of a character, which what is left over must not reach
_LATIN, _SIGNS = range(0xA0, 0x250), range(0x2000, 0x2C00)


def utf7_text(data: bytes) -> str:
    """``data`` decoded, all of it ASCII; empty if it is no UTF-7 beyond doubt."""
    text = data.decode("ascii")
    hidden: list[str] = []
    for match in _SEQUENCE.finditer(text):
        if match.group() == "+-":
            continue
        shown = _shown(match.group(1))
        if shown is None:
            return ""
        hidden.append(shown)
    if len("".join(hidden)) < MIN_CHARACTERS or not _is_of_one_script("".join(hidden)):
        return ""
    try:
        return text.encode().decode("utf-7")
    except UnicodeDecodeError:
        return ""


def _shown(packed: str) -> str | None:
    """The characters of one sequence; None if it is none."""
    if not packed or len(packed) * _BITS % _UNIT >= _BITS:
        return None
    try:
        return f"+{packed}-".encode().decode("utf-7")
    except UnicodeDecodeError:
        return None


def _is_of_one_script(text: str) -> bool:
    """Whether no character need be hidden from ASCII's readers in vain, and the letters belong together."""
    blocks: set[int] = set()
    for char in text:
        code = ord(char)
        if unicodedata.category(char) in ("Cn", "Co", "Cc", "Cs"):
            return False
        if code > 0x7F and code not in _SIGNS:
            blocks.add(0 if code in _LATIN else _block(code))
    return len(blocks) == 1


def _block(code: int) -> int:
    """Ideographs, kana and Hangul are large; of other scripts, 256 characters."""
    return 1 if 0x3000 <= code < 0xD7B0 or 0xF900 <= code < 0xFB00 else code >> 8
