"""What a file is: told by its first bytes where they are unmistakable, else by its suffix.

Holds the kinds and how large a file of each may be; reading them is ``reading.py``.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

HEAD_BYTES = 1024  # of a file, enough for every mark below


class FileKind(StrEnum):
    """How a file is read."""

    PDF = "pdf"
    PICTURE = "picture"
    TEXT = "text"
    MARKDOWN = "markdown"
    VIDEO = "video"


SUFFIXES: Mapping[str, FileKind] = MappingProxyType(
    {
        ".pdf": FileKind.PDF,
        **dict.fromkeys(
            (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff"), FileKind.PICTURE
        ),
        **dict.fromkeys((".txt", ".text", ".log", ".rst", ".adoc", ".org", ".tex"), FileKind.TEXT),
        **dict.fromkeys((".md", ".markdown"), FileKind.MARKDOWN),
        **dict.fromkeys((".mp4", ".webm", ".mkv", ".mov"), FileKind.VIDEO),
    }
)
TRANSCRIPT_SUFFIXES = (".srt", ".vtt", ".txt")  # of the same stem beside a video, the first that is there

_MIB = 1024 * 1024
MAX_BYTES: Mapping[FileKind, int] = MappingProxyType(
    {
        FileKind.PDF: 1024 * _MIB,  # scanned books have some hundred MB
        FileKind.PICTURE: 256 * _MIB,  # read whole; an uncompressed image of 64 million pixels has 192 MB
        FileKind.TEXT: 64 * _MIB,  # read whole; ten million words
        FileKind.MARKDOWN: 64 * _MIB,
        FileKind.VIDEO: 16 * 1024 * _MIB,  # streamed; its length is limited too
    }
)
_IMAGE_MARKS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*")
_MATROSKA = b"\x1aE\xdf\xa3"  # of .mkv and .webm
# the container of MP4 and QuickTime also holds stills, which no decoder here reads
_STILL_BRANDS = (b"heic", b"heix", b"heim", b"hevc", b"mif1", b"msf1", b"avif", b"avis")


def kind_of(head: bytes, suffix: str) -> FileKind | None:
    """The kind of a file that begins with ``head`` and is called ``*suffix``; None if it is none of ours."""
    if head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"%PDF-"):
        return FileKind.PDF
    if _is_image(head):
        return FileKind.PICTURE
    if head.startswith(_MATROSKA):
        return FileKind.VIDEO
    if head[4:8] == b"ftyp":
        return None if head[8:12] in _STILL_BRANDS else FileKind.VIDEO
    return SUFFIXES.get(suffix.lower())


def _is_image(head: bytes) -> bool:
    if head.startswith(_IMAGE_MARKS):
        return True
    if head.startswith(b"RIFF"):
        return head[8:12] == b"WEBP"
    # two letters are no proof, for a text may begin with them; the four reserved zeros are
    return head.startswith(b"BM") and head[6:10] == bytes(4)
