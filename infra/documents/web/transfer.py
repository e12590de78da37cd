"""How a part of a mail was encoded for its way, and its bytes without that."""

import binascii
import re
from email.errors import InvalidBase64LengthDefect
from email.message import Message


def payload(message: Message) -> bytes:
    """The bytes of a part, however it was encoded; empty if there are none."""
    stated = str(message.get("Content-Transfer-Encoding", ""))
    if stated != (plain := stated.strip(" \t\"'").lower()):
        message.replace_header("Content-Transfer-Encoding", plain)
    try:
        data = message.get_payload(decode=True)
    except (ValueError, LookupError, AssertionError):
        return b""
    if not isinstance(data, bytes):
        return b""
    return (
        _until_cut(data)
        if any(isinstance(found, InvalidBase64LengthDefect) for found in message.defects)
        else data
    )


def _until_cut(encoded: bytes) -> bytes:
    """What base64 that was cut off says up to there; it comes as it is written, for it cannot be read to its end."""
    signs = re.sub(rb"[^A-Za-z0-9+/]", b"", encoded)
    return binascii.a2b_base64(signs[: len(signs) - len(signs) % 4])
