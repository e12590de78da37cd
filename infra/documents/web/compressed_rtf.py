"""RTF as Outlook packs the body of a message (MS-OXRTFCP): a window of 4,096 bytes that begins with usual control words."""

import struct
from collections.abc import Iterator

from infra.documents.blocks import Block
from infra.documents.rtf import read_rtf
from infra.limits import MAX_PART_BYTES

_WINDOW = 4096
_PACKED, _PLAIN = b"LZFu", b"MELA"
_BEGINNING = (
    b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript \\fdecor "
    b"MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par \\pard\\plain\\f0\\fs20\\b\\i"
    b"\\u\\tab\\tx"
)


def rich_text_blocks(data: bytes) -> Iterator[Block]:
    """The blocks of a packed RTF; none if it is none."""
    for section in read_rtf(unpacked(data)).sections:
        yield from section.blocks


def unpacked(data: bytes) -> bytes:
    """The RTF; what is cut short ends where it is cut."""
    if len(data) < 16:
        return b""
    _, size, mark = struct.unpack_from("<II4s", data)
    if mark == _PLAIN:
        return data[16 : 16 + size]
    if mark != _PACKED:
        return b""
    return _inflated(data, min(size, MAX_PART_BYTES))


def _inflated(data: bytes, size: int) -> bytes:
    window = bytearray(_BEGINNING.ljust(_WINDOW, b" "))
    at, out, position = len(_BEGINNING), bytearray(), 16
    while position < len(data) and len(out) < size:
        flags = data[position]
        position += 1
        for bit in range(8):
            if position >= len(data) or len(out) >= size:
                break
            if not flags >> bit & 1:
                piece, position = data[position : position + 1], position + 1
                window[at] = piece[0]
                at = (at + 1) % _WINDOW
                out += piece
                continue
            reference = int.from_bytes(data[position : position + 2], "big")
            position += 2
            start, length = reference >> 4, (reference & 15) + 2
            if start == at:
                return bytes(out)
            for step in range(length):
                byte = window[(start + step) % _WINDOW]
                window[at] = byte
                at = (at + 1) % _WINDOW
                out.append(byte)
    return bytes(out[:size])
