"""Several token servers as one: every call goes to some server of a pool, and to another if that fails."""

from infra.llm.server_pool import ServerPool
from infra.llm.tokens_types import ProcessedImage, TokenPrompt, TokenReply


class TokenPool:
    """The calls of ``TokenServer`` on whichever server the pool chooses; errors are the pool's."""

    def __init__(self, pool: ServerPool) -> None:
        self.pool = pool

    async def generate(self, model: str, request: TokenPrompt, *, key: str) -> TokenReply:
        """What ``model`` draws; prompts of one ``key`` go to one server where possible."""
        return await self.pool.run(key, lambda server: server.generate(model, request))

    async def render(self, model: str, uri: str, *, key: str) -> ProcessedImage:
        """The image of a data URI as the servers' processor cuts it."""
        return await self.pool.run(key, lambda server: server.render(model, uri))
