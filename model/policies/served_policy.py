"""A served vision-language model as a policy that can be trained: the same tokens go to the server and to the trainer.

The prompt is made here, by the encoder that local rollouts and the trainer use, and sent as token ids; the server answers with
token ids and log-probabilities. It never sees text, so nothing is tokenised twice. Pictures go as PNG at exactly their
grant; the server's own processor cuts them, and its count of tokens has to be the encoder's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from cachetools import LRUCache
from PIL import Image

from model.policies.chat_template import EncodedPrompt, PromptEncoder, visual_tokens
from model.policies.endpoint_policy import drawing
from model.policies.image_uris import png_uri
from model.policies.token_endpoint import PlacedImage, ServerImage, TokenEndpoint, TokenRequest
from model.protocols import MediaSource
from model.types import Completion, ImageRef, Message, Sampling, Task

CACHE_CHARS = 512 * 1024 * 1024  # of rendered pictures


class ServingError(ValueError):
    """The server does not see or say what the trainer would; the message says what to change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedWeights:
    """What is served at the moment."""

    model: str
    """The name that is asked for: the model, or an adapter of it."""
    version: int
    """Updates that its weights have had."""
    weights: str
    """Their fingerprint on the trainer's side."""


class ServedPolicy:
    """``Policy`` over servers that take and give token ids.

    Args:
        endpoint: the servers.
        encoder: makes the prompts.
        media: where the pictures come from.
        served: what is served to begin with.
    """

    def __init__(
        self, endpoint: TokenEndpoint, encoder: PromptEncoder, media: MediaSource, *, served: ServedWeights
    ) -> None:
        self._endpoint, self._encoder, self._media = endpoint, encoder, media
        self.served = served
        self._rendered: LRUCache[ImageRef, ServerImage] = LRUCache(CACHE_CHARS, lambda image: len(image.data))
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="png")

    @property
    def fingerprint(self) -> str:
        """``served:<name>:v<updates>:<weights>``, of the weights that were sent to the servers last."""
        return f"served:{self.served.model}:v{self.served.version}:{self.served.weights}"

    async def complete(self, messages: Sequence[Message], *, sampling: Sampling, task: Task) -> Completion:
        """One completion; errors of the servers and of the media come through.

        Raises:
            ServingError: if the server cuts a picture otherwise, or its reply cannot be trained on.
        """
        return await self.continued(self._encoder.encode(messages), sampling=sampling, task=task)

    async def continued(self, prompt: EncodedPrompt, *, sampling: Sampling, task: Task) -> Completion:
        """The completion of a prompt that is encoded already; errors as ``complete``."""
        request = TokenRequest(
            token_ids=prompt.ids,
            pictures=await self._placed(prompt, task),
            drawing=drawing(sampling),
            end_id=self._encoder.eos_id,
            barred=(self._encoder.image_id,),
        )
        reply = await self._endpoint.generate(self.served.model, request, key=task.id)
        self._check(reply.token_ids, sampling)
        return Completion(
            text=self._encoder.decode(reply.token_ids),
            prompt_ids=prompt.ids,
            token_ids=reply.token_ids,
            logprobs=reply.logprobs,
            images=prompt.images,
            finish_reason="stop" if reply.token_ids[-1] == self._encoder.eos_id else "length",
            prompt_tokens=len(prompt.ids),
            completion_tokens=len(reply.token_ids),
        )

    def _check(self, token_ids: Sequence[int], sampling: Sampling) -> None:
        """Refuse a reply that the agent's own prompts could not go on from."""
        known = len(self._encoder.tokenizer)
        if strange := [token for token in token_ids if not 0 <= token < known]:
            raise ServingError(
                f"the server drew token {strange[0]}, the policy knows {known} tokens: does it serve another model?"
            )
        if self._encoder.image_id in token_ids:
            raise ServingError("the server drew an image placeholder, which it was told not to")
        if self._encoder.eos_id in token_ids[:-1]:
            raise ServingError("the server went on after the end of the turn")
        if len(token_ids) > sampling.max_tokens:
            raise ServingError(
                f"the server drew {len(token_ids)} tokens, {sampling.max_tokens} were asked for"
            )
        if len(token_ids) < sampling.max_tokens and token_ids[-1] != self._encoder.eos_id:
            raise ServingError(
                "the reply ends before its end token and before its longest length; is the server's context too short?"
            )

    async def _placed(self, prompt: EncodedPrompt, task: Task) -> tuple[PlacedImage, ...]:
        if not prompt.images:
            return ()
        found = await asyncio.gather(*(self._picture(ref, task) for ref in dict.fromkeys(prompt.images)))
        pictures = dict(zip(dict.fromkeys(prompt.images), found, strict=True))
        placed, at = [], 0
        for ref in prompt.images:
            at = prompt.ids.index(self._encoder.image_id, at)
            each = pictures[ref]
            placed.append(
                PlacedImage(offset=at, num_tokens=each.num_tokens, digest=each.digest, data=each.data)
            )
            at += each.num_tokens
        return tuple(placed)

    async def _picture(self, ref: ImageRef, task: Task) -> ServerImage:
        if ref in self._rendered:
            return self._rendered[ref]
        loop = asyncio.get_running_loop()
        uri = await loop.run_in_executor(self._thread, self._uri, ref)
        made = await self._endpoint.render(self.served.model, uri, key=task.id)
        if made.num_tokens != visual_tokens(ref):
            raise ServingError(
                f"the server cuts {ref.item_id} ({ref.width}x{ref.height} px) into {made.num_tokens} tokens, the trainer into "
                f"{visual_tokens(ref)}: start it with the model's own processor and without other limits of pixels"
            )
        if len(made.data) <= CACHE_CHARS:
            self._rendered[ref] = made
        return made

    def _uri(self, ref: ImageRef) -> str:
        """The very pixels that the trainer will see."""
        return png_uri(Image.fromarray(self._encoder.picture(ref, self._media, keep=False)))
