"""Compound files, the container of Office until 2003 and of Outlook: what one is, and what to do with it."""

import io
import struct
from pathlib import Path
from typing import Any, NamedTuple

import olefile

from infra.documents.blocks import Attachment, Document, Section
from infra.documents.web.outlook import read_message
from infra.errors import MediaError


class _Kind(NamedTuple):
    """What a stream of that name says the file is, and the suffix to save it as."""

    stream: str
    name: str
    suffix: str


_KINDS = (
    _Kind("WordDocument", "Word 97-2003 document (.doc)", "docx"),
    _Kind("Workbook", "Excel 97-2003 workbook (.xls)", "xlsx"),
    _Kind("Book", "Excel 5.0 workbook (.xls)", "xlsx"),
    _Kind("PowerPoint Document", "PowerPoint 97-2003 presentation (.ppt)", "pptx"),
    _Kind("VisioDocument", "Visio drawing (.vsd)", "pdf"),
    _Kind("Quill", "Publisher publication (.pub)", "pdf"),
    _Kind("HwpSummaryInformation", "Hangul document (.hwp)", "docx"),
    _Kind("MatOST", "Works document (.wps)", "docx"),
)
_MESSAGE = "__properties_version1.0"
_NATIVE, _WHOLE = "Ole10Native", ("CONTENTS", "Package")
_ENCRYPTED = "EncryptedPackage"


def read_compound(source: Path | bytes) -> Document:
    """An Outlook message.

    Raises:
        MediaError: ``kind_unsupported`` for any other kind, with its name and how to convert it; ``document_encrypted``;
            ``compound_unreadable``.
    """
    try:
        file = olefile.OleFileIO(io.BytesIO(source) if isinstance(source, bytes) else str(source))
    except (OSError, ValueError, IndexError, TypeError) as error:
        raise MediaError("compound_unreadable", str(error)[:300]) from error
    with file:
        top = {str(entry[0]).lstrip("\x05\x06\x01") for entry in file.listdir(streams=True, storages=True)}
        if _ENCRYPTED in top:
            raise MediaError(
                "document_encrypted", "an Office file that needs a password: save it without one"
            )
        if _MESSAGE in top:
            return read_message(file)
        if (held := _held_file(file, top)) is not None:
            return Document("embedded file", (Section("", (held,)),))
        for kind in _KINDS:
            if kind.stream in top:
                raise MediaError("kind_unsupported", f"{kind.name}: {how_to_convert(kind.suffix)}")
    raise MediaError("kind_unsupported", "compound file of an unknown program: save it as PDF there")


def how_to_convert(suffix: str) -> str:
    """What a person does with a file of an older format."""
    return f"save it as .{suffix}, or run `soffice --headless --convert-to {suffix} FILE`"


def _held_file(file: Any, top: set[str]) -> Attachment | None:
    """The whole file that another program put into a document: as it is, or behind its name and path."""
    if _NATIVE in top:
        return _native(file.openstream("\x01" + _NATIVE).read())
    for stream in _WHOLE:
        if stream in top and (data := file.openstream(stream).read()).lstrip()[:4] in (
            b"%PDF",
            b"PK\x03\x04",
        ):
            return Attachment(data)
    return None


def _native(data: bytes) -> Attachment | None:
    """What the packager of Windows keeps: sizes, a label, where the file came from twice, its bytes."""
    label, _, rest = data[6:].partition(b"\0")
    _, _, rest = rest.partition(b"\0")
    if len(rest) < 12:
        return None
    (skipped,) = struct.unpack_from("<I", rest, 4)
    start = 8 + skipped
    if start + 4 > len(rest):
        return None
    (size,) = struct.unpack_from("<I", rest, start)
    held = rest[start + 4 : start + 4 + size]
    return Attachment(held, label.decode("cp1252", "replace")) if held else None
