"""``POST /v1/search``: the items that fit a query best, by words and by meaning."""

from collections.abc import Collection, Sequence

from anyio import to_thread
from fastapi import APIRouter
from starlette.requests import Request

from app.server.errors import ApiError
from app.server.schema.requests import SearchBody
from app.server.schema.responses import HitList, HitRecord
from app.server.state import ServerState
from assets.index.search import IndexHit
from infra.vector_stores.types import RowFilter

router = APIRouter(tags=["search"])


@router.post("/v1/search")
async def search(request: Request, body: SearchBody) -> HitList:
    """The best items of all datasets, or of those named."""
    state: ServerState = request.app.state.server
    [hits] = await to_thread.run_sync(
        hits_of, state, [body.query], body.top_k, body.datasets, limiter=state.searchers
    )
    return HitList(hits=[HitRecord(**hit.to_json()) for hit in hits])


def hits_of(
    state: ServerState, queries: Sequence[str], top_k: int, datasets: Sequence[str] | None
) -> list[list[IndexHit]]:
    """The hits of each query. Raises ``NoIndexError``, and ``ApiError`` for a dataset that the index does not hold."""
    snapshot = state.corpus.snapshot()
    require_datasets(datasets, snapshot.datasets)
    return snapshot.index.search_many(queries, top_k, RowFilter.of_scopes(datasets))


def require_datasets(named: Sequence[str] | None, known: Collection[str]) -> None:
    """Raise ``ApiError`` for a dataset that is not among ``known``."""
    if unknown := sorted(set(named or ()) - set(known)):
        words = f"not in the index: {', '.join(unknown)[:200]}; it holds {', '.join(known)}"
        raise ApiError(400, "unknown_dataset", words)
