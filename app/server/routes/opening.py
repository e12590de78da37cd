"""Opening a source at a place: words on a page, and films with their subtitles, a part at a time as players ask for it."""

from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Path, Query
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from app.answers.library.opening import FilmRecord, PlaceRecord, film_of, place_of, tracks_of, web_vtt
from app.server.errors import ApiError
from app.server.routes.media import ItemId
from app.server.state import ServerState

Key = Annotated[str, Path(min_length=1, max_length=200)]
Offset = Annotated[
    int, Query(ge=0, le=10_000_000, description="Characters (code points) of the item's text.")
]
MOST_WORDS = 4_000  # characters that are looked for

router = APIRouter(tags=["files"])


@router.get("/v1/places")
async def place(request: Request, item: ItemId, start: Offset, end: Offset) -> PlaceRecord:
    """Where a part of an item's text stands on its page."""
    state: ServerState = request.app.state.server

    def read() -> PlaceRecord:
        found = state.catalogue.find([item]).get(item)
        if found is None:
            raise ApiError(404, "not_found", "there is no such item")
        return place_of(state.library, found, found.text[start:end][:MOST_WORDS], state.corpus.media())

    return await to_thread.run_sync(read, limiter=state.decoders)


@router.get("/v1/sources/{key}/film")
async def film(request: Request, key: Key) -> FilmRecord:
    """A film that can be played, with the subtitles beside and inside of it."""
    state: ServerState = request.app.state.server
    found = await to_thread.run_sync(film_of, state.library, key, limiter=state.decoders)
    if found is None:
        raise ApiError(404, "not_found", "there is no such film at its place any more")
    return found[1]


@router.api_route("/v1/sources/{key}/film/content", methods=["GET", "HEAD"], response_class=FileResponse)
async def content(request: Request, key: Key) -> Response:
    """The film itself, or the part that the ``Range`` header asks for."""
    state: ServerState = request.app.state.server
    found = await to_thread.run_sync(film_of, state.library, key, limiter=state.decoders)
    if found is None:
        raise ApiError(404, "not_found", "there is no such film at its place any more")
    path, film = found
    headers = {"Cache-Control": "private, no-cache", "Accept-Ranges": "bytes"}
    return FileResponse(path, media_type=film.media_type, headers=headers)


@router.get(
    "/v1/sources/{key}/subtitles/{number}",
    response_class=Response,
    responses={200: {"content": {"text/vtt": {}}, "description": "WebVTT."}},
)
async def subtitles(request: Request, key: Key, number: Annotated[int, Path(ge=0, le=100)]) -> Response:
    """One track of a film's subtitles."""
    state: ServerState = request.app.state.server

    def read() -> str | None:
        found = film_of(state.library, key)
        tracks = [] if found is None else tracks_of(found[0])
        return web_vtt(tracks[number].cues) if number < len(tracks) else None

    text = await to_thread.run_sync(read, limiter=state.decoders)
    if text is None:
        raise ApiError(404, "not_found", "there are no such subtitles")
    return Response(text, media_type="text/vtt; charset=utf-8")
