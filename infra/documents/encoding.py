"""Bytes of web pages, mails and tables as text: by their mark, by what they declare, else as UTF-8, else as the caller thinks."""

import codecs
import re

FALLBACK = "cp1252"
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# what is declared as a subset is written in the larger set, as browsers read it
_LARGER = {
    **dict.fromkeys(("iso8859-1", "latin-1", "ascii", "latin1"), "cp1252"),
    **dict.fromkeys(("gb2312", "gbk", "euc_cn"), "gb18030"),
    **{
        "shift_jis": "cp932",
        "euc_kr": "cp949",
        "big5": "big5hkscs",
        "iso8859-9": "cp1254",
        "tis-620": "cp874",
    },
    **{"iso8859-11": "cp874"},
}
_ALIASES = {
    "x-sjis": "cp932",
    "x-gbk": "gb18030",
    "x-euc-jp": "euc_jp",
    "ks_c_5601-1987": "cp949",
    "utf8": "utf-8",
}
_DECLARED = (
    re.compile(rb"<meta[^>]{0,400}?charset\s*=\s*[\"']?\s*([-\w.:]{2,40})", re.IGNORECASE),
    re.compile(rb"^\s*<\?xml[^>]{0,200}?encoding\s*=\s*[\"']\s*([-\w.:]{2,40})", re.IGNORECASE),
)
_COMMENT = re.compile(rb"<!--.*?-->", re.DOTALL)  # in which a declaration is none
DECLARATION_BYTES = 8192  # of a page, among which its character set is declared
SAMPLE_BYTES = 4096
_MIN_ZEROS = 0.4  # share of zero bytes at even or odd places that only UTF-16 has


def declared_in(data: bytes) -> str:
    """The character set that a page declares in its own text; empty if it does not."""
    head = _COMMENT.sub(b"", data[:DECLARATION_BYTES])
    found = (pattern.search(head) for pattern in _DECLARED)
    return next((match.group(1).decode("ascii", "ignore") for match in found if match), "")


def decoded(data: bytes, *, declared: str = "", fallback: str = "") -> str:
    """The text of ``data``; nothing is ever refused, what cannot be read becomes U+FFFD."""
    for mark, name in _MARKS:
        if data.startswith(mark):
            return data.decode(name, "replace")
    if wide := _wide(data):
        return data.decode(wide, "replace")
    codec = codec_of(declared)
    is_utf8 = _is_utf8(data)
    if codec and not codec.startswith("utf-16"):  # a page that declares it in plain letters is not
        if codec == "utf-8" or (is_utf8 and _is_single_byte(codec) and not data.isascii()):
            return data.decode("utf-8", "replace") if is_utf8 or _mostly_utf8(data) else _last(data, fallback)
        return data.decode(codec, "replace")
    is_shifted = codec_of(fallback).startswith(("iso2022", "hz", "utf-7"))  # whose bytes are all ASCII
    return data.decode() if is_utf8 and not is_shifted else _last(data, fallback)


def codec_of(name: str) -> str:
    """The codec that reads what is declared as ``name``; empty if there is none, or it is none of text."""
    name = name.strip().lower()
    try:
        found = codecs.lookup(_ALIASES.get(name, name))
    except (LookupError, ValueError):
        return ""
    if not getattr(found, "_is_text_encoding", True) or found.name in ("idna", "punycode", "unicode-escape"):
        return ""
    return _LARGER.get(found.name, found.name)


def _last(data: bytes, fallback: str) -> str:
    return data.decode(codec_of(fallback) or FALLBACK, "replace")


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _mostly_utf8(data: bytes) -> bool:
    """Whether only a few bytes keep ``data`` from being UTF-8: it was cut or damaged."""
    bad = data.decode("utf-8", "replace").count("\ufffd")
    return bad <= 1 + sum(byte >= 0x80 for byte in data) // 20


def _is_single_byte(codec: str) -> bool:
    return codec.startswith(("cp125", "iso8859", "koi8", "mac", "cp874"))


def _wide(data: bytes) -> str:
    sample = data[:SAMPLE_BYTES]
    if len(sample) < 4:
        return ""
    half = len(sample) // 2
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    if odd > _MIN_ZEROS * half and even < odd // 8 + 1:
        return "utf-16-le"
    return "utf-16-be" if even > _MIN_ZEROS * half and odd < even // 8 + 1 else ""
