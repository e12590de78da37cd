"""Bytes of a text file to text: which encoding, which line ends, and whether it is a text at all."""

import codecs
from typing import NamedTuple

from infra.errors import MediaError

FALLBACK = "cp1252"  # what files without a mark that are no UTF-8 mostly are; it reads nearly every byte
MAX_CONTROL_SHARE = 0.01  # of the characters; terminal logs hold a few, programs and archives many
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_USUAL_CONTROLS = frozenset("\t\n\r\f\v\x1b")


class DecodedText(NamedTuple):
    """``text`` with plain newlines; ``guessed`` if nothing in the bytes says that ``encoding`` is theirs."""

    text: str
    encoding: str
    guessed: bool


def decode(data: bytes) -> DecodedText:
    """UTF-8 with or without a mark, UTF-16 with one, else ``FALLBACK``.

    Raises:
        MediaError: ``text_undecodable`` (marked as an encoding that it is not), ``text_binary`` (no text).
    """
    marked = next((name for mark, name in _MARKS if data.startswith(mark)), None)
    try:
        decoded = DecodedText(data.decode(marked or "utf-8"), (marked or "utf-8").removesuffix("-sig"), False)
    except UnicodeDecodeError as error:
        if marked:
            raise MediaError("text_undecodable", f"marked as {marked}: {error.reason}") from error
        decoded = DecodedText(data.decode(FALLBACK, errors="replace"), FALLBACK, True)
    if _is_binary(decoded.text):
        raise MediaError("text_binary", f"as {decoded.encoding} it is no text")
    return decoded._replace(text=decoded.text.replace("\r\n", "\n").replace("\r", "\n"))


def _is_binary(text: str) -> bool:
    if "\0" in text:
        return True
    controls = sum(char < " " and char not in _USUAL_CONTROLS for char in text)
    return controls > MAX_CONTROL_SHARE * len(text)
