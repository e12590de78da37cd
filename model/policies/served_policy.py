"""A served vision-language model as a policy that can be trained: the same tokens go to the server and to the trainer.

The prompt is made here, by the encoder that local rollouts and the trainer use, and sent as token ids; the server answers with
token ids and log-probabilities. It never sees text, so nothing is tokenised twice. Images go as PNG at exactly their granted
size; the server's own processor cuts them into patches, and its count of tokens has to be the encoder's.
"""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from cachetools import LRUCache
from PIL import Image

from model.policies.chat_template import EncodedPrompt, PromptEncoder, visual_tokens
from model.policies.endpoint_policy import server_sampling
from model.policies.image_uris import png_uri
from model.policies.token_endpoint import ServerImage, TokenEndpoint, TokenRequest
from model.protocols import MediaSource
from model.types import Completion, ImageRef, PolicyRequest, Sampling, Task

CACHE_CHARS = 512 * 1024 * 1024  # of rendered images


class ServingError(ValueError):
    """The server processes or samples otherwise than the trainer; the message says what to change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedWeights:
    """The weights that are served at the moment."""

    model: str
    """Name in requests: the model, or an adapter of it."""
    version: int
    """Updates that its weights have had."""
    fingerprint: str
    """Of the weights, on the trainer's side."""


class ServedPolicy:
    """``Policy`` over servers that take and give token ids.

    Args:
        endpoint: the servers.
        encoder: makes the prompts.
        media: source of the images.
        served: the weights that are served to begin with.
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
        return f"served:{self.served.model}:v{self.served.version}:{self.served.fingerprint}"

    async def complete(self, request: PolicyRequest) -> Completion:
        """One completion; errors of the servers and of the media come through.

        Raises:
            ServingError: if the server cuts an image otherwise, or its reply cannot be trained on.
        """
        prompt = self._encoder.encode(request.messages)
        return await self.complete_prompt(prompt, sampling=request.sampling, task=request.task)

    async def complete_prompt(self, prompt: EncodedPrompt, *, sampling: Sampling, task: Task) -> Completion:
        """The completion of a prompt that is encoded already; errors as ``complete``."""
        images = await self._server_images(prompt, task)
        request = TokenRequest(
            token_ids=prompt.ids,
            images=images,
            offsets=self._offsets(prompt, images),
            options=server_sampling(sampling),
            eos_id=self._encoder.eos_id,
            forbidden_ids=(self._encoder.image_id,),
        )
        reply = await self._endpoint.generate(self.served.model, request, key=task.id)
        self._check(reply.token_ids, sampling)
        text, ended = self._encoder.decode(reply.token_ids), reply.token_ids[-1] == self._encoder.eos_id
        return prompt.completion(text, reply.token_ids, reply.logprobs, ended=ended)

    def _check(self, token_ids: Sequence[int], sampling: Sampling) -> None:
        """Refuse a reply that the agent's own prompts could not go on from."""
        vocabulary = len(self._encoder.tokenizer)
        if unknown := [token for token in token_ids if not 0 <= token < vocabulary]:
            raise ServingError(
                f"the server sampled token {unknown[0]}, the policy has {vocabulary} tokens: does it serve another model?"
            )
        if self._encoder.image_id in token_ids:
            raise ServingError("the server sampled an image placeholder, which the request forbids")
        if self._encoder.eos_id in token_ids[:-1]:
            raise ServingError("the server went on after the end of the turn")
        if len(token_ids) > sampling.max_tokens:
            raise ServingError(
                f"the server sampled {len(token_ids)} tokens, at most {sampling.max_tokens} were requested"
            )
        if len(token_ids) < sampling.max_tokens and token_ids[-1] != self._encoder.eos_id:
            raise ServingError(
                "the reply ends before its end token and before its longest length; is the server's context too short?"
            )

    async def _server_images(self, prompt: EncodedPrompt, task: Task) -> tuple[ServerImage, ...]:
        distinct = dict.fromkeys(prompt.images)
        rendered = await asyncio.gather(*(self._server_image(ref, task) for ref in distinct))
        by_ref = dict(zip(distinct, rendered, strict=True))
        return tuple(by_ref[ref] for ref in prompt.images)

    def _offsets(self, prompt: EncodedPrompt, images: Sequence[ServerImage]) -> tuple[int, ...]:
        offsets, end = [], 0
        for image in images:
            offsets.append(prompt.ids.index(self._encoder.image_id, end))
            end = offsets[-1] + image.num_tokens
        return tuple(offsets)

    async def _server_image(self, ref: ImageRef, task: Task) -> ServerImage:
        if ref in self._rendered:
            return self._rendered[ref]
        loop = asyncio.get_running_loop()
        uri = await loop.run_in_executor(self._thread, self._uri, ref)
        image = await self._endpoint.render(self.served.model, uri, key=task.id)
        if image.num_tokens != visual_tokens(ref):
            raise ServingError(
                f"the server cuts {ref.item_id} ({ref.width}x{ref.height} px) into {image.num_tokens} tokens, the trainer into "
                f"{visual_tokens(ref)}: start it with the model's own processor and without other limits of pixels"
            )
        if len(image.data) <= CACHE_CHARS:
            self._rendered[ref] = image
        return image

    def _uri(self, ref: ImageRef) -> str:
        """Exactly the pixels that the trainer will use, as a data URI."""
        return png_uri(Image.fromarray(self._encoder.resized_image(ref, self._media, keep=False)))
