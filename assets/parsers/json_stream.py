"""Large JSON files element by element: never more than one element and one chunk in memory.

Reads three shapes: an array, an object (its members), and an object of which one member is the array wanted.
An element that is not JSON is reported and stepped over; a file that ends too early is reported after its
whole elements. What the elements mean is the parsers' business. JSON lines have ``json_lines``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, TextIO

from assets.parsers.records import Skipped

CHUNK_CHARS = 1 << 20
_SPACE = re.compile(r"[ \t\r\n]*")
# What moves the nesting depth: whole strings are stepped over, so brackets inside them do not count.
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{},"]', re.DOTALL)
_DELIMITERS = frozenset(" \t\r\n,:]}")
_DECODER = json.JSONDecoder()


class Element(NamedTuple):
    """One element of a file, with its name for reports."""

    where: str  # "dev.json[12]" or "dev.json[key]"
    key: str  # "" in arrays
    value: object


class FileMalformed(ValueError):
    """The text is not the JSON it should be, from here on."""


class _Reader:
    """A window on the text of one file; positions are relative to the window."""

    def __init__(self, stream: TextIO, chunk_chars: int) -> None:
        self._stream = stream
        self._chunk_chars = chunk_chars
        self._text = ""
        self._at = 0
        self._ended = False

    def _more(self) -> bool:
        if self._ended:
            return False
        # Growing with the window keeps the work linear when one element spans many chunks.
        chunk = self._stream.read(max(self._chunk_chars, len(self._text) - self._at))
        self._ended = not chunk
        self._text = self._text[self._at :] + chunk
        self._at = 0
        return bool(chunk)

    def peek(self) -> str:
        """The next character that is not space; "" at the end."""
        while True:
            match = _SPACE.match(self._text, self._at)
            self._at = match.end() if match else self._at
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def expect(self, allowed: str) -> str:
        """Consume one of ``allowed``."""
        char = self.peek()
        if not char or char not in allowed:
            raise FileMalformed(f"expected one of {allowed!r}, found {char or 'the end of the file'!r}")
        self._at += 1
        return char

    def value(self) -> object:
        """Consume one JSON value.

        Raises:
            ValueError: if it is no JSON; the value has been consumed and reading can go on behind it.
            FileMalformed: if the file ends within it.
        """
        self.peek()
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
                if self._text[end : end + 1] in _DELIMITERS:  # else a number might go on in the next chunk
                    self._at = end
                    return value
            except json.JSONDecodeError:
                pass
            if (end := self._span_end()) is not None:
                text = self._text[self._at : end]
                self._at = end
                return json.loads(text)
            if not self._more():
                raise FileMalformed("the file ends within a value")

    def _span_end(self) -> int | None:
        """Where the brackets of the value at hand close, or None if the window ends first."""
        depth = 0
        for token in _TOKEN.finditer(self._text, self._at):
            mark = token.group()
            if mark == '"':  # a string that does not end in this window
                return None
            if mark in "[{":
                depth += 1
            elif mark in "]}":
                depth -= 1
                if depth <= 0:
                    return token.end() if depth == 0 else token.start()
            elif mark == "," and depth == 0:
                return token.start()
        return None

    def key(self) -> str:
        """Consume a member name and its colon."""
        name = self.value() if self.peek() == '"' else None
        if not isinstance(name, str):
            raise FileMalformed(f"expected a member name, found {self.peek() or 'the end of the file'!r}")
        self.expect(":")
        return name


def elements(
    path: Path, *, where: str, member: str | None = None, chunk_chars: int = CHUNK_CHARS
) -> Iterator[Element | Skipped]:
    """Stream the elements of the JSON file ``path``.

    A top-level array gives its elements. A top-level object gives its members, or, if ``member`` is named,
    the elements of the array that stands there. ``where`` is the file's name in reports.
    """
    try:
        with path.open(encoding="utf-8-sig") as stream:
            reader = _Reader(stream, chunk_chars)
            if reader.peek() == "[":
                yield from _array(reader, where)
            elif reader.peek() != "{":
                raise FileMalformed(f"expected an array or object, found {reader.peek() or 'nothing'!r}")
            elif member is None:
                yield from _object(reader, where)
            else:
                _enter(reader, member)
                yield from _array(reader, where)
    except (FileMalformed, UnicodeDecodeError, RecursionError) as error:
        yield Skipped(reason="file_malformed", where=where, detail=str(error))


def first_char(path: Path) -> str:
    """The first character of a file that is not space, which tells JSON shapes apart; "" if there is none."""
    with path.open(encoding="utf-8-sig", errors="replace") as stream:
        return _Reader(stream, 4096).peek()


def json_lines(path: Path, *, where: str) -> Iterator[Element | Skipped]:
    """Stream the lines of a JSON-lines file; empty lines are passed over."""
    with path.open(encoding="utf-8-sig", errors="replace") as stream:
        for number, line in enumerate(stream, start=1):
            if not line.strip():
                continue
            place = f"{where}:{number}"
            try:
                yield Element(place, "", json.loads(line))
            except (json.JSONDecodeError, RecursionError) as error:
                yield Skipped(reason="record_malformed", where=place, detail=str(error))


def _enter(reader: _Reader, member: str) -> None:
    """Consume an object up to the value of ``member``."""
    reader.expect("{")
    while True:
        if reader.key() == member:
            return
        reader.value()
        if reader.expect(",}") == "}":
            raise FileMalformed(f"the object has no member {member!r}")


def _array(reader: _Reader, where: str) -> Iterator[Element | Skipped]:
    reader.expect("[")
    if reader.peek() == "]":
        return
    index = 0
    while True:
        yield _element(reader, f"{where}[{index}]", "")
        index += 1
        if reader.expect(",]") == "]":
            return


def _object(reader: _Reader, where: str) -> Iterator[Element | Skipped]:
    reader.expect("{")
    if reader.peek() == "}":
        return
    while True:
        name = reader.key()
        yield _element(reader, f"{where}[{name}]", name)
        if reader.expect(",}") == "}":
            return


def _element(reader: _Reader, where: str, key: str) -> Element | Skipped:
    try:
        return Element(where, key, reader.value())
    except FileMalformed:
        raise
    except ValueError as error:
        return Skipped(reason="record_malformed", where=where, detail=str(error))
