"""What this package needs of servers that take and give token ids.

Holds the Protocol of the client (``infra`` satisfies it) and the request record; the policy over it is ``served_policy.py``.
"""

from dataclasses import dataclass
from typing import Protocol

from model.types import Sampling


class ServerImage(Protocol):
    """An image as a server's processor cut it."""

    @property
    def num_tokens(self) -> int:
        """Placeholders that it takes."""
        ...

    @property
    def digest(self) -> str:
        """The server's own hash of it."""
        ...

    @property
    def data(self) -> str:
        """The server's own encoding of its pixels."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRequest:
    """One prompt as token ids, placeholders expanded."""

    token_ids: tuple[int, ...]
    images: tuple[ServerImage, ...]
    """In the order of their placeholders."""
    offsets: tuple[int, ...]
    """Index of the first placeholder of each image."""
    options: Sampling
    eos_id: int
    """The only token that ends a reply."""
    forbidden_ids: tuple[int, ...] = ()
    """Tokens that are never sampled."""


class TokenCompletion(Protocol):
    """A reply."""

    @property
    def token_ids(self) -> tuple[int, ...]:
        """End token included when sampled."""
        ...

    @property
    def logprobs(self) -> tuple[float, ...]:
        """Of each token, nats; their scaling is the server's setting, which the parity gate checks."""
        ...


class TokenEndpoint(Protocol):
    """A client of one or more servers of one model; it spreads, repeats and limits by itself."""

    async def generate(self, model: str, request: TokenRequest, *, key: str) -> TokenCompletion:
        """The reply of the model of that name; requests of one ``key`` share much of their prompts."""
        ...

    async def render(self, model: str, uri: str, *, key: str) -> ServerImage:
        """The image of a data URI as the servers' processor cuts it."""
        ...
