"""What a file is: told by its first bytes where they are unmistakable, else by its suffix.

Holds the kinds and how large a file of each may be; reading them is ``reading.py``.
"""

import codecs
import re
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import BinaryIO

from infra.documents import marks

HEAD_BYTES = 4096  # of a file, enough for every mark below
LATE_BYTES = 1 << 20  # of a file called .pdf: a document may begin behind other bytes


class FileKind(StrEnum):
    """How a file is read."""

    PDF = "pdf"
    PICTURE = "picture"
    TEXT = "text"
    MARKDOWN = "markdown"
    VIDEO = "video"
    DOCUMENT = "document"  # office, web and mail: which of them is found in the decoding process


# those of formats that are not read are told what they are and how to be converted
DOCUMENT_SUFFIXES = (
    *(".docx", ".docm", ".dotx", ".dotm", ".pptx", ".pptm", ".ppsx", ".ppsm", ".potx", ".potm"),
    *(".xlsx", ".xlsm", ".xltx", ".xltm", ".xlsb", ".csv", ".tsv", ".doc", ".xls", ".ppt", ".msg", ".rtf"),
    *(".odt", ".ods", ".odp", ".ott", ".ots", ".otp", ".fodt", ".fods", ".fodp", ".epub", ".ipynb"),
    *(".html", ".htm", ".xhtml", ".xht", ".eml", ".emlx", ".mbox", ".mht", ".mhtml"),
    *(".xml", ".svg", ".fb2", ".rss", ".atom", ".kml", ".gpx", ".opml", ".dbk", ".tei", ".plist"),
)
# whatever else is text is read as text too; these may have any encoding
TEXT_SUFFIXES = (
    *(".txt", ".text", ".log", ".rst", ".adoc", ".org", ".tex", ".bib", ".ics", ".vcf"),
    *(".json", ".jsonl", ".ndjson", ".geojson", ".yaml", ".yml", ".toml", ".ini", ".cfg", ".conf"),
    *(".properties", ".sql", ".py", ".js", ".mjs", ".css", ".java", ".c", ".h", ".cpp", ".hpp", ".cs"),
    *(".go", ".rs", ".rb", ".php", ".pl", ".sh", ".bat", ".ps1", ".r", ".jl", ".kt", ".swift", ".lua"),
    *(".po", ".diff", ".patch"),
)
VIDEO_SUFFIXES = (
    *(
        ".mp4",
        ".m4v",
        ".webm",
        ".mkv",
        ".mov",
        ".avi",
        ".mpg",
        ".mpeg",
        ".ts",
        ".m2ts",
        ".mts",
        ".wmv",
        ".flv",
        ".ogv",
        ".3gp",
    ),
)
# read for the words that come with them; what they sound like is not kept
SOUND_SUFFIXES = (
    ".mp3",
    ".m4a",
    ".m4b",
    ".aac",
    ".flac",
    ".ogg",
    ".oga",
    ".opus",
    ".wav",
    ".mka",
    ".wma",
    ".aiff",
)
# the best first; a text beside a film is taken for its transcript
SUBTITLE_SUFFIXES = (
    *(".srt", ".vtt", ".ass", ".ssa", ".ttml", ".dfxp", ".sbv", ".sub", ".smi", ".mpl", ".lrc"),
    *(".srv3", ".srv1", ".ytt", ".json3", ".txt"),
)
_STILL_SUFFIXES = (".heic", ".heif", ".hif", ".avif")
SUFFIXES: Mapping[str, FileKind] = MappingProxyType(
    {
        ".pdf": FileKind.PDF,
        **dict.fromkeys(
            (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", *_STILL_SUFFIXES),
            FileKind.PICTURE,
        ),
        **dict.fromkeys(TEXT_SUFFIXES, FileKind.TEXT),
        **dict.fromkeys((".md", ".markdown"), FileKind.MARKDOWN),
        **dict.fromkeys(SUBTITLE_SUFFIXES[:-1], FileKind.TEXT),
        **dict.fromkeys((*VIDEO_SUFFIXES, *SOUND_SUFFIXES), FileKind.VIDEO),
        **dict.fromkeys(DOCUMENT_SUFFIXES, FileKind.DOCUMENT),
    }
)

_MIB = 1024 * 1024
MAX_BYTES: Mapping[FileKind, int] = MappingProxyType(
    {
        FileKind.PDF: 1024 * _MIB,  # scanned books have some hundred MB
        FileKind.PICTURE: 256 * _MIB,  # read whole; an uncompressed image of 64 million pixels has 192 MB
        FileKind.TEXT: 64 * _MIB,  # read whole; ten million words
        FileKind.MARKDOWN: 64 * _MIB,
        FileKind.DOCUMENT: 512 * _MIB,  # what is in it has limits of its own
        FileKind.VIDEO: 16 * 1024 * _MIB,  # streamed; its length is limited too
    }
)
_IMAGE_MARKS = (
    b"\x89PNG\r\n\x1a\n",
    b"\xff\xd8\xff",
    b"GIF87a",
    b"GIF89a",
    b"II*\0",
    b"MM\0*",
    b"II+\0",
    b"MM\0+",
)
_FILM_MARKS = (
    b"\x1aE\xdf\xa3",  # Matroska, of .mkv and .webm
    b"FLV\x01",
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",  # of .wmv
    b"OggS\0",
    b"fLaC\0",
    b"\0\0\1\xba",  # MPEG
)
_RIFF_FILMS = (b"AVI ", b"WAVE")
_PACKETS = ((0, 188), (4, 192))  # where the first begins and how long each is, of .ts and of cameras' .mts
_PACKET_MARK, _PACKETS_SEEN = b"G", 8
# the container of MP4 and QuickTime also holds stills, of which HEIC and AVIF are read
_STILL_BRANDS = frozenset(
    (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"mif2", b"avif", b"avis")
)
_CONTROLS = re.compile("[\0-\x08\x0e-\x1a\x1c-\x1f]")
_BINARY = (FileKind.PDF, FileKind.PICTURE, FileKind.VIDEO)  # a text that is called so is a text
_OF_BINARY_AND_TEXT = (".ts",)  # a film, or TypeScript
_PDF_HEADER = re.compile(
    rb"%PDF-[12]\.[0-9]\s"
)  # anywhere in the head: viewers read what comes after other bytes


def head_of(file: BinaryIO, suffix: str) -> bytes:
    """What ``kind_of`` is told of an open file that is called ``*suffix``."""
    head = file.read(HEAD_BYTES)
    if suffix.lower() == ".pdf" and not head.startswith(b"%PDF-"):
        head += file.read(LATE_BYTES - HEAD_BYTES)
    return head


def kind_of(head: bytes, suffix: str) -> FileKind | None:
    """The kind of a file that begins with ``head`` and is called ``*suffix``; None if it is none of ours."""
    if head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"%PDF-"):
        return FileKind.PDF
    if _is_image(head):
        return FileKind.PICTURE
    if _is_film(head):
        return FileKind.VIDEO
    if _is_document(head):
        return FileKind.DOCUMENT
    if head[4:8] == b"ftyp":
        return FileKind.PICTURE if _is_still(head) else FileKind.VIDEO
    known = SUFFIXES.get(suffix.lower())
    if known is None or suffix.lower() in _OF_BINARY_AND_TEXT or known in _BINARY:
        return _unnamed(head) or known
    return known


def _unnamed(head: bytes) -> FileKind | None:
    """What a file is whose name says nothing."""
    if _PDF_HEADER.search(head):
        return FileKind.PDF
    if marks.is_xml(head):
        return FileKind.DOCUMENT
    return FileKind.TEXT if is_plain_text(head) else None


def is_plain_text(head: bytes) -> bool:
    """Whether a file that begins so is text beyond doubt: marked, or UTF-8 without control characters."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return True
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(head)  # its last letter may be cut off
    except UnicodeDecodeError:
        return False
    return bool(text.strip()) and not _CONTROLS.search(text)


def _is_film(head: bytes) -> bool:
    if head.startswith(b"RIFF"):
        return head[8:12] in _RIFF_FILMS
    return head.startswith(_FILM_MARKS) or any(
        head[first::length][:_PACKETS_SEEN] == _PACKET_MARK * _PACKETS_SEEN for first, length in _PACKETS
    )


def _is_still(head: bytes) -> bool:
    """By the brand, and for one that says nothing by those that the file is compatible with."""
    major, size = head[8:12], int.from_bytes(head[:4], "big")
    compatible = {head[at : at + 4] for at in range(16, min(size, len(head)), 4)}
    return major in _STILL_BRANDS or (major == bytes(4) and not _STILL_BRANDS.isdisjoint(compatible))


def _is_document(head: bytes) -> bool:
    if head.lstrip().startswith((marks.ZIP, marks.COMPOUND, marks.RTF)) or head.startswith(marks.TNEF):
        return True
    return marks.is_page(head) or marks.is_mail(head) or marks.is_notebook(head)


def _is_image(head: bytes) -> bool:
    if head.startswith(_IMAGE_MARKS):
        return True
    if head.startswith(b"RIFF"):
        return head[8:12] == b"WEBP"
    # two letters are no proof, for a text may begin with them; the four reserved zeros are
    return head.startswith(b"BM") and head[6:10] == bytes(4)
