"""One vLLM server by token ids: tokens in, tokens and log-probabilities out; images rendered, weights exchanged.

Speaks ``/inference/v1/generate`` (a prompt of token ids, images as features), ``/v1/chat/completions/render`` (what the server
makes of an image) and the administrative calls. No text is tokenised by the server, so what a policy is trained on is
what it has drawn. Holds no retries; several servers are ``pool.py``.
"""

import asyncio
import math
from collections.abc import Sequence
from typing import Any

import httpx

from infra.llm.errors import (
    EndpointUnavailableError,
    KeySource,
    RequestRefusedError,
    refusal,
    shortened,
    transport,
)
from infra.llm.tokens.types import (
    JSON,
    ProcessedImage,
    PromptImage,
    TokenPrompt,
    TokenReply,
    TokenServerSettings,
)
from infra.llm.transport import parsed, read, refusal_words
from infra.llm.types import LOOPBACK

GENERATE = "/inference/v1/generate"
RENDER = "/v1/chat/completions/render"
NEVER = -100.0  # logit bias of a barred token
WANTED = "recent versions of vLLM serve it"


class TokenClient:
    """A client of one server. Use it from one event loop at a time; ``close`` before the next.

    Every call raises ``RequestRefusedError`` where asking again will not help, ``EndpointUnavailableError`` where it may.
    """

    def __init__(self, settings: TokenServerSettings) -> None:
        self.settings = settings
        self._root = settings.base_url.rstrip("/").removesuffix("/v1")
        self.where = f"rollout server {self._root}"
        self._http: httpx.AsyncClient | None = None

    async def close(self) -> None:
        """Close all connections; the next call opens new ones."""
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    async def generate(self, model: str, prompt: TokenPrompt) -> TokenReply:
        """What ``model`` draws after ``prompt``."""
        answer = await self.post(GENERATE, body_of(model, prompt))
        return self._reply(answer)

    async def render(self, model: str, uri: str) -> ProcessedImage:
        """The image of a data URI as the server's processor cuts it."""
        content = [{"type": "image_url", "image_url": {"url": uri}}]
        body = {"model": model, "messages": [{"role": "user", "content": content}], "max_tokens": 1}
        answer = await self.post(RENDER, body)
        try:
            features = answer["features"]
            (digest,) = features["mm_hashes"]["image"]
            (place,) = features["mm_placeholders"]["image"]
            (data,) = features["kwargs_data"]["image"]
            return ProcessedImage(num_tokens=int(place["length"]), digest=str(digest), data=_text(data))
        except (KeyError, TypeError, ValueError):
            raise RequestRefusedError(
                f"{self.where}: {RENDER} gives no pixels of an image; {WANTED}"
            ) from None

    async def models(self) -> list[str]:
        """Names of the models and adapters that are served."""
        answer = await self.get("/v1/models")
        entries = answer.get("data") if isinstance(answer, dict) else None
        return [str(entry["id"]) for entry in entries or () if isinstance(entry, dict) and "id" in entry]

    async def get(self, path: str) -> Any:
        """The JSON, or the text, that ``path`` answers with."""
        return await self._exchange("GET", path, None)

    async def post(self, path: str, body: JSON) -> Any:
        """The JSON, or the text, that ``path`` answers with."""
        return await self._exchange("POST", path, body)

    async def _exchange(self, method: str, path: str, body: JSON | None) -> Any:
        with transport(self.where):
            try:
                async with asyncio.timeout(self.settings.timeout_s):
                    return await self._answered(method, path, body)
            except TimeoutError:
                limit_s = self.settings.timeout_s
                raise EndpointUnavailableError(
                    f"{self.where}: no complete answer within {limit_s:g} s"
                ) from None

    async def _answered(self, method: str, path: str, body: JSON | None) -> Any:
        async with self._client().stream(method, f"{self._root}{path}", json=body) as response:
            if response.status_code != 200:
                raise await self._refusal(response, path)
            data = await read(response, self.settings.max_reply_bytes, self.where)
            if "json" not in response.headers.get("content-type", ""):
                return data.decode(errors="replace")
            return parsed(data, self.where)

    async def _refusal(self, response: httpx.Response, path: str) -> Exception:
        key = self.settings.api_key
        words = await refusal_words(response, key, self.where)
        if response.status_code == 404 and words.message in (
            "",
            "Not Found",
        ):  # what a route that is not there says
            return RequestRefusedError(f"{self.where}: there is no {path} (404); {_remedy(path)}")
        if response.status_code == 404 and path in (GENERATE, RENDER):
            # an adapter that it was given is gone: it has started over, and is to be prepared again
            return EndpointUnavailableError(f"{self.where}: {shortened(words).message}")
        source = KeySource("VIMRAG_API_KEY", is_set=key is not None)
        retry_after = response.headers.get("retry-after")
        return refusal(self.where, response.status_code, words, source, retry_after=retry_after)

    def _client(self) -> httpx.AsyncClient:
        if self._http is None:
            headers = {"Accept-Encoding": "identity"}
            if self.settings.api_key is not None:
                headers["Authorization"] = f"Bearer {self.settings.api_key}"
            timeout = httpx.Timeout(
                self.settings.timeout_s, connect=self.settings.connect_timeout_s, pool=None
            )
            local = httpx.URL(self.settings.base_url).host in LOOPBACK
            limits = httpx.Limits(max_connections=None)
            self._http = httpx.AsyncClient(
                headers=headers, timeout=timeout, limits=limits, trust_env=not local
            )
        return self._http

    def _reply(self, answer: Any) -> TokenReply:
        try:
            (choice,) = answer["choices"]
            token_ids, reason = choice.get("token_ids"), choice.get("finish_reason")
            scored = (choice.get("logprobs") or {}).get("content") or ()
        except (KeyError, TypeError, ValueError, AttributeError):
            raise RequestRefusedError(f"{self.where}: an answer without choices; {WANTED}") from None
        if not token_ids or not all(type(token) is int for token in token_ids):
            raise RequestRefusedError(f"{self.where}: the answer has no token ids; {WANTED}")
        if len(scored) != len(token_ids):
            raise RequestRefusedError(
                f"{self.where}: {len(scored)} log-probabilities for {len(token_ids)} tokens; nothing can be trained on them"
            )
        logprobs = tuple(self._logprob(entry, token) for entry, token in zip(scored, token_ids, strict=True))
        return TokenReply(token_ids=tuple(token_ids), logprobs=logprobs, finish_reason=str(reason or "stop"))

    def _logprob(self, entry: Any, token: int) -> float:
        value = entry.get("logprob") if isinstance(entry, dict) else None
        if not isinstance(value, int | float) or not math.isfinite(value) or value > 1e-4:
            raise RequestRefusedError(f"{self.where}: {value!r} is no log-probability")
        name = str(entry.get("token", ""))
        if name.startswith("token_id:") and name != f"token_id:{token}":
            raise RequestRefusedError(
                f"{self.where}: the log-probability of {name} stands beside token {token}"
            )
        return min(0.0, float(value))


def body_of(model: str, prompt: TokenPrompt) -> JSON:
    """The request for one reply: the end token alone ends it, and log-probabilities are of the tokens drawn."""
    options = prompt.options
    sampling: dict[str, Any] = {
        "temperature": options.temperature,
        "top_p": options.top_p,
        "max_tokens": options.max_tokens,
        "logprobs": 1,
        "ignore_eos": True,
        "stop_token_ids": [prompt.eos_id],
        "logit_bias": {str(token): NEVER for token in prompt.forbidden_ids},
        "detokenize": False,
    }
    if options.seed is not None:
        sampling["seed"] = options.seed
    body: dict[str, Any] = {"model": model, "token_ids": list(prompt.token_ids), "sampling_params": sampling}
    if prompt.images:
        body["features"] = _features(prompt.images, prompt.offsets)
    return body


def _features(images: Sequence[PromptImage], offsets: Sequence[int]) -> JSON:
    places = [
        {"offset": offset, "length": image.num_tokens} for image, offset in zip(images, offsets, strict=True)
    ]
    return {
        "mm_hashes": {"image": [image.digest for image in images]},
        "mm_placeholders": {"image": places},
        "kwargs_data": {"image": [image.data for image in images]},
    }


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


def _remedy(path: str) -> str:
    if "lora" in path:
        return "start it with --enable-lora and VLLM_ALLOW_RUNTIME_LORA_UPDATING=True"
    if path in ("/collective_rpc", "/reset_prefix_cache"):
        return "start it with VLLM_SERVER_DEV_MODE=1"
    return WANTED
