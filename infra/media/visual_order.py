"""Lines of scripts that run from right to left, which a recogniser reads as it sees them: from left to right. Pure."""

import re
import unicodedata

_RUN = re.compile(r"[A-Za-z0-9 :*./%+-]+|.", re.DOTALL)  # words and numbers within such a line run as ever


def spoken_order(line: str) -> str:
    """``line`` with its parts in the order in which they are read; unchanged unless a letter runs from right to left.

    The models of PP-OCR are trained on lines that were turned by the same rule.
    """
    if not any(unicodedata.bidirectional(char) in ("R", "AL") for char in line):
        return line
    return "".join(reversed(_RUN.findall(line)))
