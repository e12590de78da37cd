"""Checks of a served model: does it answer, how long a prompt does it take, does it read pictures."""

from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx

from app.commands.health.types import Check, State
from infra.errors import EndpointError
from infra.llm.client import ChatClient, probed
from infra.llm.sight import SightMemory, probe_sight
from infra.llm.types import ChatSettings
from model.config.limits import Limits

ASKED_S = 10.0
LENGTH_KEYS = ("max_model_len", "context_length", "max_context_length", "context_window", "n_ctx")
NAMES = ("model", "pictures", "context")


async def endpoint_checks(settings: ChatSettings | None) -> list[Check]:
    """Whether it answers, what it sees, how much it reads."""
    if settings is None:
        remedy = "vimrag doctor --endpoint URL asks one"
        return [
            Check(name=name, state=State.SKIPPED, detail="no endpoint named", remedy=remedy) for name in NAMES
        ]
    try:
        settings = await probed(settings)
    except (EndpointError, ValueError) as error:
        remedy = "start the server of the model, or correct --endpoint; it usually ends in /v1"
        failed = Check(name="model", state=State.FAILED, detail=str(error), remedy=remedy)
        return [
            failed,
            *(
                Check(name=name, state=State.SKIPPED, detail="the model does not answer")
                for name in NAMES[1:]
            ),
        ]
    answers = Check(name="model", state=State.OK, detail=f"{settings.model} at {settings.base_url}")
    return [answers, await pictures(settings), context(await context_length(settings))]


async def pictures(settings: ChatSettings) -> Check:
    """Shows it two colours; what it finds is remembered for ``ask`` and ``serve``."""
    client = ChatClient(settings)
    try:
        sight = await probe_sight(client)
    finally:
        await client.close()
    if sight.sees is not None:
        SightMemory().keep(settings.base_url, settings.model, sees=sight.sees)
    if sight.sees:
        return Check(name="pictures", state=State.OK, detail=sight.detail)
    if sight.sees is None:
        return Check(
            name="pictures",
            state=State.MISSING,
            detail=sight.detail,
            remedy="ask a question about a picture to see",
        )
    remedy = "serve a vision-language model (llama.cpp: --mmproj FILE); until then pages are read as text"
    return Check(name="pictures", state=State.MISSING, detail=sight.detail, remedy=remedy)


def context(length: int | None) -> Check:
    """Beside what the agent sends at most."""
    limits = Limits()
    wanted = limits.context_tokens + limits.observation_tokens
    if length is None:
        remedy = f"see that it takes {wanted:,} tokens (Ollama: OLLAMA_CONTEXT_LENGTH, llama.cpp: -c)"
        return Check(
            name="context", state=State.MISSING, detail="the server does not say how long", remedy=remedy
        )
    if length < wanted:
        remedy = (
            f"give it {wanted:,} (llama.cpp: -c, vLLM: --max-model-len, Ollama: OLLAMA_CONTEXT_LENGTH);"
            " until then long prompts are shortened"
        )
        return Check(name="context", state=State.MISSING, detail=f"{length:,} tokens", remedy=remedy)
    return Check(name="context", state=State.OK, detail=f"{length:,} tokens")


async def context_length(settings: ChatSettings) -> int | None:
    """As the server lists it with its models (vLLM, SGLang, routers), or under ``/props`` (llama.cpp); None if nowhere."""
    base = settings.base_url.rstrip("/")
    parts = urlsplit(base)
    root = urlunsplit((parts.scheme, parts.netloc, parts.path.removesuffix("/v1"), "", ""))
    headers = {} if settings.api_key is None else {"Authorization": f"Bearer {settings.api_key}"}
    async with httpx.AsyncClient(headers=headers, timeout=ASKED_S, trust_env=not settings.is_local) as http:
        listed = await _json(http, f"{base}/models")
        entries = listed.get("data") if isinstance(listed, dict) else None
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, dict) and entry.get("id") == settings.model and (length := _length(entry)):
                return length
        return _length(await _json(http, f"{root}/props"))


async def _json(http: httpx.AsyncClient, url: str) -> Any:
    try:
        response = await http.get(url)
        return response.json() if response.status_code == 200 else None
    except (httpx.HTTPError, ValueError, RecursionError):
        return None


def _length(entry: Any) -> int | None:
    """The length in an object, or in one that it holds."""
    if not isinstance(entry, dict):
        return None
    for holder in (
        entry,
        entry.get("meta"),
        entry.get("default_generation_settings"),
        entry.get("top_provider"),
    ):
        if isinstance(holder, dict):
            lengths = (holder.get(key) for key in LENGTH_KEYS)
            if found := next((each for each in lengths if isinstance(each, int) and each > 0), None):
                return found
    return None
