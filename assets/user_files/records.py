"""What reading a file yields. Ids come without a place: see ``reading.py``."""

from typing import NamedTuple

from assets.parsers.types import ParsedItem, SkippedRecord

DATASET = "documents"


class ReaderNote(NamedTuple):
    """Something about a file that its reader should know, though nothing was left out."""

    text: str


FileRecord = ParsedItem | SkippedRecord | ReaderNote
