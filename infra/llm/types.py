"""What goes into a chat call and what comes out: settings, request, reply.

Holds frozen data only. The key is in ``ChatSettings`` alone and never in its text.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlsplit

from infra.llm.usage import Prices

ChatMessages = Sequence[Mapping[str, Any]]
"""A conversation as the protocol's JSON."""
LOOPBACK = ("localhost", "127.0.0.1", "::1")


class DecodingOptions(Protocol):
    """How one reply is drawn; ``Decoding`` is one, the agent brings its own."""

    @property
    def temperature(self) -> float:
        """0 is greedy."""
        ...

    @property
    def top_p(self) -> float:
        """Probability mass of the tokens that may be drawn."""
        ...

    @property
    def max_tokens(self) -> int:
        """Longest reply."""
        ...

    @property
    def seed(self) -> int | None:
        """None leaves the draws to the server."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoding:
    """How one reply is drawn."""

    temperature: float
    top_p: float
    max_tokens: int
    seed: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatReply:
    """What the model said.

    ``text`` starts with the model's reasoning between ``<think>`` and ``</think>`` where the server sends reasoning apart
    from the reply; the block is always closed and holds no such tags itself, so what follows it is the reply alone.
    """

    text: str
    finish_reason: str  # "stop" | "length"
    prompt_tokens: int
    completion_tokens: int
    model: str  # as the server calls it
    estimated: bool = False  # whether the tokens were estimated because the server did not count them
    least_prompt_tokens: int = (
        0  # read, if nothing was left out; more than ``prompt_tokens`` where the prompt was cut
    )


class ChatCompleter(Protocol):
    """Answers conversations; ``ChatClient`` and ``CachedChatClient`` do."""

    async def complete(self, messages: ChatMessages, request: DecodingOptions) -> ChatReply:
        """The whole reply."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatSettings:
    """One endpoint and how it is to be treated. Refused when made, so that no call fails for them."""

    base_url: str
    """Up to and with the version, e.g. ``http://127.0.0.1:8000/v1``."""
    model: str = ""
    """Empty: the only model the server lists."""
    api_key: str | None = field(default=None, repr=False)
    key_variable: str = "VIMRAG_API_KEY"
    """Where a key comes from, for errors about it."""
    concurrency: int = 8
    """Requests under way at once."""
    requests_per_minute: float | None = None
    timeout_s: float = 120.0
    """One attempt from sending to the last byte."""
    connect_timeout_s: float = 10.0
    stall_timeout_s: float = 60.0
    """Longest silence of a server that is streaming; the wait for the first byte counts."""
    whole_timeout_s: float | None = None
    """Longest silence of a server that is not streaming; None takes ``timeout_s``."""
    retries_silence: bool = True
    """Whether a server that fell silent is asked again."""
    total_timeout_s: float = 600.0
    """One call with all its attempts and the waits between them; the wait for a free place does not count."""
    retries: int = 5
    """Attempts after the first."""
    backoff_s: float = 0.5
    """Longest wait before the second attempt; doubled for each further one."""
    max_wait_s: float = 60.0
    """Longest wait between two attempts, whatever the server asks for."""
    max_reply_bytes: int = 32 * 1024 * 1024
    """Of one response as it arrives: 60,000 streamed tokens at some 500 bytes of framing each."""
    prices: Prices | None = None
    max_requests: int | None = None
    """Requests for replies that are ever sent, retries included; the next one raises ``RequestBudgetError``."""

    def __post_init__(self) -> None:
        checked_url(self.base_url)
        if self.api_key is not None and (
            not self.api_key or any(not "!" <= character <= "~" for character in self.api_key)
        ):
            raise ValueError(
                "the key of the endpoint has characters that no header can carry, or none at all"
            )
        if self.concurrency < 1 or self.retries < 0 or self.max_reply_bytes < 1:
            raise ValueError(f"counts of the endpoint out of range: {self}")
        times = (self.timeout_s, self.connect_timeout_s, self.stall_timeout_s, self.total_timeout_s)
        if min(times) <= 0 or (self.whole_timeout_s or 1.0) <= 0 or min(self.backoff_s, self.max_wait_s) < 0:
            raise ValueError(f"times of the endpoint out of range: {self}")
        if self.max_requests is not None and self.max_requests < 1:
            raise ValueError(f"the most requests must be at least 1, got {self.max_requests}")
        if self.requests_per_minute is not None and self.requests_per_minute <= 0:
            raise ValueError(f"requests per minute must be positive, got {self.requests_per_minute}")

    @property
    def is_local(self) -> bool:
        """Whether the endpoint is on this machine; such a one is reached without a proxy."""
        return urlsplit(self.base_url).hostname in LOOPBACK


def checked_url(url: str) -> None:
    """Raise ``ValueError`` unless ``url`` is plain http(s); a key inside it would end up in logs."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ValueError("the address of the endpoint is no URL") from None
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError(
            "the address of the endpoint must hold no user, key or query; give the key apart from it"
        )
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"the address of an endpoint looks like http://host:8000/v1, got {url!r}")
