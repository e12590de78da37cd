"""What the builder needs of models. ``served.py`` satisfies the first three; the grader comes from whoever joins them."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from assets.xvbench_builder.records import Caption, ClipFile
from infra.llm.captioner import CaptionResult


class Describer(Protocol):
    """Tells what a clip shows."""

    async def describe(self, clip: ClipFile) -> CaptionResult:
        """The caption of a clip, or why there is none. Raises ``EndpointError``, ``MediaError``."""
        ...


class Drafter(Protocol):
    """Makes questions."""

    async def draft(self, captions: Sequence[Caption]) -> str:
        """A reply that ``drafting.read_draft`` reads. Raises ``EndpointError``."""
        ...


class Answerer(Protocol):
    """Answers questions from clips, or from none."""

    async def answer(self, question: str, clips: Sequence[ClipFile]) -> str:
        """A short answer; empty if the reply holds none. Raises ``EndpointError``, ``MediaError``."""
        ...


class AnswerGrader(Protocol):
    """Compares answers."""

    async def grade(self, question: str, reference: str, answer: str) -> bool | None:
        """Whether ``answer`` states the same as ``reference``; None without a grade. Raises ``EndpointError``."""
        ...


class ModelPanel(NamedTuple):
    """All of them."""

    describer: Describer
    drafter: Drafter
    answerer: Answerer
    grader: AnswerGrader
