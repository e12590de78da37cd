"""One way to answer the questions of an evaluation: a memory policy, and what of limits and retriever is another.

Frozen data that loads no torch; whoever measures opens it.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any

from model.config.limits import Limits

NAME = re.compile(r"[\w.+=-]{1,80}")
CHANGEABLE = frozenset(field.name for field in fields(Limits)) - {"similarity"}


class RetrieverKind(StrEnum):
    """Which kinds of search are joined; the index is the same."""

    HYBRID = "hybrid"
    WORDS = "words"  # BM25 alone
    MEANING = "meaning"  # the sentence embedder alone


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One row of an evaluation."""

    name: str
    """Of its rollouts' folder and of its row."""
    memory: str
    """Key of the memory policies."""
    limits: Mapping[str, float] = field(default_factory=dict)
    """Fields of ``Limits`` that differ from those of the model's prompts."""
    retriever: RetrieverKind = RetrieverKind.HYBRID

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name) or self.name.startswith("."):
            raise ValueError(f"the name of an arm is one folder name, got {self.name!r}")
        if unknown := sorted(set(self.limits) - CHANGEABLE):
            raise ValueError(f"arm {self.name!r} changes unknown limits {', '.join(unknown)}")

    def to_json(self) -> dict[str, Any]:
        """As an evaluation keeps it, to refuse another one under the same name."""
        return {**asdict(self), "retriever": str(self.retriever)}
