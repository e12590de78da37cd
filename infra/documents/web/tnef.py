"""``winmail.dat``: the subject, the body and the attachments that Outlook wraps into one part of a mail (MS-OXTNEF)."""

import struct
from collections.abc import Iterator

from infra.documents.blocks import Attachment, Block, Document, Heading, Paragraph, Section
from infra.documents.encoding import declared_in, decoded
from infra.documents.text import clean, one_line
from infra.documents.web.compressed_rtf import rich_text_blocks
from infra.documents.web.page import page_blocks
from infra.errors import MediaError

_HEAD_BYTES = 6
_SUBJECT, _BODY, _PROPERTIES = 0x8004, 0x800C, 0x9003
_BEGINS, _TITLE, _DATA, _FILE_PROPERTIES = 0x9002, 0x8010, 0x800F, 0x9005
_RICH, _PAGE, _PLAIN, _LONG_NAME, _CONTENT = 0x1009, 0x1013, 0x1000, 0x3707, 0x3701
_MOST_PROPERTIES, _MOST_VALUES = 10_000, 1_000
_FIXED = {2: 4, 3: 4, 4: 4, 5: 8, 6: 8, 7: 8, 10: 4, 11: 4, 20: 8, 64: 8, 72: 16}  # bytes of a value, padded
_STRING, _WIDE, _OBJECT, _BINARY, _SEVERAL = 0x1E, 0x1F, 0x0D, 0x102, 0x1000


def read_tnef(data: bytes) -> Document:
    """One section. Raises ``MediaError``."""
    attributes = list(_attributes(data))
    if not attributes:
        raise MediaError(
            "kind_unsupported", "Outlook attachment (winmail.dat) with nothing in it that is known"
        )
    return Document("Outlook attachment", (Section("", tuple(_blocks(attributes))),))


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The number and the bytes of each attribute, as far as they are whole."""
    position = _HEAD_BYTES
    while position + 9 <= len(data):
        number, _, size = struct.unpack_from("<HHI", data, position + 1)
        position += 9
        if position + size > len(data):
            return
        yield number, data[position : position + size]
        position += size + 2  # a sum of the bytes


def _blocks(attributes: list[tuple[int, bytes]]) -> Iterator[Block]:
    first = dict(reversed(attributes))
    told = dict(_values(first.get(_PROPERTIES, b"")))
    if subject := one_line(_words(first.get(_SUBJECT, b""))):
        yield Heading(subject)
    yield from _body(first, told)
    name, content = "", b""
    for number, value in (*attributes, (_BEGINS, b"")):
        if number == _BEGINS:
            if content:
                yield Attachment(content, name)
            name, content = "", b""
        elif number == _TITLE:
            name = name or one_line(_words(value))
        elif number == _DATA:
            content = value
        elif number == _FILE_PROPERTIES:
            of_file = dict(_values(value))
            name = one_line(_words(of_file.get(_LONG_NAME, b""))) or name
            content = content or of_file.get(_CONTENT, b"")[16:]  # behind the number of its interface


def _body(first: dict[int, bytes], told: dict[int, bytes]) -> Iterator[Block]:
    if page := told.get(_PAGE):
        yield from page_blocks(decoded(page, declared=declared_in(page)))
    elif rich := told.get(_RICH):
        yield from rich_text_blocks(rich)
    else:
        for paragraph in (
            _words(first.get(_BODY) or told.get(_PLAIN, b"")).replace("\r\n", "\n").split("\n\n")
        ):
            if words := clean(paragraph):
                yield Paragraph(words)


def _words(data: bytes) -> str:
    return decoded(data).rstrip("\0")


def _values(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The properties that are bytes or text, by their numbers; text as UTF-8. What is odd ends it."""
    try:
        (count,) = struct.unpack_from("<I", data)
        position = 4
        for _ in range(min(count, _MOST_PROPERTIES)):
            kind, number = struct.unpack_from("<HH", data, position)
            position += 4
            if number >= 0x8000:
                position = _after_name(data, position)
            values, position = _value(data, position, kind)
            if values and kind & ~_SEVERAL not in _FIXED:
                yield number, values[0]
    except struct.error:
        return


def _after_name(data: bytes, position: int) -> int:
    (form,) = struct.unpack_from("<I", data, position + 16)
    if form == 0:
        return position + 24
    (length,) = struct.unpack_from("<I", data, position + 20)
    return position + 24 + _padded(length)


def _value(data: bytes, position: int, kind: int) -> tuple[list[bytes], int]:
    several, single = bool(kind & _SEVERAL), kind & ~_SEVERAL
    count = 1
    if several or single in (_STRING, _WIDE, _OBJECT, _BINARY):
        (count,) = struct.unpack_from("<I", data, position)
        position += 4
    if single in _FIXED:
        return [], position + _FIXED[single] * min(count, _MOST_VALUES)
    if single not in (_STRING, _WIDE, _OBJECT, _BINARY):
        raise struct.error(f"a property of kind {kind:#x}")
    found: list[bytes] = []
    for _ in range(min(count, _MOST_VALUES)):
        (length,) = struct.unpack_from("<I", data, position)
        value = data[position + 4 : position + 4 + length]
        found.append(value.decode("utf-16-le", "replace").encode() if single == _WIDE else value)
        position += 4 + _padded(length)
    return found, position


def _padded(length: int) -> int:
    return length + -length % 4
