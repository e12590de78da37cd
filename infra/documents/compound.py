"""Compound files, the container of Office until 2003 and of Outlook: what one is, and what to do with it."""

import io
from pathlib import Path
from typing import NamedTuple

import olefile

from infra.documents.blocks import Document
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
        for kind in _KINDS:
            if kind.stream in top:
                raise MediaError("kind_unsupported", f"{kind.name}: {how_to_convert(kind.suffix)}")
    raise MediaError("kind_unsupported", "compound file of an unknown program: save it as PDF there")


def how_to_convert(suffix: str) -> str:
    """What a person does with a file of an older format."""
    return f"save it as .{suffix}, or run `soffice --headless --convert-to {suffix} FILE`"
