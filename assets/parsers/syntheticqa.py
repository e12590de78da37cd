"""SyntheticQA: generated questions on one HowTo100M video each, as VideoRAG publishes them.

``qa/synthetic.json`` is one JSON array; ``qid`` is "<video_id>_<n>" (ids may hold "_" themselves), both query
fields are equal::

    {"qid": "abcDEFghi_1_0", "howto100m_query_text": "What ...?", "wikihow_query_text": "What ...?",
     "answer_text": "...", "videos": [{"video_id": "abcDEFghi_1", "rank": 1}]}

Folders, items and gold are those of ``videorag.py``.
"""

from collections.abc import Iterator
from pathlib import Path

from assets.parsers.types import ParseContext, ParsedRecord
from assets.parsers.videorag import VideoragDataset, parse_collection

LICENCE = "unstated; videos and transcripts belong to their owners"
COLLECTION = VideoragDataset("syntheticqa", LICENCE, is_synthetic=True)


def parse(raw: Path, context: ParseContext) -> Iterator[ParsedRecord]:
    """Stream videos, then questions."""
    return parse_collection(raw, context, COLLECTION)
