"""What of a document is handed on: each picture once, files and words up to the limits; what is left out is counted."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace

from infra.documents.blocks import (
    Attachment,
    Block,
    Document,
    Gap,
    Heading,
    Markdown,
    Paragraph,
    Picture,
    Table,
)
from infra.documents.payloads import MIN_RUN, without_payloads
from infra.limits import MAX_DOCUMENT_TEXT_BYTES, MAX_EMBEDDED_BYTES, MAX_EMBEDDED_FILES

MIN_PICTURE_BYTES = 80  # smaller ones are spacers and counters of visits


class _Budget:
    """What may still come of one document."""

    def __init__(self) -> None:
        self._text, self._bytes, self._files = MAX_DOCUMENT_TEXT_BYTES, MAX_EMBEDDED_BYTES, MAX_EMBEDDED_FILES
        self._seen: set[bytes] = set()

    def kept(self, block: Block) -> Iterator[Block]:
        match block:
            case Picture(data) | Attachment(data):
                yield from self._file(block, data)
            case Table(rows):
                if any(len(cell) >= MIN_RUN for row in rows for cell in row):
                    rows = tuple(tuple(map(without_payloads, row)) for row in rows)
                    block = replace(block, rows=rows)
                yield from self._words(block, sum(len(cell) + 3 for row in rows for cell in row))
            case Paragraph(text) | Heading(text) | Markdown(text):
                if (plain := without_payloads(text)) != text:
                    block, text = replace(block, text=plain), plain
                yield from self._words(block, len(text))
            case Gap():
                yield block

    def _words(self, block: Block, length: int) -> Iterator[Block]:
        if self._text >= 0:
            self._text -= length
            yield block if self._text >= 0 else Gap("document_too_long", "its rest", "too many words")

    def _file(self, block: Picture | Attachment, data: bytes) -> Iterator[Block]:
        digest = hashlib.blake2b(data, digest_size=16).digest()
        if digest in self._seen or (isinstance(block, Picture) and len(data) < MIN_PICTURE_BYTES):
            return
        self._seen.add(digest)
        if self._files <= 0 or len(data) > self._bytes:
            yield Gap("embedded_too_large", block.name, f"{len(data):,} bytes")
            return
        self._files -= 1
        self._bytes -= len(data)
        yield block


def bounded(document: Document) -> Document:
    """The document within ``infra.limits``."""
    budget = _Budget()
    return replace(
        document,
        sections=tuple(
            replace(section, blocks=tuple(kept for block in section.blocks for kept in budget.kept(block)))
            for section in document.sections
        ),
    )
