"""What travels between the stages of the builder. Frozen data only."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceVideo:
    """One video of the folder; ``id`` is its name in the benchmark, ``source`` its path in the folder."""

    id: str
    path: Path
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipFile:
    """One clip file: the ``index``-th minute of its video, in seconds from the video's start."""

    video: str
    index: int
    start_s: float
    end_s: float
    path: Path

    @property
    def name(self) -> str:
        """The file's name, by which ``reference`` names it."""
        return self.path.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Caption:
    """What a model saw in a clip."""

    clip: ClipFile
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A question that a model made from captions. ``gold`` are the clips that it is said to need, two at least."""

    question: str
    answer: str
    gold: tuple[ClipFile, ...]


class Condition(StrEnum):
    """What the one who answers is shown in a check."""

    CLOSED_BOOK = "closed_book"
    GOLD = "gold"
    DISTRACTORS = "distractors"
    SINGLE = "single"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One answer of the semantic filter: given ``shown``, was it right?"""

    condition: Condition
    shown: tuple[ClipFile, ...]
    answer: str
    correct: bool | None  # None: there was nothing to grade, or the judge gave no grade


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """Clips offered for a question, in the order in which they are shown, and other clips that may stand beside them."""

    number: int
    offered: tuple[ClipFile, ...]
    spare: tuple[ClipFile, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateOutcome:
    """What became of a candidate; ``reason`` is empty if its question is kept, else a stable word that is counted by."""

    candidate: Candidate
    captions: tuple[Caption, ...] = ()
    draft: Draft | None = None
    checks: tuple[Check, ...] = ()
    reason: str = ""
    detail: str = ""
    replies: int = 0
    """Replies that this candidate rests on, kept ones like new ones; a caption counts for each candidate it is used by."""
    prompt_tokens: int = 0
    completion_tokens: int = 0


class CandidateRejectedError(Exception):
    """A candidate ends here. ``reason`` is a stable word, ``detail`` what was wrong with this one."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason, self.detail = reason, detail
