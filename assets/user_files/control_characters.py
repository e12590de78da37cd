"""What terminals and printers obey and readers do not need: colour codes, overstrikes, NULs and other control characters.

Holds finding, counting and removing them; which encoding the bytes have is ``encodings.py``.
"""

import re
from typing import NamedTuple

MAX_NUL_SHARE = 0.25  # runs of NULs, of the characters: they may stand for blanks
MAX_CONTROL_SHARE = 0.05  # of the characters; logs hold a few, programs and archives many
# ECMA-48: control sequences (colours, cursor), strings (titles, links), the other escapes; linear, for texts are hostile
_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?|\x1b[ -/]*[0-~]?"
)
_OVERSTRUCK = re.compile(
    "[^\x08\n]\x08"
)  # a letter printed over another: bold and underlined pages of manuals
_NULS = re.compile("\0+")
_CONTROLS = re.compile("[\x01-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]")
_CONTROL_BYTES = bytes(set(range(0x20)) - set(b"\t\n\f\r\v")) + b"\x7f"
_INNER_MARK = re.compile("\ufeff")  # byte order marks, where files were joined


class CleanText(NamedTuple):
    """``text`` with plain newlines; ``notes`` say what was taken out of it."""

    text: str
    notes: tuple[str, ...]


def cleaned(text: str) -> CleanText | None:
    """``text`` without control characters; None if it has so many that it is no text."""
    removed: list[str] = []
    if not text.isprintable():
        text, escapes = _ESCAPES.subn("", text)
        text, struck = _OVERSTRUCK.subn("", text)
        length = len(text)
        text, runs = _NULS.subn("", text)
        nuls = length - len(text)
        text, controls = _CONTROLS.subn("", text)
        if _is_binary(len(text), runs, controls):
            return None
        text = _INNER_MARK.sub("", text).replace("\r\n", "\n").replace("\r", "\n").replace("\x85", "\n")
        removed += _counted(nuls, "NUL") + _counted(escapes, "terminal code")
        removed += _counted(controls + struck, "control character")
    return CleanText(text, (f"{' and '.join(removed)} removed",) if removed else ())


def without_controls(data: bytes) -> bytes | None:
    """``data`` of some encoding that extends ASCII, without control characters; None if it is no text."""
    # as Latin-1 the escapes are found; its own control characters are letters elsewhere
    text = _ESCAPES.sub("", data.decode("latin-1").replace("\x9b", "\u019b")).replace("\u019b", "\x9b")
    without_nuls, runs = _NULS.subn("", text)
    narrow = without_nuls.encode("latin-1")
    plain = narrow.translate(None, delete=_CONTROL_BYTES)
    return None if _is_binary(len(plain), runs, len(narrow) - len(plain)) else plain


def _is_binary(length: int, nul_runs: int, controls: int) -> bool:
    """``nul_runs``: a padded block is one; ``controls`` are the other control characters, ``length`` the rest."""
    return controls > MAX_CONTROL_SHARE * (length + controls) or nul_runs > MAX_NUL_SHARE * length


def _counted(number: int, what: str) -> list[str]:
    return [f"{number:,} {what}{'s' * (number != 1)}"] if number else []
