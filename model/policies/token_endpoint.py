"""What this package needs of servers that take and give token ids.

Holds the Protocol of the client (``infra`` satisfies it) and the request records; the policy over it is ``served_policy.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from model.policies.chat_endpoint import ReplyOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedImage:
    """A picture as the server rendered it, and where its placeholders stand in the prompt."""

    offset: int
    num_tokens: int
    digest: str
    data: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRequest:
    """One prompt as token ids, placeholders expanded."""

    token_ids: tuple[int, ...]
    pictures: tuple[PlacedImage, ...]
    drawing: ReplyOptions
    end_id: int
    """The token that ends a reply; no other does."""
    barred: tuple[int, ...] = ()
    """Tokens that are never drawn."""


class TokenCompletion(Protocol):
    """A reply."""

    @property
    def token_ids(self) -> tuple[int, ...]:
        """End token included when drawn."""
        ...

    @property
    def logprobs(self) -> tuple[float, ...]:
        """Of each token, nats; how they are to be scaled is the server's setting, which the parity gate checks."""
        ...

    @property
    def finish_reason(self) -> str:
        """``stop`` or ``length``."""
        ...


class ServerImage(Protocol):
    """What a server makes of a picture."""

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


class TokenEndpoint(Protocol):
    """A client of one or more servers of one model; it spreads, repeats and limits by itself."""

    async def generate(self, model: str, request: TokenRequest, *, key: str) -> TokenCompletion:
        """The reply of the model called so; requests of one ``key`` have much in common."""
        ...

    async def render(self, model: str, uri: str, *, key: str) -> ServerImage:
        """The picture of a data URI as the servers' processor cuts it."""
        ...
