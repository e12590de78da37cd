"""``/v1/sources``: the files of the root: listed, looked at, removed, read again."""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Literal

from anyio import to_thread
from fastapi import APIRouter, Path, Query
from starlette.requests import Request
from starlette.responses import Response

from app.answers.library import changing
from app.answers.library.listing import MOST_ROWS, SourcePage, SourceRecord
from app.server.errors import ApiError
from app.server.routes.media import Side, rendered
from app.server.schema.requests import FilesBody
from app.server.schema.responses import ChangedFiles
from app.server.state import ServerState
from assets.user_files.ingest import IngestReport

Key = Annotated[str, Path(min_length=1, max_length=200)]

router = APIRouter(tags=["files"])


@router.get("/v1/sources")
async def sources(
    request: Request,
    q: Annotated[str, Query(max_length=1000)] = "",
    state: Literal["", "ready", "unreadable"] = "",
    offset: Annotated[int, Query(ge=0, le=1_000_000_000)] = 0,
    limit: Annotated[int, Query(ge=1, le=MOST_ROWS)] = 100,
) -> SourcePage:
    """Files in the order of their names; ``q`` is looked for in their paths."""
    server: ServerState = request.app.state.server

    def read() -> SourcePage:
        return server.library.page(words=q, state=state, offset=offset, limit=limit)

    return await to_thread.run_sync(read, limiter=server.readers)


@router.get("/v1/sources/{key}")
async def source(request: Request, key: Key) -> SourceRecord:
    """One file."""
    server: ServerState = request.app.state.server
    found = await to_thread.run_sync(server.library.records, [key], limiter=server.readers)
    if not found:
        raise ApiError(404, "not_found", "there is no such file any more")
    return found[0]


@router.get(
    "/v1/sources/{key}/picture",
    response_class=Response,
    responses={
        200: {"content": {"image/png": {}, "image/jpeg": {}}, "description": "Its first page or frame."}
    },
)
async def picture(request: Request, key: Key, width: Side = 96, height: Side = 96) -> Response:
    """What the file looks like: its first page, picture or clip."""
    server: ServerState = request.app.state.server
    item = await to_thread.run_sync(server.library.first_picture, key, limiter=server.readers)
    if item is None:
        raise ApiError(404, "not_found", "there is no picture of this file")
    return await rendered(request, item, None, width, height)


@router.post("/v1/sources/remove")
async def remove(request: Request, body: FilesBody) -> ChangedFiles:
    """Take files out of corpus and index; questions under way end with the files that they began with."""
    return await _change(request, body, changing.remove)


@router.post("/v1/sources/reread")
async def reread(request: Request, body: FilesBody) -> ChangedFiles:
    """Read files again, whether or not they have changed."""
    server: ServerState = request.app.state.server
    return await _change(request, body, partial(changing.reread, settings=server.reading))


async def _change(request: Request, body: FilesBody, act: Callable[..., IngestReport]) -> ChangedFiles:
    server: ServerState = request.app.state.server
    storage = server.corpus.storage
    if not server.settings.upload or not storage.is_local:
        raise ApiError(403, "no_upload", "this server changes no files; start it with --allow-upload")

    def change() -> ChangedFiles:
        try:
            places = changing.locations(storage, body.files)
        except ValueError as error:
            raise ApiError(404, "not_found", str(error)) from None
        try:
            with server.reading_now.reading() as progress:
                report = act(storage, places, progress)
        except ValueError as error:
            raise ApiError(409, "refused", str(error)) from error
        return ChangedFiles(files=len(places), items=report.items, skipped=dict(report.skipped))

    with server.uploads.take():
        return await to_thread.run_sync(change)
