"""Reads one JSON object out of model output: forgiving with small slips, bounded on hostile input.

Forgiven, each with a note: single quotes, trailing commas, bare keys, Python literals, unknown escapes,
closing brackets left out at the end. Not guessed at: a string that never ends, a missing colon, values
without commas. One pass over at most ``MAX_CHARS`` characters, nesting at most ``MAX_DEPTH``; knows nothing
of actions.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

MAX_CHARS = 65_536
MAX_DEPTH = 8  # an action needs 4: object, arguments, items, timestamps
MAX_DIGITS = 32  # keeps int() and float() constant-time

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"

_SPACE = re.compile(r"\s*")
_QUOTED = {
    '"': re.compile(r'"((?:[^"\\]++|\\.)*+)"', re.DOTALL),
    "'": re.compile(r"'((?:[^'\\]++|\\.)*+)'", re.DOTALL),
}
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_ESCAPED = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_NUMBER = re.compile(r"[-+]?\d+(\.\d*)?([eE][-+]?\d{1,3})?", re.ASCII)
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}", re.ASCII)
_LITERALS: dict[str, Json] = {"true": True, "false": False, "null": None}
_PYTHON_LITERALS: dict[str, Json] = {"True": True, "False": False, "None": None}


class JsonError(ValueError):
    """No object can be read; ``end`` is the position where reading stopped."""

    def __init__(self, reason: str, end: int) -> None:
        super().__init__(reason)
        self.end = end


class JsonReading(NamedTuple):
    """A decoded object, the position after it, and the slips that were forgiven."""

    value: dict[str, Json]
    end: int
    repairs: tuple[str, ...]


def read_object(text: str, start: int = 0) -> JsonReading:
    """The object whose ``{`` stands at ``text[start]``. Strings come back without lone surrogates.

    Raises:
        JsonError: not an object, beyond repair, too long or too deep.
    """
    reader = _Reader(text, start)
    value = reader.object(0)
    return JsonReading(value, reader.at, tuple(dict.fromkeys(reader.repairs)))


def read_value(text: str) -> Json:
    """The one value that ``text`` is, read as forgivingly.

    Raises:
        JsonError: none, beyond repair, too long or too deep, or something stands behind it.
    """
    reader = _Reader(text, 0)
    value = reader.value(0)
    if reader.peek():
        raise JsonError("more than one value", reader.at)
    return value


def read_keywords(text: str, start: int = 0) -> JsonReading:
    """Keyword arguments whose ``(`` stands at ``text[start]``, values as in JSON or Python.

    Raises:
        JsonError: as ``read_object``.
    """
    reader = _Reader(text, start)
    value = reader.object(0, brackets="()", mark="=")
    return JsonReading(value, reader.at, tuple(dict.fromkeys(reader.repairs)))


class _Reader:
    """A recursive-descent reader whose recursion stops at ``MAX_DEPTH``."""

    def __init__(self, text: str, start: int) -> None:
        self.text, self.at, self.stop = text, start, min(len(text), start + MAX_CHARS)
        self.repairs: list[str] = []

    def object(self, depth: int, *, brackets: str = "{}", mark: str = ":") -> dict[str, Json]:
        self._open(brackets[0], depth)
        members: dict[str, Json] = {}
        for _ in self._members(brackets[1]):
            key = self._key(is_bare=mark == "=")
            if self.peek() != mark:
                raise self._error("a colon is missing" if mark == ":" else f"{mark} is missing")
            self.at += 1
            members[key] = self.value(depth + 1)
        return members

    def _array(self, depth: int) -> list[Json]:
        self._open("[", depth)
        return [self.value(depth + 1) for _ in self._members("]")]

    def value(self, depth: int) -> Json:
        char = self.peek()
        if char == "{":
            return self.object(depth)
        if char == "[":
            return self._array(depth)
        return self._string(char) if char in _QUOTED else self._scalar()

    def _open(self, bracket: str, depth: int) -> None:
        if self.peek() != bracket:
            raise self._error(f"{bracket} expected")
        if depth >= MAX_DEPTH:
            raise self._error("nested too deeply")
        self.at += 1

    def _members(self, closing: str) -> Iterator[None]:
        """Stops once before each member, and ends behind the closing bracket."""
        while not self._closes(closing):
            yield
            if self.peek() == ",":
                self.at += 1
                if self.peek() == closing:
                    self.repairs.append("trailing comma")
            elif self.peek() == "}" and closing == "]":  # the list was never closed, its object is
                self.repairs.append("closing bracket missing")
                return
            elif self.peek() not in ("", closing) and not self._at_tag():
                raise self._error("a comma is missing")

    def _closes(self, closing: str) -> bool:
        char = self.peek()
        if char == closing:
            self.at += 1
            return True
        if char and not self._at_tag():
            return False
        if self.stop < len(self.text) and not char:
            raise self._error(f"longer than {MAX_CHARS} characters")
        self.repairs.append("closing bracket added")
        return True

    def _key(self, *, is_bare: bool = False) -> str:
        char = self.peek()
        if char in _QUOTED:
            return self._string(char)
        word = _WORD.match(self.text, self.at, self.stop)
        if word is None:
            raise self._error("a key is missing")
        self.at = word.end()
        if not is_bare:
            self.repairs.append("bare key")
        return word[0]

    def _string(self, quote: str) -> str:
        quoted = _QUOTED[quote].match(self.text, self.at, self.stop)
        if quoted is None:
            self.at = self.stop
            raise self._error("a string does not end")
        self.at = quoted.end()
        if quote == "'":
            self.repairs.append("single quotes")
        return whole_characters(_ESCAPE.sub(self._unescape, quoted[1]))

    def _unescape(self, escape: re.Match[str]) -> str:
        code = escape[1]
        if len(code) == 5:
            return chr(int(code[1:], 16))
        if code == "'":
            return code
        if code not in _ESCAPED:  # such as the \\a of a formula: the backslash is meant
            self.repairs.append("unknown escape")
        return _ESCAPED.get(code, escape[0])

    def _scalar(self) -> Json:
        number = _NUMBER.match(self.text, self.at, self.stop)
        if number is not None:
            if len(number[0]) > MAX_DIGITS:
                raise self._error("a number is too long")
            self.at = number.end()
            return float(number[0]) if number[1] or number[2] else int(number[0])
        word = _WORD.match(self.text, self.at, self.stop)
        if word is None or word[0] not in _LITERALS | _PYTHON_LITERALS:
            raise self._error("a value is missing")
        self.at = word.end()
        if word[0] in _PYTHON_LITERALS:
            self.repairs.append("Python literal")
        return (_LITERALS | _PYTHON_LITERALS)[word[0]]

    def peek(self) -> str:
        """The next character that is no space, or nothing at the end."""
        space = _SPACE.match(self.text, self.at, self.stop)
        self.at = space.end() if space else self.at
        return self.text[self.at] if self.at < self.stop else ""

    def _at_tag(self) -> bool:
        return self.text.startswith(("</", "```"), self.at)

    def _error(self, reason: str) -> JsonError:
        return JsonError(reason, self.at)


def whole_characters(text: str) -> str:
    """Text that every encoding accepts: surrogate pairs joined, lone surrogates replaced by U+FFFD."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
