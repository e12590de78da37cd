"""JSON as this server writes it: UTF-8, no NaN, and no half of a surrogate pair, which has no UTF-8."""

from __future__ import annotations

import json
from typing import Any

from starlette.responses import JSONResponse


def json_bytes(value: Any) -> bytes:
    """One line. Raises ``ValueError`` for numbers that JSON does not have."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8", errors="replace")


class Utf8Json(JSONResponse):
    """A response by ``json_bytes``."""

    def render(self, content: Any) -> bytes:
        """The body."""
        return json_bytes(content)
