"""What the agent needs from the outside world, declared by the side that consumes it.

Holds Protocols only; ``infra`` and the local policies satisfy them, a launch script joins them.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Protocol, TypeAlias, runtime_checkable

from PIL import Image

from model.types import Completion, Hit, HitFilter, PolicyRequest, Task

ANYWHERE = HitFilter()


class PromptTooLong(Exception):
    """A policy cannot take a prompt of this length. ``sent`` and ``most`` are tokens, 0 where nobody says."""

    def __init__(self, message: str, *, sent: int = 0, most: int = 0) -> None:
        super().__init__(message)
        self.sent, self.most = sent, most


class PicturesRefused(Exception):
    """A policy reads no pictures."""


Sight: TypeAlias = Callable[[], Awaitable[bool]]
"""Whether the policy reads pictures; asked before the first one is shown."""


class Retriever(Protocol):
    """Search over one index."""

    @property
    def fingerprint(self) -> str:
        """Hash of what the index answers to fixed probes; two equal fingerprints retrieve alike."""
        ...

    @property
    def sees(self) -> bool:
        """Whether pictures can be compared with pictures."""
        ...

    async def search(
        self, query: str, *, top_k: int, where: HitFilter = ANYWHERE, like: Sequence[str] = ()
    ) -> list[Hit]:
        """The ``top_k`` best items, best first, ties in id order.

        Args:
            query: what is looked for, in words.
            top_k: most items.
            where: what may be found; the index looks nowhere else, so the best of a small part are found in a large whole.
            like: ids of pictures; the hits fit the words and look like one of these, none of which is among them.
        """
        ...


class MediaSource(Protocol):
    """Pixels of corpus items, at native size."""

    def image(self, item_id: str) -> Image.Image:
        """The RGB pixels of an image item. Raises ``KeyError`` for an unknown item."""
        ...

    def frame(self, item_id: str, timestamp_s: float) -> Image.Image:
        """The RGB frame of a clip shown at ``timestamp_s`` seconds from the clip's start (the latest one not after it)."""
        ...


class Policy(Protocol):
    """A vision-language model that completes a conversation."""

    @property
    def fingerprint(self) -> str:
        """Identifies weights, tokenizer and chat template."""
        ...

    async def complete(self, request: PolicyRequest) -> Completion:
        """One completion; many calls may be pending at once and may be batched."""
        ...


@runtime_checkable
class StreamingPolicy(Policy, Protocol):
    """A policy that can hand out its reply as it is generated."""

    def stream(self, request: PolicyRequest) -> AsyncGenerator[str | Completion]:
        """Pieces of the reply's text as they come, the whole completion last; leaving early cancels the request."""
        ...


class Grader(Protocol):
    """Decides whether an answer is right."""

    async def grade(self, task: Task, answer: str) -> bool | None:
        """True or False; None when no verdict could be had (never treated as wrong)."""
        ...
