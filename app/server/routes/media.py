"""``GET /v1/media`` and ``GET /v1/items/{id}``: images and what is known of them."""

from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from app.answers.records import ItemRecord
from app.server.errors import ApiError
from app.server.rendering import RenderedImage, RenderRequest
from app.server.state import ServerState
from assets.corpus.read import built_datasets
from infra.errors import MediaError

MAX_SIDE = 4096  # pixels; no page or frame is shown larger
CACHE_SECONDS = 300  # a document that is ingested anew keeps its ids, so not for ever
Side = Annotated[int, Query(ge=1, le=MAX_SIDE)]
ItemId = Annotated[str, Query(min_length=1, max_length=1000)]

router = APIRouter(tags=["items"])


@router.get(
    "/v1/media",
    response_class=Response,
    responses={200: {"content": {"image/png": {}, "image/jpeg": {}}, "description": "The image or frame."}},
)
async def media(
    request: Request,
    item: ItemId,
    t: Annotated[
        float | None, Query(ge=0, le=1e6, allow_inf_nan=False, description="Seconds from the clip's start.")
    ] = None,
    width: Side = 1024,
    height: Side = 1024,
) -> Response:
    """The image of an item, or a frame of its clip, shrunk to fit; never enlarged."""
    return await rendered(request, item, t, width, height)


async def rendered(request: Request, item: str, t: float | None, width: int, height: int) -> Response:
    """A picture as the browser may keep it, or the word that it has it already. Raises ``ApiError`` 404 without one."""
    state: ServerState = request.app.state.server
    made = await to_thread.run_sync(
        _render, state, RenderRequest(item, t, width, height), limiter=state.decoders
    )
    headers = {"ETag": made.etag, "Cache-Control": f"private, max-age={CACHE_SECONDS}"}
    known = [
        tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "")[:1000].split(",")
    ]
    if made.etag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    return Response(made.data, media_type=made.media_type, headers=headers)


def _render(state: ServerState, request: RenderRequest) -> RenderedImage:
    dataset = request.item_id.partition(":")[0]
    try:
        if dataset not in built_datasets(state.corpus.storage):
            raise KeyError(dataset)
        return state.renderings.of(request, state.corpus.media())
    except KeyError:
        raise ApiError(404, "not_found", "there is no image of this item") from None
    except MediaError as error:
        raise ApiError(404, "unreadable", f"the image of this item cannot be read ({error.reason})") from None


@router.get("/v1/items/{item_id:path}")
async def item(request: Request, item_id: str) -> ItemRecord:
    """One item of the corpus."""
    state: ServerState = request.app.state.server
    items = await to_thread.run_sync(state.catalogue.find, [item_id], limiter=state.readers)
    if item_id not in items:
        raise ApiError(404, "not_found", "there is no such item")
    return items[item_id]
