"""``/v1/conversations``: what was asked before: listed, searched, opened, exported, deleted."""

import sqlite3
from collections.abc import Callable
from typing import Annotated, Literal, TypeVar

from anyio import to_thread
from fastapi import APIRouter, Path, Query
from starlette.requests import Request
from starlette.responses import Response

from app.answers.history.export import FORMATS, Picture, exported, name_of
from app.answers.history.records import ConversationPage, StoredConversation, StoredEvents
from app.answers.history.store import MOST_ROWS
from app.server.errors import ApiError
from app.server.rendering import RenderRequest
from app.server.state import ServerState
from infra.errors import ExternalError

PICTURE_SIDE = 900  # pixels, of an exported page
Id = Annotated[str, Path(min_length=1, max_length=64)]
_Result = TypeVar("_Result")

router = APIRouter(tags=["history"])


@router.get("/v1/conversations")
async def conversations(
    request: Request,
    q: Annotated[str, Query(max_length=1000)] = "",
    offset: Annotated[int, Query(ge=0, le=1_000_000_000)] = 0,
    limit: Annotated[int, Query(ge=1, le=MOST_ROWS)] = 50,
) -> ConversationPage:
    """Conversations, the latest first; ``q`` is looked for in questions and answers."""
    state: ServerState = request.app.state.server
    return await _read(state, lambda: state.history.page(words=q, offset=offset, limit=limit))


@router.get("/v1/conversations/{conversation_id}")
async def conversation(request: Request, conversation_id: Id) -> StoredConversation:
    """A whole conversation."""
    state: ServerState = request.app.state.server
    return await _read(state, lambda: state.history.conversation(conversation_id))


@router.delete("/v1/conversations/{conversation_id}", status_code=204)
async def delete(request: Request, conversation_id: Id) -> Response:
    """Delete a conversation; a question of it that is under way is stopped."""
    state: ServerState = request.app.state.server
    found = await _read(state, lambda: state.history.conversation(conversation_id))
    for turn in found.turns:
        if (run := state.runs.find(turn.id)) is not None:
            run.stop()
            state.runs.forget(turn.id)
    await _read(state, lambda: state.history.delete(conversation_id))
    return Response(status_code=204)


@router.get(
    "/v1/conversations/{conversation_id}/export",
    response_class=Response,
    responses={200: {"content": {kind: {} for kind in FORMATS.values()}, "description": "The file."}},
)
async def export(
    request: Request, conversation_id: Id, form: Annotated[Literal["md", "html", "json"], Query()] = "html"
) -> Response:
    """A conversation as a file: Markdown, a page with its pictures inside, or JSON."""
    state: ServerState = request.app.state.server
    found = await _read(state, lambda: state.history.conversation(conversation_id))
    data = await to_thread.run_sync(exported, found, form, _pictures(state), limiter=state.decoders)
    headers = {
        "Content-Disposition": f'attachment; filename="{name_of(found, form)}"',
        "Cache-Control": "no-store",
    }
    return Response(data, media_type=f"{FORMATS[form]}; charset=utf-8", headers=headers)


@router.get("/v1/turns/{turn_id}/events")
async def events(request: Request, turn_id: Id) -> StoredEvents:
    """What happened for one question, step by step."""
    state: ServerState = request.app.state.server
    return await _read(state, lambda: state.history.events(turn_id))


def _pictures(state: ServerState) -> Callable[[str, float | None], Picture | None]:
    media = state.corpus.media()

    def picture(item_id: str, time_s: float | None) -> Picture | None:
        try:
            made = state.renderings.of(RenderRequest(item_id, time_s, PICTURE_SIDE, PICTURE_SIDE), media)
        except (KeyError, ExternalError):
            return None  # removed since
        return Picture(made.data, made.media_type)

    return picture


async def _read(state: ServerState, act: Callable[[], _Result]) -> _Result:
    try:
        return await to_thread.run_sync(act, limiter=state.readers)
    except KeyError:
        raise ApiError(404, "not_found", "there is no such conversation") from None
    except (sqlite3.Error, ValueError) as error:
        raise ApiError(503, "no_history", f"the history cannot be read: {error}") from error
