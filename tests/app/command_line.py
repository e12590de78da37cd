"""A command line run in the test's own process: what it said, and the records that say it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple


class Said(NamedTuple):
    """Exit code and both streams."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON object on standard output; anything beside it fails."""
        assert self.out.count("\n") == 1 and self.out.endswith("\n")
        return json.loads(self.out)


Vimrag = Callable[..., Said]
