"""What a process of the drill is told: which stage to do, at which point it is hurt, and how. Travels as one line of JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """What is done at the point: ``signal``, ``fill``, ``limit``, ``cut`` or ``run``; see ``acts.py``."""

    kind: str
    number: int = 0
    """Of the signal, or the bytes a file may grow to."""
    pid: int = 0
    """Of the signalled process; 0 for the one that is hurt."""
    folder: str = ""
    """On the disk that is filled."""
    orders: tuple[str, ...] = ()
    """JSON of what other processes do meanwhile, one after another."""
    wait_s: float = 120.0
    """How long the hurt process waits for them; one that holds what they need goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """Where a process is hurt: an event of Python's audit hooks on disk, a method of HTTP on S3; ``path`` is a pattern."""

    event: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One process of the drill."""

    stage: str
    root: str
    store: str
    options: Mapping[str, Any] = field(default_factory=dict)
    """Of the stage; see ``stages.py`` and ``learning.py``."""
    environment: Mapping[str, str] = field(default_factory=dict)
    clock_s: float = 0.0
    """By how much its clock is ahead."""
    point: Point | None = None
    """Watched for by the process itself; on S3 ``proxy.py`` does."""
    act: Act | None = None
    told: str = ""
    """File that it writes its end to."""
    struck: str = ""
    """File that is there once the point was reached."""

    def to_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """What ``to_json`` wrote."""
        fields = json.loads(text)
        point, act = fields.pop("point"), fields.pop("act")
        act = act and Act(**{**act, "orders": tuple(act["orders"])})
        return cls(**fields, point=point and Point(**point), act=act)
