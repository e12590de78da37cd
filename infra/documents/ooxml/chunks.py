"""Files that a Word document takes in as part of its text (``altChunk``), which reports and mail merges are made of."""

from infra.documents import marks
from infra.documents.blocks import Block, Document, Paragraph
from infra.documents.encoding import declared_in, decoded
from infra.documents.rtf import read_rtf
from infra.documents.text import clean
from infra.documents.web.mail import read_mail
from infra.documents.web.page import page_blocks

_HEAD_BYTES = 4096
_PAGES = (".html", ".htm", ".xhtml")


def chunk_blocks(data: bytes, name: str) -> list[Block] | None:
    """The blocks of a page, a saved page, RTF or a plain text; None for what is to be read as a file of its own."""
    head = data[:_HEAD_BYTES]
    if head.startswith((marks.ZIP, marks.COMPOUND)) or marks.is_binary(head):
        return None
    if head.lstrip().startswith(marks.RTF):
        return _blocks(read_rtf(data))
    if marks.is_page(head) or name.lower().endswith(_PAGES):
        return page_blocks(decoded(data, declared=declared_in(data)))
    if marks.is_mail(head) or head.lower().startswith(b"mime-version:"):
        return _blocks(read_mail(data, ""))
    paragraphs = filter(None, map(clean, decoded(data).replace("\r\n", "\n").split("\n\n")))
    return [Paragraph(text) for text in paragraphs]


def _blocks(document: Document) -> list[Block]:
    return [block for section in document.sections for block in section.blocks]
