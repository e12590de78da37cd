"""An embedder behind an OpenAI-style ``/v1/embeddings``: vLLM, text-embeddings-inference, Infinity, llama.cpp, hosted ones.

What a server reads is found out by asking, once, with the first vector: two pictures of other colours must get other
vectors, else it is used for text alone. Retries, limits, key and costs are those of ``infra/llm``; the calls are
synchronous, a thread of its own runs the event loop.
"""

import asyncio
import hashlib
import json
import threading
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

import numpy as np
from PIL import Image

from infra.embedders.endpoint_requests import (
    JSON,
    BadVectorError,
    MalformedAnswerError,
    RequestStyle,
    input_body,
    messages_body,
    prompt_tokens,
    unit,
    vectors_of,
)
from infra.embedders.images import shrunk
from infra.embedders.qwen_vl.batches import thinned
from infra.embedders.types import Clip, Modality, RefusedInputError
from infra.errors import EmbedderError, EndpointError
from infra.llm.assembly import CHARS_PER_TOKEN, TOKENS_PER_IMAGE
from infra.llm.endpoint import Endpoint
from infra.llm.errors import EndpointUnavailableError, RequestRefusedError
from infra.llm.types import ChatSettings
from infra.llm.usage import UsageTotals
from infra.media import data_uri, encode_jpeg, encode_png
from infra.vector_stores.types import Vectors

SMALL_PIXELS = 128 * 128  # up to here PNG costs little
BLAMED = (400, 413, 422)  # refusals that one input of a batch can be the reason of
PROBE_PX = 64
EQUAL = 1e-3  # of any value of two unit vectors
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointEmbedderSettings:
    """One server and how it is asked."""

    server: ChatSettings
    space: str = "endpoint"
    style: RequestStyle = RequestStyle.AUTO
    dim: int | None = None
    """First values of a vector that are kept (Matryoshka); None keeps all."""
    query_instruction: str = "Retrieve images or text relevant to the user's query."
    document_instruction: str = "Represent the user's input."
    """The system turn, where conversations are asked for."""
    query_prefix: str = ""
    document_prefix: str = ""
    """In front of a text, where plain texts are asked for: ``query: `` and ``passage: `` for E5, for example."""
    batch_items: int = 64
    """Texts of one request; images and clips are one a request."""
    max_chars: int = 24_000
    """Of a text; the rest is cut off."""
    max_image_pixels: int = 1_843_200
    max_frame_pixels: int = 250_000
    max_frames: int = 8

    def __post_init__(self) -> None:
        counts = (
            self.batch_items,
            self.max_chars,
            self.max_image_pixels,
            self.max_frame_pixels,
            self.max_frames,
        )
        if min(counts) < 1 or (self.dim is not None and self.dim < 1):
            raise ValueError(f"limits of an embedder must be at least 1: {self}")


class ServerProbe(NamedTuple):
    """What a server was found to be."""

    style: RequestStyle
    width: int  # of its vectors
    modalities: frozenset[Modality]


class EndpointEmbedder:
    """``VisionEmbedder`` over a server; thread-safe. ``EmbedderError`` names what the server did and what to do."""

    def __init__(self, settings: EndpointEmbedderSettings) -> None:
        self.settings = settings
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._endpoint: Endpoint | None = None

    @property
    def space(self) -> str:
        """Name of the space, from the settings."""
        return self.settings.space

    @property
    def dim(self) -> int:
        """Width of the vectors; asks the server once unless the settings say it."""
        return self.settings.dim or self.probe.width

    @property
    def modalities(self) -> frozenset[Modality]:
        """What the server was found to read."""
        return self.probe.modalities

    @property
    def fingerprint(self) -> str:
        """Hash of model and settings, in hex. What weights a server has it does not say: a new model needs a new name."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        settings = self.settings
        model = settings.server.model or self._call(lambda endpoint: endpoint.model())
        stated = [
            model, settings.style, settings.dim, settings.query_instruction, settings.document_instruction,
            settings.query_prefix, settings.document_prefix, settings.max_chars, settings.max_image_pixels,
            settings.max_frame_pixels, settings.max_frames,
        ]  # fmt: skip
        return hashlib.sha256(json.dumps(["endpoint", *stated]).encode()).hexdigest()

    @property
    def usage(self) -> UsageTotals:
        """Requests, tokens and money so far."""
        return self._endpoint.ledger.snapshot() if self._endpoint else UsageTotals()

    def encode_documents(self, texts: Sequence[str]) -> Vectors:
        """``[N, dim]``, unit length."""
        return self._texts(texts, self.settings.document_prefix, self.settings.document_instruction)

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """``[N, dim]``, unit length, by prefix or instruction of queries."""
        return self._texts(texts, self.settings.query_prefix, self.settings.query_instruction)

    def encode_images(self, images: Sequence[Image.Image]) -> Vectors:
        """``[N, dim]``, unit length."""
        return self._seen([[image] for image in images], Modality.IMAGE, self.settings.document_instruction)

    def encode_image_queries(self, images: Sequence[Image.Image]) -> Vectors:
        """``[N, dim]``, unit length, by the instruction of queries."""
        return self._seen([[image] for image in images], Modality.IMAGE, self.settings.query_instruction)

    def encode_clips(self, clips: Sequence[Clip]) -> Vectors:
        """``[N, dim]``, unit length: the frames of a clip as images of one message."""
        return self._seen(clips, Modality.VIDEO, self.settings.document_instruction)

    def close(self) -> None:
        """Close connections and thread; the next call opens new ones."""
        with self._lock:
            loop, endpoint, self._loop, self._endpoint = self._loop, self._endpoint, None, None
        if loop is not None and endpoint is not None:
            asyncio.run_coroutine_threadsafe(endpoint.close(), loop).result()
            loop.call_soon_threadsafe(loop.stop)

    @cached_property
    def probe(self) -> ServerProbe:
        """What the server reads; asked once.

        Raises:
            EmbedderError: if it does not answer, or gives texts and images vectors of different widths.
        """
        return self._call(self._probe)

    async def _probe(self, endpoint: Endpoint) -> ServerProbe:
        seen = frozenset[Modality]()
        looks: list[Vectors] = []
        if self.settings.style is not RequestStyle.INPUT:
            looks, seen = await self._probed_images(endpoint)
        style = self.settings.style
        if style is RequestStyle.AUTO:
            style = RequestStyle.MESSAGES if seen else RequestStyle.INPUT
        told = await self._text_batch(endpoint, style, ["a red square"], self.settings.document_instruction)
        width = told.shape[1]
        if looks and looks[0].shape[1] != width:
            raise EmbedderError(
                f"{endpoint.wire.where}: texts get {width} values and images {looks[0].shape[1]}: it serves no common space"
            )
        if self.settings.dim is not None and self.settings.dim > width:
            raise EmbedderError(
                f"{endpoint.wire.where}: it gives {width} values, dim {self.settings.dim} is more"
            )
        return ServerProbe(style, width, seen | {Modality.TEXT})

    async def _probed_images(self, endpoint: Endpoint) -> tuple[list[Vectors], frozenset[Modality]]:
        """Vectors of two colours, and what follows from them: nothing if images are refused or not looked at."""
        red, blue = (Image.new("RGB", (PROBE_PX, PROBE_PX), colour) for colour in ("red", "blue"))
        instruction = self.settings.document_instruction
        try:
            looks = [
                await self._message(endpoint, self._parts([image]), instruction) for image in (red, blue)
            ]
        except RequestRefusedError as error:
            if error.status not in (400, 404, 415, 422, 500):
                raise
            return [], frozenset()
        if looks[0].shape != looks[1].shape or np.abs(looks[0] - looks[1]).max() < EQUAL:
            return [], frozenset()
        try:
            both = await self._message(endpoint, self._parts([red, blue]), instruction)
        except RequestRefusedError:
            return looks, frozenset({Modality.IMAGE})
        differs = all(np.abs(both - look).max() >= EQUAL for look in looks)
        return looks, frozenset({Modality.IMAGE, Modality.VIDEO} if differs else {Modality.IMAGE})

    def _texts(self, texts: Sequence[str], prefix: str, instruction: str) -> Vectors:
        if not texts:
            return np.zeros((0, self.dim), dtype=np.float32)
        style = self.probe.style
        lead = prefix if style is RequestStyle.INPUT else ""
        shown = [f"{lead}{text}"[: self.settings.max_chars] or " " for text in texts]
        size = self.settings.batch_items if style is RequestStyle.INPUT else 1
        starts = range(0, len(shown), size)

        async def batch(endpoint: Endpoint, start: int) -> Vectors:
            return await self._divided(endpoint, style, shown[start : start + size], instruction, start)

        return self._checked(self._gathered(batch, starts))

    def _seen(self, clips: Sequence[Clip], modality: Modality, instruction: str) -> Vectors:
        if modality not in self.modalities:
            raise EmbedderError(
                f"the model at {self.settings.server.base_url} reads no {modality}: serve a vision-language embedder, "
                "for example `vllm serve Qwen/Qwen3-VL-Embedding-2B --runner pooling`"
            )
        if not clips:
            return np.zeros((0, self.dim), dtype=np.float32)

        async def one(endpoint: Endpoint, position: int) -> Vectors:
            try:
                parts = await asyncio.to_thread(self._parts, clips[position])
                return await self._message(endpoint, parts, instruction)
            except (ValueError, OSError) as cause:
                raise RefusedInputError(position, str(cause)) from cause
            except RequestRefusedError as error:
                if error.status not in BLAMED:
                    raise
                raise RefusedInputError(position, str(error)) from error

        return self._checked(self._gathered(one, range(len(clips))))

    def _parts(self, frames: Clip) -> list[JSON]:
        """Images as parts of a message. Raises ``ValueError`` for a clip without frames or a frame that is too narrow."""
        if not frames:
            raise ValueError("a clip without frames")
        kept = [frames[at] for at in thinned(len(frames), self.settings.max_frames)]
        most = self.settings.max_image_pixels if len(frames) == 1 else self.settings.max_frame_pixels
        return [{"type": "image_url", "image_url": {"url": _uri(shrunk(frame, most))}} for frame in kept]

    def _checked(self, parts: list[Vectors]) -> Vectors:
        """All vectors in one array, cut to ``dim``; refuses another width than the server had at first."""
        for part in parts:
            if part.shape[1] != self.probe.width:
                raise EmbedderError(
                    f"{self.settings.server.base_url} gave {part.shape[1]} values, {self.probe.width} at first: "
                    "another model is served there now; build the index again"
                )
        return unit(np.concatenate(parts), self.dim)

    async def _divided(
        self, endpoint: Endpoint, style: RequestStyle, texts: list[str], instruction: str, first: int
    ) -> Vectors:
        """Vectors of a batch; a refused one is halved until the text to blame stands alone."""
        try:
            return await self._text_batch(endpoint, style, texts, instruction)
        except BadVectorError as error:
            raise RefusedInputError(first + error.position, str(error)) from error
        except RequestRefusedError as error:
            if error.status not in BLAMED:
                raise
            if len(texts) == 1:
                raise RefusedInputError(first, str(error)) from error
        half = len(texts) // 2
        parts = [(texts[:half], first), (texts[half:], first + half)]
        return np.concatenate(
            [await self._divided(endpoint, style, part, instruction, at) for part, at in parts]
        )

    async def _text_batch(
        self, endpoint: Endpoint, style: RequestStyle, texts: list[str], instruction: str
    ) -> Vectors:
        if style is RequestStyle.MESSAGES:
            rows = [
                await self._message(endpoint, [{"type": "text", "text": text}], instruction) for text in texts
            ]
            return np.concatenate(rows)
        body = input_body(await endpoint.model(), texts)
        return await self._asked(endpoint, body, len(texts), sum(map(len, texts)) // CHARS_PER_TOKEN)

    async def _message(self, endpoint: Endpoint, parts: Sequence[JSON], instruction: str) -> Vectors:
        """The vector ``[1, width]`` of one message."""
        body = messages_body(await endpoint.model(), parts, instruction)
        images = sum("image_url" in part for part in parts)
        letters = sum(len(part.get("text", "")) for part in parts)
        return await self._asked(endpoint, body, 1, images * TOKENS_PER_IMAGE + letters // CHARS_PER_TOKEN)

    async def _asked(self, endpoint: Endpoint, body: JSON, count: int, estimate: int) -> Vectors:
        """Send and read one request; books its tokens, those of a malformed answer too, which is asked for again."""

        async def exchange(stack: AsyncExitStack, _: float) -> Vectors:
            answer = await endpoint.wire.post(stack, "embeddings", body)
            counted = prompt_tokens(answer)
            tokens = estimate if counted is None else counted
            endpoint.ledger.add_tokens(tokens, 0, estimated=counted is None)
            try:
                return vectors_of(answer, count)
            except MalformedAnswerError as error:
                raise EndpointUnavailableError(f"{endpoint.wire.where}: {error}") from None

        return await endpoint.repeated(exchange)

    def _gathered(
        self, make: Callable[[Endpoint, int], Coroutine[Any, Any, Vectors]], starts: Sequence[int]
    ) -> list[Vectors]:
        """``make`` for each start, some at a time, in the order of ``starts``; the first error ends all."""

        async def all_of_them(endpoint: Endpoint) -> list[Vectors]:
            places = asyncio.Semaphore(2 * self.settings.server.concurrency)  # so few bodies exist at once

            async def placed(start: int) -> Vectors:
                async with places:
                    return await make(endpoint, start)

            try:
                async with asyncio.TaskGroup() as group:
                    tasks = [group.create_task(placed(start)) for start in starts]
            except BaseExceptionGroup as group_error:
                raise group_error.exceptions[0] from None
            return [task.result() for task in tasks]

        return self._call(all_of_them)

    def _call(self, use: Callable[[Endpoint], Awaitable[_Result]]) -> _Result:
        """The result of ``use`` on the embedder's own event loop; errors of the endpoint become ``EmbedderError``."""
        endpoint, loop = self._opened()

        async def run() -> _Result:
            return await use(endpoint)

        try:
            return asyncio.run_coroutine_threadsafe(run(), loop).result()
        except BadVectorError as error:
            raise EmbedderError(f"{endpoint.wire.where}: {error}") from error
        except EndpointError as error:
            raise EmbedderError(str(error)) from error

    def _opened(self) -> tuple[Endpoint, asyncio.AbstractEventLoop]:
        with self._lock:
            if self._loop is None or self._endpoint is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._loop.run_forever, name="embeddings", daemon=True).start()
                self._endpoint = Endpoint(self.settings.server, "embedding endpoint")
            return self._endpoint, self._loop

    def __getstate__(self) -> dict[str, Any]:
        """The settings; connections do not travel."""
        return {"settings": self.settings}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["settings"])


def _uri(image: Image.Image) -> str:
    """A small image as PNG, a larger one as JPEG."""
    small = image.width * image.height <= SMALL_PIXELS
    return data_uri(encode_png(image), "image/png") if small else data_uri(encode_jpeg(image), "image/jpeg")
