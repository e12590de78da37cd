"""Several token servers of one model: requests spread over them, a dead one left out and tried again.

Requests of one key go to one server, whose cache then holds their common beginnings, unless it has clearly more to do than
another. What a server fails at is sent to the next one. Holds no protocol; that is ``client.py``.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from infra.llm.errors import EndpointUnavailableError
from infra.llm.tokens.client import TokenClient
from infra.llm.tokens.types import ProcessedImage, TokenPrompt, TokenReply

_Result = TypeVar("_Result")
ServerCall = Callable[[TokenClient], Awaitable[_Result]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSettings:
    """How failures are met. Refused when made."""

    rest_s: float = 5.0
    """How long a server that failed is left out; doubled at each failure in a row, up to ``max_rest_s``."""
    max_rest_s: float = 60.0
    total_timeout_s: float = 600.0
    """One request with all servers it was sent to and all waits."""
    slack: int = 4
    """Requests a key's own server may have more than the least busy one."""

    def __post_init__(self) -> None:
        if min(self.rest_s, self.max_rest_s) < 0 or self.total_timeout_s <= 0 or self.slack < 0:
            raise ValueError(f"settings of the servers out of range: {self}")


@dataclass(slots=True)
class PoolCounts:
    """What happened so far; plain counts."""

    requests: int = 0
    resent: int = 0
    """Requests that a server failed at and that were sent again."""
    outages: int = 0
    """Times that a server was left out."""


@dataclass(slots=True)
class _Member:
    server: TokenClient
    under_way: int = 0
    failures: int = 0  # in a row
    back_s: float = 0.0  # on the event loop's clock: when it may be asked again
    behind: bool = False  # it was away, and may have lost the weights


@dataclass(slots=True)
class ServerPool:
    """Runs calls on servers.

    ``prepare`` is called on a server that comes back before it is asked anything; one that cannot be prepared stays out.
    """

    servers: Sequence[TokenClient]
    settings: PoolSettings = field(default_factory=PoolSettings)
    prepare: Callable[[TokenClient], Awaitable[None]] | None = None
    tally: PoolCounts = field(default_factory=PoolCounts)
    _members: list[_Member] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not self.servers:
            raise ValueError("a pool needs at least one server")
        if len({server.where for server in self.servers}) < len(self.servers):
            raise ValueError("a server is named twice")
        self._members = [_Member(server) for server in self.servers]

    async def close(self) -> None:
        """Close all connections; a new event loop starts with every server asked."""
        for member in self._members:
            await member.server.close()
            member.back_s = 0.0

    async def generate(self, model: str, request: TokenPrompt, *, key: str) -> TokenReply:
        """What ``model`` draws; prompts of one ``key`` go to one server where possible. Raises as ``run`` does."""
        return await self.run(key, lambda server: server.generate(model, request))

    async def render(self, model: str, uri: str, *, key: str) -> ProcessedImage:
        """The image of a data URI as the servers' processor cuts it. Raises as ``run`` does."""
        return await self.run(key, lambda server: server.render(model, uri))

    async def run(self, key: str, call: ServerCall[_Result]) -> _Result:
        """What ``call`` gives on some server.

        Raises:
            RequestRefusedError: as soon as a server refuses.
            EndpointUnavailableError: if none answered in time; the message is the last server's.
        """
        self.tally.requests += 1
        last = ""
        try:
            async with asyncio.timeout(self.settings.total_timeout_s):
                while True:
                    member = await self._next(key)
                    try:
                        return await self._on(member, call)
                    except EndpointUnavailableError as error:
                        last = str(error)
                        self.tally.resent += 1
        except TimeoutError:
            limit_s = self.settings.total_timeout_s
            raise EndpointUnavailableError(
                f"no rollout server answered within {limit_s:g} s; {last or 'all are out'}"
            ) from None

    async def everywhere(self, call: ServerCall[None]) -> int:
        """Run ``call`` once on every server; those that fail are left out until they are prepared. How many succeeded.

        Raises:
            RequestRefusedError: if any refuses.
            EndpointUnavailableError: if none succeeded.
        """

        async def one(member: _Member) -> EndpointUnavailableError | None:
            try:
                await self._on(member, call, prepared=True)
            except EndpointUnavailableError as error:
                return error
            return None

        failed = [error for error in await asyncio.gather(*map(one, self._members)) if error is not None]
        if len(failed) == len(self._members):
            raise failed[0]
        return len(self._members) - len(failed)

    async def _on(self, member: _Member, call: ServerCall[_Result], *, prepared: bool = False) -> _Result:
        member.under_way += 1
        try:
            if member.behind and self.prepare is not None and not prepared:
                await self.prepare(member.server)
            result = await call(member.server)
        except EndpointUnavailableError as error:
            self._leave_out(member, error)
            raise
        finally:
            member.under_way -= 1
        member.failures, member.behind = 0, False
        return result

    def _leave_out(self, member: _Member, error: EndpointUnavailableError) -> None:
        rest_s = min(self.settings.max_rest_s, self.settings.rest_s * 2.0 ** min(member.failures, 30))
        if error.retry_after_s is not None:
            rest_s = min(self.settings.max_rest_s, error.retry_after_s)
        member.back_s = asyncio.get_running_loop().time() + rest_s
        member.failures += 1
        member.behind = True
        self.tally.outages += 1

    async def _next(self, key: str) -> _Member:
        clock = asyncio.get_running_loop().time
        while True:
            ready = [member for member in self._members if member.back_s <= clock()]
            if ready:
                return self._chosen(key, ready)
            await asyncio.sleep(max(0.0, min(member.back_s for member in self._members) - clock()))

    def _chosen(self, key: str, ready: Sequence[_Member]) -> _Member:
        """The key's own server among those that are there, or the least busy one if that has too much to do."""
        own = max(ready, key=lambda member: preference(key, member.server.where))
        least = min(ready, key=lambda member: member.under_way)
        return own if own.under_way - least.under_way <= self.settings.slack else least


def preference(key: str, where: str) -> bytes:
    """What a key takes the largest of: taking a server away moves only the keys that it had (rendezvous hashing)."""
    return hashlib.blake2b(f"{key}\n{where}".encode(), digest_size=8).digest()
