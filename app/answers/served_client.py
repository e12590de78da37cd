"""A chat client as the agent knows it: its refusals for length and for pictures, and whether the model sees."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

from infra.llm.client import ChatClient
from infra.llm.errors import NoPicturesError, PromptTooLongError
from infra.llm.sight import SightMemory, probe_sight
from infra.llm.types import ChatMessages, ChatReply, ChatSettings, DecodingOptions
from model.protocols import PicturesRefused, PromptTooLong

ASKED_S = 60.0  # for the probe


class ServedClient:
    """One endpoint for one agent's model.

    With ``asks`` the model is shown a picture once, before the first one of a question; without, only what was found out
    before counts, and a server that refuses pictures is believed.
    """

    def __init__(self, client: ChatClient, *, asks: bool = False, memory: SightMemory | None = None) -> None:
        self._asks = asks
        self._client, self._memory = client, memory or SightMemory()
        self._is_probed, self._probing = False, asyncio.Lock()
        self.sees: bool | None = None
        """Whether the model reads pictures; None as long as nobody knows."""

    async def complete(self, messages: ChatMessages, request: DecodingOptions) -> ChatReply:
        """The whole reply; raises ``PromptTooLong`` or ``PicturesRefused`` for these refusals."""
        try:
            return await self._client.complete(messages, request)
        except (PromptTooLongError, NoPicturesError) as error:
            raise self._translated(error) from error

    async def stream(
        self, messages: ChatMessages, request: DecodingOptions
    ) -> AsyncGenerator[str | ChatReply]:
        """Pieces of the reply, the reply last; raises as ``complete`` does."""
        try:
            async with aclosing(self._client.stream(messages, request)) as pieces:
                async for piece in pieces:
                    yield piece
        except (PromptTooLongError, NoPicturesError) as error:
            raise self._translated(error) from error

    async def sight(self) -> bool:
        """Whether pictures are sent: not to a model that was found not to see them."""
        async with self._probing:  # questions that come meanwhile wait for the answer
            if self.sees is None and not self._is_probed:
                await self._probe()
        return self.sees is not False

    async def _probe(self) -> None:
        settings, model = self._client.settings, await self._client.model()
        self.sees = self._memory.recall(settings.base_url, model)
        if self.sees is None and self._asks:
            self.sees = await self._asked(replace(settings, model=model))
            if self.sees is not None:
                self._memory.keep(settings.base_url, model, sees=self.sees)
        self._is_probed = True

    async def _asked(self, settings: ChatSettings) -> bool | None:
        """What the model says to a picture; nothing that keeps a question waiting."""
        client = ChatClient(replace(settings, retries=0, timeout_s=ASKED_S, total_timeout_s=ASKED_S))
        try:
            return (await probe_sight(client)).sees
        finally:
            await client.close()

    def _translated(self, error: PromptTooLongError | NoPicturesError) -> Exception:
        if isinstance(error, NoPicturesError):
            self.sees = False
            return PicturesRefused(str(error))
        return PromptTooLong(str(error), sent=error.length.sent, most=error.length.most)
