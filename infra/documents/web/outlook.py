"""Outlook messages (.msg): the same parts as a mail, kept as properties in a compound file."""

import struct
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from infra.documents.blocks import Attachment, Block, Document, Gap, Heading, Paragraph, Picture, Section
from infra.documents.encoding import declared_in, decoded
from infra.documents.text import clean, one_line
from infra.documents.web.compressed_rtf import rich_text_blocks
from infra.documents.web.page import page_blocks
from infra.limits import MAX_EMBEDDED_BYTES, MAX_NESTED_FILES

_SUBJECT, _SENDER, _SENDER_ADDRESS, _TO, _CC, _BODY, _PAGE = (
    0x0037,
    0x0C1A,
    0x5D01,
    0x0E04,
    0x0E03,
    0x1000,
    0x1013,
)
_DATA, _LONG_NAME, _SHORT_NAME, _SENT, _CONTENT_ID = 0x3701, 0x3707, 0x3704, 0x0039, 0x3712
_TEXT, _NARROW, _BYTES, _OBJECT, _TIME = 0x001F, 0x001E, 0x0102, 0x000D, 0x0040
_MESSAGE_CODE_PAGE, _PAGE_CODE_PAGE, _NUMBER = 0x3FFD, 0x3FDE, 0x0003
_RICH = 0x1009  # RTF, packed
_ATTACHMENT = "__attach_version1.0_"
_PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"RIFF")


def read_message(file: Any) -> Document:
    """One section for the message, and one for each message in it; ``file`` is the open compound file."""
    return Document("Outlook message", tuple(_sections(file, [], "", 0)))


def _sections(file: Any, folder: list[str], place: str, depth: int) -> Iterator[Section]:
    attached = sorted(
        {entry[len(folder)] for entry in _below(file, folder) if entry[len(folder)].startswith(_ATTACHMENT)}
    )
    inner = [[*folder, name] for name in attached if file.exists([*folder, name, _name(_DATA, _OBJECT)])]
    files = [block for name in attached for block in _attached(file, [*folder, name])]
    pictures = {
        f"cid:{_text(file, [*folder, name], _CONTENT_ID)}": _bytes(file, [*folder, name], _DATA)
        for name in attached
    }
    yield Section(place, (*_headers(file, folder), *_body(file, folder, pictures), *files))
    for number, below in enumerate(inner, start=1):
        named = " ".join(filter(None, (place, f"attached mail {number}")))
        if depth >= MAX_NESTED_FILES:
            yield Section(named, (Gap("nested_too_deeply", named, f"{MAX_NESTED_FILES} mails around it"),))
        else:
            yield from _sections(file, [*below, _name(_DATA, _OBJECT)], named, depth + 1)


def _below(file: Any, folder: list[str]) -> list[list[str]]:
    entries = file.listdir(streams=True, storages=True)
    return [entry for entry in entries if len(entry) > len(folder) and entry[: len(folder)] == folder]


def _headers(file: Any, folder: list[str]) -> Iterator[Block]:
    if subject := one_line(_text(file, folder, _SUBJECT)):
        yield Heading(subject)
    sender = one_line(_text(file, folder, _SENDER))
    address = one_line(_text(file, folder, _SENDER_ADDRESS))
    shown = {
        "From": f"{sender} <{address}>" if sender and address and sender != address else sender or address,
        "To": one_line(_text(file, folder, _TO)),
        "Cc": one_line(_text(file, folder, _CC)),
        "Date": _sent(file, folder),
    }
    if lines := [f"{name}: {text}" for name, text in shown.items() if text]:
        yield Paragraph("\n".join(lines))


def _body(file: Any, folder: list[str], pictures: dict[str, bytes]) -> Iterator[Block]:
    page = _bytes(file, folder, _PAGE)
    html = (
        decoded(page, declared=declared_in(page) or _code_page(file, folder))
        if page
        else _text(file, folder, _PAGE)
    )
    if html and (blocks := page_blocks(html, pictures.get)):
        yield from blocks
        return
    plain = _text(file, folder, _BODY)
    for paragraph in plain.replace("\r\n", "\n").split("\n\n"):
        if words := clean(paragraph):
            yield Paragraph(words)
    if not clean(plain) and (rich := _bytes(file, folder, _RICH)):
        yield from rich_text_blocks(rich)


def _attached(file: Any, folder: list[str]) -> Iterator[Block]:
    if data := _bytes(file, folder, _DATA):
        name = one_line(_text(file, folder, _LONG_NAME) or _text(file, folder, _SHORT_NAME))
        yield Picture(data, name) if data.startswith(_PICTURES) else Attachment(data, name)


def _name(number: int, kind: int) -> str:
    return f"__substg1.0_{number:04X}{kind:04X}"


def _text(file: Any, folder: list[str], number: int) -> str:
    if data := _stream(file, [*folder, _name(number, _TEXT)]):
        return data.decode("utf-16-le", "replace").rstrip("\0")
    narrow = _stream(file, [*folder, _name(number, _NARROW)])
    return decoded(narrow, declared=_code_page(file, folder) if narrow else "").rstrip("\0")


def _bytes(file: Any, folder: list[str], number: int) -> bytes:
    return _stream(file, [*folder, _name(number, _BYTES)])


def _stream(file: Any, path: list[str]) -> bytes:
    try:
        if not file.exists(path) or file.get_type(path) != 2 or file.get_size(path) > MAX_EMBEDDED_BYTES:
            return b""
        return file.openstream(path).read()
    except (OSError, ValueError, IndexError):
        return b""


def _code_page(file: Any, folder: list[str]) -> str:
    """The encoding of texts that are not Unicode, as the message names it; a message within has that of the one around."""
    for holder in (folder, []):
        for number in (_MESSAGE_CODE_PAGE, _PAGE_CODE_PAGE):
            page = _fixed(file, holder, number, _NUMBER) & 0xFFFFFFFF
            if page:
                return {65001: "utf-8", 20866: "koi8-r", 21866: "koi8-u"}.get(page, _codec_of_page(page))
    return ""


def _codec_of_page(page: int) -> str:
    return f"iso8859-{page - 28590}" if 28590 < page < 28606 else f"cp{page}"


def _sent(file: Any, folder: list[str]) -> str:
    ticks = _fixed(file, folder, _SENT, _TIME)
    try:
        return (
            f"{datetime(1601, 1, 1, tzinfo=UTC) + timedelta(microseconds=ticks // 10):%Y-%m-%d %H:%M} UTC"
            if ticks
            else ""
        )
    except OverflowError:
        return ""


def _fixed(file: Any, folder: list[str], wanted: int, of_kind: int) -> int:
    """A property of fixed size, 0 if it is missing; 16 bytes each behind a head of 32, of 24 in a message within another."""
    data = _stream(file, [*folder, "__properties_version1.0"])
    for start in range(24 if folder else 32, len(data) - 15, 16):
        kind, number = struct.unpack_from("<HH", data, start)
        if (number, kind) == (wanted, of_kind):
            return int.from_bytes(data[start + 8 : start + 16], "little")
    return 0
