"""What a server allows: how many questions at once, how long, how large, and who may ask."""

from dataclasses import dataclass, field

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """The rules of one server. Refused when made."""

    token: str | None = field(default=None, repr=False)
    """What callers have to know; None lets everyone in, which is for loopback only."""
    allowed_hosts: frozenset[str] = frozenset()
    """Names under which the server may be addressed, beside localhost and plain IP addresses."""
    questions_at_once: int = 4
    question_s: float = 600.0
    """Longest silence of a question; how long the whole takes is not limited."""
    client_requests_per_minute: int = 0
    """Of one client; those that search, ask or write count four times. 0: no limit, for servers of one's own machine."""
    client_questions: int = 2
    """Questions of one client at once, where its requests are limited."""
    trusted_proxies: frozenset[str] = frozenset()
    """Addresses of proxies whose X-Forwarded-For names the client."""
    keep_alive_s: float = 10.0
    """Longest silence of a stream of events."""
    json_bytes: int = 64 * 1024
    """Largest body that is not a file."""
    chat_bytes: int = MIB
    """Largest conversation; chat clients send it whole with every question."""
    picture_bytes: int = 16 * MIB
    """Largest picture to search by."""
    upload: bool = True
    """Whether files may be sent to be ingested."""
    upload_bytes: int = 256 * MIB
    """Largest file."""

    def __post_init__(self) -> None:
        counts = (
            self.questions_at_once,
            self.json_bytes,
            self.chat_bytes,
            self.picture_bytes,
            self.upload_bytes,
        )
        if self.client_requests_per_minute < 0 or self.client_questions < 1:
            raise ValueError(f"limits of a client out of range: {self}")
        if min(counts) < 1:
            raise ValueError(f"counts of the server must be at least 1: {self}")
        if min(self.question_s, self.keep_alive_s) <= 0:
            raise ValueError(f"times of the server must be positive: {self}")
        if self.token is not None and (
            not self.token.isascii() or not self.token.isprintable() or " " in self.token
        ):
            raise ValueError("the token must be printable ASCII without spaces")
        if self.token == "":
            raise ValueError("the token is empty")
