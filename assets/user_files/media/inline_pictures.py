"""Pictures that a text carries inside of itself as data URIs: taken out of its words, to be items of their own.

Markdown in all its ways (inline, by reference, as HTML), with the payload on one line or wrapped.
"""

import base64
import binascii
import html
import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import unquote

from infra.documents.payloads import LEFT, without_payloads

MAX_PICTURES = 1_000  # of one text; the payload of further ones is dropped
LOOK_BACK = 2_000  # characters before a URI in which its description is looked for
MIN_WRAPPED = 40  # characters of a line that goes on with a payload outside of brackets and quotes
_URI = re.compile(r"data:([\w.+/-]{1,100})((?:;[\w.+=-]{1,100}){0,6}),", re.IGNORECASE)
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/_=-]|%[0-9A-Fa-f]{2}|\s)*")
_CLOSERS = {"(": ")", '"': '"', "'": "'", "<": ">"}
_INLINE = re.compile(r"!\[([^\[\]]*)\]\(\s*<?\s*\Z")
_REFERENCE = re.compile(r"(?:\A|\n)[ \t]{0,3}\[([^\[\]]+)\]:\s*<?\s*\Z")
_USED = re.compile(r"!\[([^\[\]]*)\]\[([^\[\]]+)\]")
_TAG = re.compile(r"<img\b[^<>]*\Z", re.IGNORECASE)
_ALT = re.compile(r"""\balt\s*=\s*("([^"]*)"|'([^']*)')""", re.IGNORECASE)
_SVG_TEXT = re.compile(r"<(?:text|title|desc)\b[^<>]*>(.*?)</(?:text|title|desc)>", re.DOTALL | re.IGNORECASE)
_TAGS = re.compile(r"<[^<>]*>")


_MARKS = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif"}


class InlinePicture(NamedTuple):
    """``data`` is the file, of ``media_type``; ``alt`` what the text says of it."""

    data: bytes
    media_type: str
    alt: str

    @property
    def svg_text(self) -> str:
        """The words of a drawing, which no decoder here draws."""
        if "svg" not in self.media_type:
            return ""
        source = self.data.decode("utf-8", "replace")
        return "\n".join(
            " ".join(html.unescape(_TAGS.sub(" ", words)).split()) for words in _SVG_TEXT.findall(source)
        )


class SplitText(NamedTuple):
    """``text`` with ``picture-3`` in place of the third picture's URI."""

    text: str
    pictures: tuple[InlinePicture, ...]


def split(text: str) -> SplitText:
    """Take every data URI out of ``text``; those of pictures are kept."""
    if not _URI.search(text):
        return _without_payloads(text, [])
    named = {match.group(2).lower(): match.group(1) for match in _USED.finditer(text)}
    parts: list[str] = []
    pictures: list[InlinePicture] = []
    done = 0
    for match in _URI.finditer(text):
        if match.start() < done:
            continue
        end = _end(text, match)
        if end - match.end() < 8:  # words about data URIs
            continue
        parts.append(text[done : match.start()])
        done = end
        if not match.group(1).lower().startswith("image/") or len(pictures) >= MAX_PICTURES:
            parts.append("data")
            continue
        data = _decoded(text[match.end() : end], is_base64="base64" in match.group(2).lower())
        pictures.append(InlinePicture(data, match.group(1).lower(), _alt(text, match.start(), end, named)))
        parts.append(f"picture-{len(pictures)}")
    return _without_payloads("".join((*parts, text[done:])), pictures)


def _without_payloads(text: str, pictures: list[InlinePicture]) -> SplitText:
    """Also without base64 that stands there by itself; what is a picture joins ``pictures``."""

    def put(payload: str) -> str:
        data = _decoded(payload, is_base64=True)
        media_type = next((name for mark, name in _MARKS.items() if data.startswith(mark)), "")
        if not media_type or len(pictures) >= MAX_PICTURES:
            return LEFT
        pictures.append(InlinePicture(data, media_type, ""))
        return f"picture-{len(pictures)}"

    return SplitText(without_payloads(text, put), tuple(pictures))


def _end(text: str, match: re.Match[str]) -> int:
    """Where the payload ends: at what closes the brackets or quotes around it, else where base64 does."""
    before = text[: match.start()][-40:].rstrip()[-1:]
    is_base64 = "base64" in match.group(2).lower()
    if closer := _CLOSERS.get(before):
        stop = text.find(closer, match.end())
        if before == "(" and is_base64:  # a title may follow
            run = _BASE64.match(text, match.end())
            stop = run.end() if run else stop
            return match.end() + len(text[match.end() : stop].rstrip())
        if stop >= 0:
            return stop
    if not is_base64:
        run = re.compile(r"\S*").match(text, match.end())
        return run.end() if run else match.end()
    end = match.end()
    for number, line in enumerate(text[end:].split("\n")):
        stripped = line.strip()
        payload = re.match(r"[A-Za-z0-9+/_=%-]*", stripped)
        length = payload.end() if payload else 0
        if number and (length < len(stripped) or (length < MIN_WRAPPED and not stripped.endswith("="))):
            break
        end += (number > 0) + line.find(stripped) + length
        if length < len(stripped) or (number and length < MIN_WRAPPED):
            break
        end += len(line) - line.find(stripped) - length
    return end


def _decoded(payload: str, *, is_base64: bool) -> bytes:
    plain = unquote(payload)
    if not is_base64:
        return plain.encode()
    packed = "".join(plain.split()).replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(packed + "=" * (-len(packed) % 4))
    except binascii.Error:
        return b""


def _alt(text: str, start: int, end: int, named: Mapping[str, str]) -> str:
    before = text[max(0, start - LOOK_BACK) : start]
    if match := _INLINE.search(before):
        return " ".join(match.group(1).split())
    if match := _REFERENCE.search(before):
        return " ".join(named.get(match.group(1).lower(), match.group(1)).split())
    if match := _TAG.search(before):
        tag = match.group() + text[end : end + LOOK_BACK].partition(">")[0]
        if found := _ALT.search(tag):
            return " ".join(html.unescape(found.group(2) or found.group(3) or "").split())
    return ""
