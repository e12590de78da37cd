"""``POST /v1/search`` and ``/v1/search/image``: the items that fit a query best, or that look most like a picture."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Query
from starlette.requests import Request

from app.server.errors import ApiError
from app.server.protection.body_limit import PICTURE
from app.server.schema.requests import MOST_HITS, DatasetName, Modality, SearchBody
from app.server.schema.responses import HitList, HitRecord
from app.server.state import ServerState
from assets.index.search import IndexHit
from infra.errors import EmbedderError, MediaError
from infra.media import media_decoder
from infra.vector_stores.types import RowFilter

router = APIRouter(tags=["search"])


@router.post("/v1/search")
async def search(request: Request, body: SearchBody) -> HitList:
    """The best items of all datasets, or of those named."""
    state: ServerState = request.app.state.server
    [hits] = await to_thread.run_sync(
        hits_of, state, [body.query], body.top_k, body.datasets, body.modality, limiter=state.searchers
    )
    return _list(hits)


@router.post(
    PICTURE, openapi_extra={"requestBody": {"required": True, "content": {"application/octet-stream": {}}}}
)
async def search_image(
    request: Request,
    top_k: Annotated[int, Query(ge=1, le=MOST_HITS)] = 5,
    datasets: Annotated[list[DatasetName] | None, Query(max_length=64)] = None,
    modality: Modality | None = None,
) -> HitList:
    """The pages, pictures and clips that look most like the picture in the body, which is not kept."""
    state: ServerState = request.app.state.server
    picture = await request.body()
    hits = await to_thread.run_sync(_alike, state, picture, top_k, datasets, modality, limiter=state.decoders)
    return _list(hits)


def hits_of(
    state: ServerState,
    queries: Sequence[str],
    top_k: int,
    datasets: Sequence[str] | None,
    modality: Modality | None = None,
) -> list[list[IndexHit]]:
    """The hits of each query. Raises ``NoIndexError``, and ``ApiError`` for a dataset that the index does not hold."""
    snapshot = state.corpus.snapshot()
    require_datasets(datasets, snapshot.datasets)
    return snapshot.index.search_many(queries, top_k, _rows(datasets, modality))


def _alike(
    state: ServerState, picture: bytes, top_k: int, datasets: Sequence[str] | None, modality: Modality | None
) -> list[IndexHit]:
    snapshot = state.corpus.snapshot()
    require_datasets(datasets, snapshot.datasets)
    if not snapshot.index.sees:
        words = "the index has no vectors of pictures; build it with `vimrag index build --vision`"
        raise ApiError(409, "no_eye", words)
    try:
        image = media_decoder().image(picture)
        return snapshot.index.search_image(image, top_k, _rows(datasets, modality))
    except (MediaError, EmbedderError) as error:
        raise ApiError(400, "unreadable", f"the picture cannot be read: {error}"[:300]) from error


def require_datasets(named: Sequence[str] | None, known: Collection[str]) -> None:
    """Raise ``ApiError`` for a dataset that is not among ``known``."""
    if unknown := sorted(set(named or ()) - set(known)):
        words = f"not in the index: {', '.join(unknown)[:200]}; it holds {', '.join(known)}"
        raise ApiError(400, "unknown_dataset", words)


def _rows(datasets: Sequence[str] | None, modality: Modality | None) -> RowFilter:
    return replace(RowFilter.of_scopes(datasets), modalities=None if modality is None else (modality,))


def _list(hits: Sequence[IndexHit]) -> HitList:
    return HitList(hits=[HitRecord(**hit.to_json()) for hit in hits])
