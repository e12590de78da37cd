"""How a person's files are read, and which of it decides whether what was read before can be used again."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from assets.parsers.types import ParseContext
from assets.user_files.file_kinds import MAX_BYTES, FileKind
from infra.limits import MAX_PDF_PAGES
from infra.media import SandboxedOcr

DATASET = "documents"
READER_VERSION = 1  # raised when the same file and settings would give other items
PASSAGE_WORDS = 200


def _with_ocr() -> ParseContext:
    return ParseContext(ocr=SandboxedOcr().text)


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestSettings:
    """Everything the reading of a file depends on beside the file."""

    reading: ParseContext = field(default_factory=_with_ocr)
    """Resolution of pages, OCR, length of clips and their frames, as for the benchmarks."""
    passage_words: int = PASSAGE_WORDS
    """Words of a passage of a text, at most."""
    page_limit: int = MAX_PDF_PAGES
    """A PDF with more pages is refused."""
    max_bytes: Mapping[FileKind, int] = field(default_factory=lambda: MAX_BYTES)
    """A file that is larger is refused."""

    def __post_init__(self) -> None:
        """Refuse settings that mean nothing."""
        if self.passage_words < 1 or self.page_limit < 1:
            raise ValueError(
                f"passage_words and page_limit must be positive: {self.passage_words}, {self.page_limit}"
            )
        if missing := sorted(set(FileKind) - set(self.max_bytes)):
            raise ValueError(f"max_bytes says nothing of {', '.join(missing)}")

    def matters(self, kind: FileKind) -> dict[str, Any]:
        """The settings that change what is read of a file of this kind; json-able."""
        context = self.reading
        ocr = {"ocr": context.ocr is not None}
        of_kind: dict[FileKind, dict[str, Any]] = {
            FileKind.PDF: {"dpi": context.dpi, "max_pages": context.max_pages} | ocr,
            FileKind.PICTURE: ocr,
            FileKind.TEXT: {"passage_words": self.passage_words},
            FileKind.MARKDOWN: {"passage_words": self.passage_words},
            FileKind.VIDEO: {
                name: getattr(context, name) for name in ("fps", "max_frames", "clip_s", "min_tail_s")
            },
        }
        return {"reader": READER_VERSION, "kind": kind.value, **of_kind[kind]}
