"""How documents begin, by which they are known whatever they are called. Pure: nothing is parsed."""

import re

from infra.documents.encoding import decoded

ZIP, COMPOUND, RTF = b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"{\\rtf"
TNEF = b"\x78\x9f\x3e\x22"  # what Outlook wraps a mail in: winmail.dat
_PROLOGUE = re.compile(r"\A(?:\s+|<\?xml[^>]{0,400}>|<!--.{0,2000}?-->)+", re.DOTALL)
_PAGE = re.compile(
    r"<!doctype\s+html|<(?:\w{1,10}:)?html[\s>]|<head>|<body[\s>]|<meta\s+(?:charset|http-equiv)",
    re.IGNORECASE,
)
_PAGE_TABLE = re.compile(r"<table\b", re.IGNORECASE)
_FLAT_OPEN = re.compile(r"<office:document\b", re.IGNORECASE)
_HEADERS = re.compile(
    rb"\A(?:From [^\n]{1,200}\r?\n)?(?:[!-9;-~]{1,60}:[^\n]*\r?\n(?:[ \t][^\n]*\r?\n)*){2,}"
)
_OF_MAILS = re.compile(
    rb"^(received|return-path|mime-version|message-id|delivered-to|x-mailer|content-type|from|date|subject|to):",
    re.IGNORECASE | re.MULTILINE,
)
_MIN_HEADERS = 3
_COUNTED = re.compile(rb"\A\d{1,10} *\n")  # how long the mail is, as Apple Mail writes before it
_POSTMARK = re.compile(rb"From [^\n]{1,200}\d{4}(?: [-+]\d{4})?\r?\n")
_HEADER = rb"(?=>?[!-9;-~]{1,60}[: ])(?=[^\r\n]{0,200}:)"  # that follows a postmark; else it is a sentence
_NOTEBOOK = re.compile(rb"\"(?:cell_type|nbformat)\"\s*:")
_DECLARED = re.compile(r"\s*(?:<\?xml\s|<svg[\s>])")
_CONTROLS = re.compile("[\0-\x08\x0e-\x1a\x1c-\x1f]")
_MAX_CONTROL_SHARE = 0.05  # of the characters of a text
_FEW_CONTROLS = 3  # which a short text may hold


def is_page(head: bytes) -> bool:
    """Whether a file that begins so is a web page."""
    text = _PROLOGUE.sub("", decoded(head))
    return _PAGE.match(text) is not None or (_PAGE_TABLE.match(text) is not None and "<t" in text[6:])


def is_flat_open_document(head: bytes) -> bool:
    """Whether a file that begins so is an OpenDocument file in one piece."""
    return _FLAT_OPEN.match(_PROLOGUE.sub("", decoded(head))) is not None


def is_mail(head: bytes) -> bool:
    """Whether a file that begins so is a mail: some headers that mails have, and nothing else before them."""
    match = _HEADERS.match(_COUNTED.sub(b"", head.removeprefix(b"\xef\xbb\xbf")).lstrip())
    if match is None:
        return False
    needed = 1 if _POSTMARK.match(head) else _MIN_HEADERS
    return len(set(map(bytes.lower, _OF_MAILS.findall(match.group())))) >= needed


def is_mailbox(head: bytes) -> bool:
    """Whether a file that begins so is mails in a row, each behind a line that says when it came."""
    match = _POSTMARK.match(head)
    return match is not None and is_mail(head)


def is_xml(head: bytes) -> bool:
    """Whether a file that begins so declares that it is XML, or is a drawing."""
    return _DECLARED.match(decoded(head)) is not None


def is_notebook(head: bytes) -> bool:
    """Whether a file that begins so is a Jupyter notebook."""
    return head.lstrip()[:1] == b"{" and _NOTEBOOK.search(head) is not None


def is_binary(head: bytes) -> bool:
    """Whether a file that begins so is no text in any encoding."""
    text = decoded(head)
    return len(_CONTROLS.findall(text)) > max(_FEW_CONTROLS, _MAX_CONTROL_SHARE * len(text))


def unread_text(head: bytes) -> str:
    """What a text is that is no table, and what to do with it; empty if it may be one."""
    text = decoded(head).lstrip()
    if "urn:schemas-microsoft-com:office:spreadsheet" in text:
        return "Excel 2003 XML workbook: save it as .xlsx"
    if "http://schemas.microsoft.com/office/word/2003/wordml" in text:
        return "Word 2003 XML document: save it as .docx"
    if "http://schemas.microsoft.com/office/2006/xmlPackage" in text:
        return "Word document in one XML file: save it as .docx"
    return ""


def mails_of(data: bytes) -> list[bytes]:
    """The mails of a mailbox."""
    starts = [match.start() for match in re.finditer(rb"(?:\A|(?<=\n))" + _POSTMARK.pattern + _HEADER, data)]
    return [
        re.sub(rb"^>(>*From )", rb"\1", data[start:end].partition(b"\n")[2], flags=re.MULTILINE)
        for start, end in zip(starts, [*starts[1:], len(data)], strict=True)
    ]


def mail_of(data: bytes) -> bytes:
    """The mail in a file of one: without the mark and the count before it, and what that leaves out."""
    data = data.removeprefix(b"\xef\xbb\xbf")
    counted = _COUNTED.match(data)
    if counted is not None:
        data = data[counted.end() : counted.end() + int(counted.group())]
    return data.lstrip(b"\r\n")
