"""WikiHowQA: how-to titles answered from HowTo100M videos, as VideoRAG publishes them.

``qa/wikihow.json`` is one JSON array; ``rank`` neither starts at 1 nor is contiguous, the links are search
results for the task and were never checked by hand::

    {"qid": 133, "howto100m_query_text": "Do Some Thing", "wikihow_query_text": "How To Do Some Thing",
     "answer_text": "To do some thing, first ...", "wikihow_article_id": 4776427,
     "videos": [{"video_id": "-1abcDEF_gh", "rank": 3}, ...]}

Folders, items and gold are those of ``videorag.py``.
"""

from collections.abc import Iterator
from pathlib import Path

from assets.parsers.types import ParseContext, ParsedRecord
from assets.parsers.videorag import VideoragDataset, parse_collection

LICENCE = "CC BY-NC-SA 3.0 (WikiHow text); videos and transcripts belong to their owners"
COLLECTION = VideoragDataset("wikihowqa", LICENCE, is_synthetic=False)


def parse(raw: Path, context: ParseContext) -> Iterator[ParsedRecord]:
    """Stream videos, then questions."""
    return parse_collection(raw, context, COLLECTION)
