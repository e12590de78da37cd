"""One JSON value after another out of a text that is never held whole.

Holds the window on the text and what counts as a value; how files are opened and which values are elements is
in ``json_stream.py``. NaN and infinities are read as null: no benchmark means them.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple, TextIO, cast

MAX_ELEMENT_CHARS = 1 << 28  # of one element: hundreds of times the largest record of any benchmark
_SPACE = re.compile(r"[ \t\r\n]*")
# What moves the nesting depth: whole strings are stepped over, so brackets inside them do not count.
_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{},"]', re.DOTALL)
_DELIMITERS = frozenset(" \t\r\n,:]}")
_DECODER = json.JSONDecoder(parse_constant=lambda _: None)
_SURROGATE = re.compile("[\ud800-\udfff]")

IsRecord = Callable[[Mapping[str, object]], bool]
"""Tells a record from an object that holds records."""


class MalformedFileError(ValueError):
    """The text is not the JSON it should be, from here on."""


class JsonValue(NamedTuple):
    """A value, legible throughout."""

    value: object
    num_replaced: int  # characters that are no Unicode


class JsonReader:
    """A window on the text of one file; positions are relative to the window."""

    def __init__(self, stream: TextIO, chunk_chars: int) -> None:
        self._stream = stream
        self._chunk_chars = chunk_chars
        self._text = ""
        self._at = 0
        self._ended = False
        self._is_doubtful = False  # whether the window may hold characters that are no Unicode

    def _more(self) -> bool:
        if self._ended:
            return False
        if len(self._text) - self._at > MAX_ELEMENT_CHARS:
            raise MalformedFileError(f"an element of more than {MAX_ELEMENT_CHARS:,} characters")
        # Growing with the window keeps the work linear when one element spans many chunks.
        chunk = self._stream.read(max(self._chunk_chars, len(self._text) - self._at))
        self._ended = not chunk
        rest = self._text[self._at :]
        self._is_doubtful = (self._is_doubtful and bool(rest)) or _is_doubtful(rest[-6:] + chunk)
        self._text = rest + chunk
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
            raise MalformedFileError(f"expected one of {allowed!r}, found {char or 'the end of the file'!r}")
        self._at += 1
        return char

    def small_record(self, is_record: IsRecord) -> JsonValue | None:
        """Consume the object at hand if it ends within a chunk and is a record, else nothing."""
        if self.peek() and len(self._text) - self._at < self._chunk_chars:
            self._more()
        try:
            value, end = _DECODER.raw_decode(self._text, self._at)
        except (ValueError, RecursionError):
            return None
        if not isinstance(value, dict) or not is_record(value):
            return None
        self._at = end
        return _read(value, self._is_doubtful)

    def legible_value(self) -> JsonValue:
        """``value`` without what is no Unicode; raises alike."""
        value = self.value()
        return _read(value, self._is_doubtful)

    def value(self) -> object:
        """Consume one JSON value.

        Raises:
            ValueError: if it is no JSON, RecursionError: if it is nested too deeply; it has been consumed and
                reading can go on behind it.
            MalformedFileError: if the file ends within it, or it is longer than an element may be.
        """
        self.peek()
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
                if self._text[end : end + 1] in _DELIMITERS:  # else a number might go on in the next chunk
                    self._at = end
                    return value
            except (ValueError, RecursionError):
                pass
            if (end := self._span_end()) is not None:
                text = self._text[self._at : end]
                self._at = end
                return _DECODER.decode(text)
            if not self._more():
                raise MalformedFileError("the file ends within a value")

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
            raise MalformedFileError(
                f"expected a member name, found {self.peek() or 'the end of the file'!r}"
            )
        self.expect(":")
        return name


def decoded(text: str) -> JsonValue:
    """The one value of ``text``; raises as ``JsonReader.value``."""
    return _read(_DECODER.decode(text), _is_doubtful(text))


def _read(value: object, is_doubtful: bool) -> JsonValue:
    return JsonValue(*legible(value)) if is_doubtful else JsonValue(value, 0)


def _is_doubtful(text: str) -> bool:
    if "\\ud" in text or "\\uD" in text:
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def legible(value: object) -> tuple[object, int]:
    """``value`` with U+FFFD for lone surrogates, which no table can hold, and how many there were."""
    if isinstance(value, str):
        return (value, 0) if value.isascii() else _SURROGATE.subn("\ufffd", value)
    if isinstance(value, list):
        pairs = [legible(element) for element in value]
        return [element for element, _ in pairs], sum(number for _, number in pairs)
    if isinstance(value, dict):
        keys, num_keys = legible(list(value))
        values, num_values = legible(list(value.values()))
        members = zip(cast(list[str], keys), cast(list[object], values), strict=True)
        return dict(members), num_keys + num_values
    return value, 0
