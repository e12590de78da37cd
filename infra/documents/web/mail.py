"""Mails: who wrote what to whom when, the body once, the mails inside, and what is attached.

Of alternatives the richest is read; an attachment is handed on whole, to be read by its content whatever it is called.
"""

import email
import email.policy
import re
from collections.abc import Iterator
from email.header import decode_header
from email.message import Message
from typing import NamedTuple
from urllib.parse import unquote

from infra.documents.blocks import (
    Attachment,
    Block,
    Document,
    Gap,
    Heading,
    Paragraph,
    Picture,
    Section,
    Table,
)
from infra.documents.cards import card_text, event_lines
from infra.documents.encoding import codec_of, declared_in, decoded
from infra.documents.marks import mail_of, mails_of
from infra.documents.text import clean, one_line
from infra.documents.web.page import page_blocks
from infra.documents.web.transfer import payload
from infra.documents.web.uuencoded import without_uuencoded
from infra.limits import MAX_NESTED_FILES

_SHOWN = ("From", "To", "Cc", "Date")
_BODIES = ("text/html", "text/plain", "text/enriched", "text/richtext", "text/calendar", "text/markdown")
# what a page that was saved as one file brings along for its looks
_OF_PAGES = ("text/css", "text/javascript", "application/javascript", "application/x-javascript")
_OF_SAVED_PAGES = ("text/xml", "application/xml", "application/vnd.ms-officetheme", "application/x-mso")
_RICHNESS = ("text/calendar", "text/plain", "text/html")  # of alternatives; what holds parts is the richest
_MAX_MAILS = 20_000  # of a mailbox


class _Reading(NamedTuple):
    """What goes with the reading of one mail: its pictures by address, the mails in it, the encoding of what states none."""

    pictures: dict[str, bytes]
    inner: list[Message]
    fallback: str


def read_mail(data: bytes, fallback: str) -> Document:
    """One section for a mail, and one for each mail in it."""
    message = _parsed(mail_of(data))
    return Document("mail", tuple(_sections(message, "", fallback, 0)))


def read_mailbox(data: bytes, fallback: str) -> Document:
    """One section or more for each mail."""
    mails = mails_of(data)
    sections = [
        section
        for number, mail in enumerate(mails[:_MAX_MAILS], start=1)
        for section in _sections(_parsed(mail), f"mail {number}", fallback, 0)
    ]
    if len(mails) > _MAX_MAILS:
        sections.append(
            Section("", (Gap("too_many_mails", "the mailbox", f"{len(mails):,}, limit {_MAX_MAILS:,}"),))
        )
    return Document("mailbox", tuple(sections))


def _parsed(data: bytes) -> Message:
    # the policy of old: that of new raises for headers that are no headers
    return email.message_from_bytes(data, policy=email.policy.compat32)


def _sections(message: Message, place: str, fallback: str, depth: int) -> Iterator[Section]:
    reading = _Reading(_related(message), [], fallback)
    yield Section(place, (*_headers(message), *_body(message, reading)))
    for number, mail in enumerate(reading.inner, start=1):
        named = " ".join(filter(None, (place, f"attached mail {number}")))
        if depth >= MAX_NESTED_FILES:
            yield Section(named, (Gap("nested_too_deeply", named, f"{MAX_NESTED_FILES} mails around it"),))
        else:
            yield from _sections(mail, named, fallback, depth + 1)


def _headers(message: Message) -> Iterator[Block]:
    if subject := _header(message, "Subject"):
        yield Heading(subject)
    lines = [f"{name}: {text}" for name in _SHOWN if (text := _header(message, name))]
    if lines:
        yield Paragraph("\n".join(lines))


def _header(message: Message, name: str) -> str:
    values = [value for known, value in message.raw_items() if known.lower() == name.lower()]
    return ", ".join(filter(None, map(_decoded_header, map(str, values))))


def _decoded_header(text: str) -> str:
    """A header without its encoding; bytes that should not be there are UTF-8 or what Windows writes."""
    data = text.encode("utf-8", "surrogateescape")
    is_shifted = data.isascii() and (b"\x1b$" in data or b"\x1b(" in data)  # Japanese without saying so
    text = decoded(data, declared="iso2022_jp_2" if is_shifted else "")
    try:
        pieces = decode_header(text)
    except ValueError:
        return one_line(text)
    return one_line("".join(_piece(piece, charset) for piece, charset in pieces))


def _piece(piece: bytes | str, charset: str | None) -> str:
    if isinstance(piece, str):
        return piece
    return decoded(piece, declared=charset) if charset else piece.decode("raw_unicode_escape", "replace")


def _body(message: Message, reading: _Reading) -> Iterator[Block]:
    """What a part holds; mails in it are put down in ``reading.inner``."""
    kind = message.get_content_type()
    parts = _parts(message)
    if kind == "multipart/alternative":
        yield from _alternative(parts, reading)
    elif kind == "message/delivery-status":
        yield from _status(parts)
    elif kind.startswith("message/") and parts:
        reading.inner.extend(_unpacked(message, parts))
    elif parts:
        for part in parts:
            yield from _body(part, reading)
    elif not message.is_multipart():
        yield from _leaf(message, kind, reading)


def _status(parts: list[Message]) -> Iterator[Block]:
    """Why a mail did not arrive, which is written as headers."""
    for part in parts:
        if lines := [f"{name}: {_decoded_header(str(said))}" for name, said in part.items()]:
            yield Paragraph("\n".join(lines))


def _parts(message: Message) -> list[Message]:
    held = message.get_payload()
    return [part for part in held if isinstance(part, Message)] if isinstance(held, list) else []


def _unpacked(message: Message, parts: list[Message]) -> list[Message]:
    """The mails of a part; one that was encoded, which the standard forbids, was taken for a text without headers."""
    encoding = str(message.get("Content-Transfer-Encoding", "")).strip().lower()
    if encoding not in ("base64", "quoted-printable") or any(part.keys() for part in parts):
        return parts
    unpacked: list[Message] = []
    for part in parts:
        part["Content-Transfer-Encoding"] = encoding
        unpacked.append(_parsed(payload(part)))
    return unpacked


def _alternative(forms: list[Message], reading: _Reading) -> Iterator[Block]:
    """The richest form that has words, and of an invitation what that does not say: often when, where and what about."""
    known = [form for form in forms if _richness(form) >= 0]
    for form in sorted(reversed(known), key=_richness, reverse=True):
        found = list(_body(form, reading))
        if any(isinstance(block, Paragraph | Heading | Table) for block in found):
            yield from found
            yield from _unsaid(found, [other for other in known if other is not form], reading)
            return


def _unsaid(found: list[Block], others: list[Message], reading: _Reading) -> Iterator[Block]:
    said = _letters(" ".join(text for block in found for text in _texts(block)))
    for form in others:
        if form.get_content_type() == "text/calendar":
            text = decoded(payload(form), declared=str(form.get_content_charset() or ""))
            lines = [line for line in event_lines(text) if _letters(line.partition(": ")[2]) not in said]
            if lines:
                yield Paragraph("\n".join(lines))


def _texts(block: Block) -> Iterator[str]:
    match block:
        case Paragraph(text) | Heading(text):
            yield text
        case Table(rows):
            yield from (cell for row in rows for cell in row)


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text)).lower()


def _richness(form: Message) -> int:
    kind = form.get_content_type()
    if form.is_multipart():
        return len(_RICHNESS)
    return _RICHNESS.index(kind) if kind in _RICHNESS else (0 if kind in _BODIES else -1)


def _leaf(message: Message, kind: str, reading: _Reading) -> Iterator[Block]:
    name = _file_name(message)
    if _is_for_looks(message, kind):
        return
    if kind in _BODIES and message.get_content_disposition() != "attachment" and not name:
        yield from _text(message, kind, reading)
    elif data := payload(message):
        is_picture = kind.startswith("image/") and kind != "image/svg+xml"
        yield Picture(data, name) if is_picture else Attachment(data, name or _made_up_name(kind))


def _is_for_looks(message: Message, kind: str) -> bool:
    """Whether a part is what a page that was saved as one file brings along, and no file for a reader."""
    if message.get_content_disposition() == "attachment":
        return False
    of_page = "Content-Location" in message and (kind in _OF_SAVED_PAGES or kind.startswith("font/"))
    return kind in _OF_PAGES or of_page


def _text(message: Message, kind: str, reading: _Reading) -> Iterator[Block]:
    data = payload(message)
    declared = str(message.get_content_charset() or "")
    if kind == "text/html":
        stated = declared if codec_of(declared) else declared_in(data)

        def picture(address: str) -> bytes | None:
            return reading.pictures.get(address) or reading.pictures.get(unquote(address))

        yield from page_blocks(decoded(data, declared=stated, fallback=reading.fallback), picture)
        return
    text = decoded(data, declared=declared, fallback=reading.fallback)
    text, files = without_uuencoded(text.replace("\r\n", "\n").replace("\r", "\n"))
    text = card_text(text) if kind == "text/calendar" else text
    yield from files
    if str(message.get_param("format", "")).lower() == "flowed":
        text = _unfolded(text, joined=str(message.get_param("delsp", "")).lower() == "yes")
    for paragraph in re.split(r"\n[ \t]*\n", text):
        if words := clean(paragraph):
            yield Paragraph(words)


def _unfolded(text: str, *, joined: bool) -> str:
    """Lines that end in a blank go on in the next one, if it is quoted as deeply."""
    pieces: list[str] = []
    before, flows = "", False
    for line in text.split("\n"):
        words = line.lstrip(">")
        marks, words = line[: len(line) - len(words)], words.removeprefix(" ")
        if not (flows and marks == before):
            pieces.append(f"\n{marks} " if marks else "\n")
        before, flows = marks, words.endswith(" ") and words != "-- "
        pieces.append(words[:-1] if flows and joined else words)
    return "".join(pieces)


def _related(message: Message) -> dict[str, bytes]:
    """The pictures that pages of a mail refer to, by ``cid:`` address or location."""
    found: dict[str, bytes] = {}
    for part in message.walk():
        if part.get_content_maintype() == "image":
            identity = str(part.get("Content-ID", "")).strip().strip("<>")
            location = str(part.get("Content-Location", "")).strip()
            for address in filter(None, (f"cid:{identity}" if identity else "", location)):
                found[address] = payload(part)
    return found


def _file_name(message: Message) -> str:
    try:
        name = message.get_filename()
    except (LookupError, ValueError):
        return ""
    return _decoded_header(name) if name else ""


def _made_up_name(kind: str) -> str:
    subtype = kind.rpartition("/")[2]
    return f"part.{subtype}" if subtype.isalnum() and len(subtype) < 6 else "part.bin"
