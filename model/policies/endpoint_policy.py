"""A served vision-language model as a policy, behind any OpenAI-compatible endpoint.

Joins a conversation, its images and a client. A served model gives no token ids and no log-probabilities, so its rollouts
can be shown, scored and imitated, but not trained on by GGPO.
"""

import hashlib
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace

from model.policies.chat_endpoint import ChatEndpoint, ChatMessage, ChatReplyLike, chat_messages
from model.policies.image_uris import ImageUris
from model.protocols import MediaSource
from model.types import Completion, ImageRef, Message, PolicyRequest, Sampling

REQUEST_SHAPE = "chat-1"  # changes whenever the same conversation becomes another request
SEED_BITS = 31  # every server takes these; some read a seed as a signed or an unsigned 32-bit number


class EndpointPolicy:
    """``StreamingPolicy`` over a chat endpoint.

    Args:
        client: the endpoint; the caller closes it.
        media: source of the prompts' images.
        model: the model's name, as it is asked for.
    """

    def __init__(self, client: ChatEndpoint, media: MediaSource, *, model: str) -> None:
        if not model:
            raise ValueError("an endpoint policy needs the name of its model")
        self._client, self._model = client, model
        self._images = ImageUris(media)

    @property
    def fingerprint(self) -> str:
        """``endpoint:<model>:<hash>``: the model as the server calls it, once it has replied, and our request shape.

        A server can change the weights behind a name; this cannot tell.
        """
        digest = hashlib.blake2b(f"{REQUEST_SHAPE}\n{self._model}".encode(), digest_size=8).hexdigest()
        return f"endpoint:{self._model}:{digest}"

    async def complete(self, request: PolicyRequest) -> Completion:
        """One completion; errors of the client and of the media come through."""
        prompt = await self._prompt(request.messages)
        reply = await self._client.complete(prompt, server_sampling(request.sampling))
        return self._completion(request.messages, reply)

    async def stream(self, request: PolicyRequest) -> AsyncGenerator[str | Completion]:
        """Pieces of the reply, the completion last; leaving early ends the request."""
        prompt = await self._prompt(request.messages)
        async with aclosing(self._client.stream(prompt, server_sampling(request.sampling))) as replies:
            async for piece in replies:
                yield piece if isinstance(piece, str) else self._completion(request.messages, piece)

    async def _prompt(self, messages: Sequence[Message]) -> list[ChatMessage]:
        return chat_messages(messages, await self._images.uris(images_of(messages)))

    def _completion(self, messages: Sequence[Message], reply: ChatReplyLike) -> Completion:
        self._model = reply.model or self._model
        return Completion(
            text=reply.text,
            images=images_of(messages),
            finish_reason=reply.finish_reason,
            prompt_tokens=reply.prompt_tokens,
            completion_tokens=reply.completion_tokens,
            estimated=reply.estimated,
            least_prompt_tokens=reply.least_prompt_tokens,
        )


def images_of(messages: Sequence[Message]) -> tuple[ImageRef, ...]:
    """Every image of a conversation, in reading order."""
    return tuple(part for message in messages for part in message.parts if isinstance(part, ImageRef))


def server_sampling(sampling: Sampling) -> Sampling:
    """The same with a seed that every server takes."""
    return sampling if sampling.seed is None else replace(sampling, seed=sampling.seed % 2**SEED_BITS)
