"""``POST /v1/chat/completions`` and ``GET /v1/models``: the agent as a model that chat clients know how to ask."""

from typing import Any

from anyio import to_thread
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.answers.corpus_handle import NoIndexError
from app.answers.events import AskRequest
from app.server.asking import open_question
from app.server.chat.body import MODEL, ChatBody, question_of
from app.server.chat.completion import Completion, model_names
from app.server.chat.replies import ChatStream, ChatWhole
from app.server.errors import ApiError
from app.server.protection.body_limit import CHAT
from app.server.state import ServerState

CHUNKS = (
    "OpenAI's chat completion, or its chunks as server-sent events with `stream`; citations stand in the text as [1], in "
    "`annotations` as links to this server, and with item, page and seconds in `vimrag.citations`."
)
router = APIRouter(tags=["chat"])


@router.post(
    CHAT,
    response_class=Response,
    responses={200: {"content": {"application/json": {}, "text/event-stream": {}}, "description": CHUNKS}},
)
async def chat(request: Request, body: ChatBody) -> Response:
    """Answer the last message of a conversation over the corpus."""
    state: ServerState = request.app.state.server
    body.require_text_only()
    question = question_of(body.messages)
    datasets = await to_thread.run_sync(_datasets, state, body, limiter=state.readers)
    serializer = await open_question(state, AskRequest(question, body.memory, body.calls, datasets))
    completion = Completion(serializer.start, body.model, str(request.base_url).rstrip("/"))
    silence_s = body.timeout_s or state.settings.question_s
    if not body.stream:
        return ChatWhole(state, serializer, silence_s, completion)
    counts = body.stream_options is not None and body.stream_options.include_usage
    return ChatStream(state, serializer, silence_s, completion, counts=counts)


@router.get("/v1/models")
async def models(request: Request) -> dict[str, Any]:
    """``vimrag`` searches everything, ``vimrag/NAME`` one dataset."""
    state: ServerState = request.app.state.server
    names = await to_thread.run_sync(_models, state, limiter=state.readers)
    return {"object": "list", "data": [_model(name) for name in names]}


@router.get("/v1/models/{name:path}")
async def model(request: Request, name: str) -> dict[str, Any]:
    """One of them."""
    state: ServerState = request.app.state.server
    if name not in await to_thread.run_sync(_models, state, limiter=state.readers):
        raise _unknown(name)
    return _model(name)


def _models(state: ServerState) -> list[str]:
    try:
        return model_names(list(state.corpus.snapshot().datasets))
    except NoIndexError:
        return [MODEL]


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "vimrag"}


def _datasets(state: ServerState, body: ChatBody) -> list[str] | None:
    """What is searched. Raises ``ApiError`` for a model that is not listed."""
    if body.model not in _models(state):
        raise _unknown(body.model)
    named = body.model.partition("/")[2]
    return [named] if named else body.datasets


def _unknown(name: str) -> ApiError:
    return ApiError(
        404, "model_not_found", f"there is no model {name[:100]!r}; /v1/models lists those there are"
    )
