"""JSON as commands and the server write it; apart from ``records.py``, which not every command needs."""

import json
from typing import Any


def json_bytes(value: Any) -> bytes:
    """One line of JSON in UTF-8; half a surrogate pair becomes a question mark.

    Raises:
        ValueError: for numbers that JSON does not have.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8", errors="replace")
