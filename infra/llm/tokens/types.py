"""What goes into a call by token ids and what comes out: request, reply, a processed image.

Holds frozen data and the Protocol of a request only; callers may bring their own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from infra.llm.types import DecodingOptions, checked_url


class PromptImage(Protocol):
    """An image as the server's own processor cut it; ``ProcessedImage`` is one."""

    @property
    def num_tokens(self) -> int:
        """Placeholders in a row."""
        ...

    @property
    def digest(self) -> str:
        """The server's own hash of the image."""
        ...

    @property
    def data(self) -> str:
        """The server's own encoding of the pixels, sent back as it came."""
        ...


class TokenPrompt(Protocol):
    """One prompt as token ids."""

    @property
    def token_ids(self) -> Sequence[int]:
        """Placeholders of images already expanded."""
        ...

    @property
    def images(self) -> Sequence[PromptImage]:
        """In the order of their placeholders."""
        ...

    @property
    def offsets(self) -> Sequence[int]:
        """Index of the first placeholder of each image."""
        ...

    @property
    def options(self) -> DecodingOptions:
        """How the reply is sampled."""
        ...

    @property
    def eos_id(self) -> int:
        """The only token that ends a reply."""
        ...

    @property
    def forbidden_ids(self) -> Sequence[int]:
        """Tokens that are never sampled."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenReply:
    """The sampled tokens, the end token included, and the natural log-probability of each token."""

    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    finish_reason: str  # "stop" | "length"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessedImage:
    """An image as the server's own processor cut it."""

    num_tokens: int
    digest: str
    data: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenServerSettings:
    """One server and how long it may take. Refused when made."""

    base_url: str
    """Up to and with the version, e.g. ``http://127.0.0.1:8000/v1``."""
    api_key: str | None = field(default=None, repr=False)
    timeout_s: float = 300.0
    """One request from sending to the last byte."""
    connect_timeout_s: float = 10.0
    max_reply_bytes: int = 128 * 1024 * 1024
    """Of one answer; a processed image of 1,280 visual tokens has some 40 MB."""

    def __post_init__(self) -> None:
        checked_url(self.base_url)
        if min(self.timeout_s, self.connect_timeout_s) <= 0 or self.max_reply_bytes < 1:
            raise ValueError(f"limits of a server must be positive: {self}")


JSON = Mapping[str, Any]
