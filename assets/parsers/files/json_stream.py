"""Large JSON files element by element: never more than one element and one chunk in memory.

Reads, plain or compressed (gzip, bzip2, xz, zstd), in UTF-8 or UTF-16: arrays, objects (their members; a member that is an
array gives its elements), records one a line, and several of these behind each other. An element that is not
JSON is reported and stepped over; a file that ends too early, or goes on behind its end, is reported. NaN and
infinities are read as null: no benchmark means them. What the elements mean is the parsers' business.
"""

import bz2
import codecs
import gzip
import io
import lzma
import zlib
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import IO, NamedTuple, TextIO, cast

from assets.parsers.files.json_reader import (
    MAX_ELEMENT_CHARS,
    IsRecord,
    JsonReader,
    JsonValue,
    MalformedFileError,
    decoded,
)
from assets.parsers.files.raw_folder import COMPRESSED
from assets.parsers.types import SkippedRecord

CHUNK_CHARS = 1 << 20
LINE_SUFFIXES = (".jsonl", ".ndjson")
UNREADABLE = (OSError, EOFError, zlib.error, lzma.LZMAError, UnicodeError)


def _zstd(file: IO[bytes]) -> object:
    import pyarrow as pa  # a fifth of a second that the registry of parsers does without

    return pa.CompressedInputStream(pa.PythonFile(file, mode="r"), "zstd")


UNPACKERS: dict[bytes, Callable[[IO[bytes]], object]] = {
    b"\x1f\x8b": lambda file: gzip.GzipFile(fileobj=file),
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\x00": lzma.LZMAFile,
    b"\x28\xb5\x2f\xfd": _zstd,
}


class JsonElement(NamedTuple):
    """One element of a file, with its name for reports."""

    where: str  # "dev.json[12]", "dev.json[key]", "dev.json.data[12]" or "dev.jsonl:13"
    key: str  # "" in arrays and lines
    value: object


def elements(
    path: Path, *, where: str, is_record: IsRecord | None = None, chunk_chars: int = CHUNK_CHARS
) -> Iterator[JsonElement | SkippedRecord]:
    """Stream the elements of the JSON file ``path``; ``where`` is its name in reports.

    An array gives its elements. An object gives its members, of which those that are arrays give their
    elements and those that are plain values nothing; an object that ``is_record`` is itself an element.
    """
    try:
        with open_text(path) as stream:
            is_one = is_record or (lambda _: False)
            if _is_lines(path, where, is_one):
                yield from _lines(stream, where)
            else:
                yield from _values(JsonReader(stream, chunk_chars), where, is_one)
    except (MalformedFileError, *UNREADABLE, RecursionError) as error:
        yield SkippedRecord(reason="file_malformed", where=where, detail=str(error) or type(error).__name__)


def open_text(path: Path) -> TextIO:
    """The text of a file, unpacked; bytes that are no UTF-8 become lone surrogates, which ``elements`` reports."""
    file = cast(IO[bytes], path.open("rb"))
    head = file.peek(6)[:6]  # type: ignore[attr-defined]
    if unpack := next((unpack for magic, unpack in UNPACKERS.items() if head.startswith(magic)), None):
        file = cast(IO[bytes], io.BufferedReader(cast(io.RawIOBase, unpack(file))))
    head = file.peek(2)[:2]  # type: ignore[attr-defined]
    if head in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return io.TextIOWrapper(file, encoding="utf-16", errors="replace")
    return io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape")


def _is_lines(path: Path, where: str, is_record: IsRecord) -> bool:
    """Whether each line is a value of its own, so that a broken one does not hide the next."""
    with open_text(path) as stream:
        first = _next_line(stream)
        if first.startswith("["):
            return False
        if _unpacked(where).endswith(LINE_SUFFIXES):
            return not first.startswith("{") or first.endswith("}")
        if not first.endswith("}") or not _next_line(stream).startswith("{"):
            return False
    try:
        value = decoded(first).value
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and is_record(value)


def _unpacked(name: str) -> str:
    """The lower-case name without the suffix of a compression."""
    name = name.lower()
    return name.rpartition(".")[0] if name.endswith(COMPRESSED) else name


def _next_line(stream: TextIO) -> str:
    """The next line that is not empty, stripped, as far as one chunk goes."""
    while line := stream.readline(CHUNK_CHARS):
        if line.strip():
            return line.strip()
    return ""


def _lines(stream: TextIO, where: str) -> Iterator[JsonElement | SkippedRecord]:
    for number in count(1):
        line = stream.readline(MAX_ELEMENT_CHARS)
        if len(line) == MAX_ELEMENT_CHARS:
            raise MalformedFileError(f"a line of more than {MAX_ELEMENT_CHARS:,} characters")
        if not line:
            return
        if line.strip():
            yield from _element(lambda text=line: decoded(text.strip()), f"{where}:{number}", "")


def _values(reader: JsonReader, where: str, is_record: IsRecord) -> Iterator[JsonElement | SkippedRecord]:
    index, num_values = count(), 0
    while char := reader.peek():
        num_values += 1
        if char == "[":
            yield from _array(reader, where, index)
        elif char != "{":
            raise MalformedFileError(f"expected an array or object, found {char!r}")
        elif (record := reader.small_record(is_record)) is not None:
            place = f"{where}[{next(index)}]"
            yield from _element(lambda read=record: read, place, "")
        else:
            yield from _object(reader, where)
    if not num_values:
        raise MalformedFileError("the file is empty")


def _array(reader: JsonReader, where: str, index: Iterator[int]) -> Iterator[JsonElement | SkippedRecord]:
    reader.expect("[")
    while True:
        if reader.peek() == "]":  # behind a comma too: nothing is lost there
            reader.expect("]")
            return
        yield from _element(reader.legible_value, f"{where}[{next(index)}]", "")
        if reader.expect(",]") == "]":
            return


def _object(reader: JsonReader, where: str) -> Iterator[JsonElement | SkippedRecord]:
    """The members; a plain one is a description of the file, unless the others are records."""
    reader.expect("{")
    plain: list[str] = []
    holds_records = False
    while True:
        if reader.peek() == "}":
            reader.expect("}")
            return
        name = reader.key()
        shape = reader.peek()
        place = f"{where}[{name}]"
        if shape == "[":
            yield from _array(reader, f"{where}.{name}", count())
        elif shape == "{":
            holds_records = True
            yield from _element(reader.legible_value, place, name)
        else:
            elements = list(_element(reader.legible_value, place, name))
            yield from (skip for skip in elements if isinstance(skip, SkippedRecord))
            plain += [element.where for element in elements if isinstance(element, JsonElement)]
        if holds_records:
            yield from (
                SkippedRecord(reason="record_malformed", where=where, detail="no object") for where in plain
            )
            plain.clear()
        if reader.expect(",}") == "}":
            return


def _element(read: Callable[[], JsonValue], where: str, key: str) -> Iterator[JsonElement | SkippedRecord]:
    """What ``read`` gives, or why there is nothing."""
    try:
        value, num_replaced = read()
    except MalformedFileError:
        raise
    except RecursionError:
        yield SkippedRecord(reason="record_malformed", where=where, detail="nested too deeply")
        return
    except ValueError as error:
        yield SkippedRecord(reason="record_malformed", where=where, detail=str(error))
        return
    if num_replaced:
        detail = f"{num_replaced} that are no Unicode; the record is kept"
        yield SkippedRecord(reason="characters_replaced", where=where, detail=detail)
    yield JsonElement(where, key, value)
