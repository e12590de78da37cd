"""A served model whose rollouts another model imitates: the teacher's texts in the student's tokens.

A policy like any other. Prompts are encoded as the student would see them, replies as the student would have to say them,
so that a teacher's rollout is an ordinary one of the student's. It has no log-probabilities of the student's: it can be
imitated, not reinforced.
"""

import hashlib
from dataclasses import replace

from model.policies.chat_endpoint import CompletingEndpoint, chat_messages, strip_thinking
from model.policies.chat_template import PromptEncoder
from model.policies.endpoint_policy import REQUEST_SHAPE, images_of, server_sampling
from model.policies.image_uris import ImageUris
from model.protocols import MediaSource
from model.types import Completion, PolicyRequest


class TeacherPolicy:
    """``Policy`` over a chat endpoint.

    Args:
        client: the endpoint; the caller closes it.
        media: where the images of the prompts come from.
        encoder: the student's.
        model: the teacher's name.
        thoughts: whether reasoning in front of a reply is part of what is imitated.
    """

    def __init__(
        self,
        client: CompletingEndpoint,
        media: MediaSource,
        encoder: PromptEncoder,
        *,
        model: str,
        thoughts: bool = False,
    ) -> None:
        self._client, self._encoder, self._model, self._thoughts = client, encoder, model, thoughts
        self._images = ImageUris(media)

    @property
    def fingerprint(self) -> str:
        """``teacher:<model>:<hash>``; a server can change the weights behind a name, which this cannot tell."""
        digest = hashlib.blake2b(f"{REQUEST_SHAPE}\n{self._model}".encode(), digest_size=8).hexdigest()
        return f"teacher:{self._model}:{digest}"

    async def complete(self, request: PolicyRequest) -> Completion:
        """One completion; errors of the client and of the media come through."""
        prompt = chat_messages(request.messages, await self._images.uris(images_of(request.messages)))
        reply = await self._client.complete(prompt, server_sampling(request.sampling))
        text = reply.text if self._thoughts else strip_thinking(reply.text)
        is_cut = reply.finish_reason == "length" and bool(text)
        demonstration = self._encoder.demonstration(request.messages, text, is_cut=is_cut)
        return replace(
            demonstration, prompt_tokens=reply.prompt_tokens, completion_tokens=reply.completion_tokens
        )
