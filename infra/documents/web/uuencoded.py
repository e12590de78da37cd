"""Files that stand in the text of an old mail: ``begin 644 NAME``, lines of uuencode, ``end``."""

import binascii
import re

from infra.documents.blocks import Attachment
from infra.documents.text import one_line

_FILE = re.compile(
    r"^begin [0-7]{3,4} ([^\n]{1,200})\n((?:[!-`][^\n]{0,90}\n)+?)(?:[` ]?\n)?end[ \t]*$", re.MULTILINE
)


def without_uuencoded(text: str) -> tuple[str, list[Attachment]]:
    """The words of ``text``, which has plain newlines, and the files in it."""
    files: list[Attachment] = []

    def taken(match: re.Match[str]) -> str:
        data = _decoded(match.group(2))
        if not data:
            return match.group()
        files.append(Attachment(data, one_line(match.group(1))))
        return ""

    return (_FILE.sub(taken, text) if "\nend" in text else text), files


def _decoded(lines: str) -> bytes:
    pieces: list[bytes] = []
    for line in lines.split("\n"):
        if not line or line[0] in "` ":
            continue
        length = (ord(line[0]) - 32) & 63
        # trailing blanks are lost on the way
        padded = line.ljust(1 + (length * 4 + 5) // 3)[: 1 + 4 * ((length + 2) // 3)]
        try:
            pieces.append(binascii.a2b_uu(padded.encode("ascii")))
        except (binascii.Error, ValueError):
            return b""
    return b"".join(pieces)
