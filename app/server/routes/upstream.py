"""``POST /search`` in the contract of VRAG, so that its clients can search this index.

Source of the contract: https://github.com/Alibaba-NLP/VRAG, ``search_engine/search_engine_api.py`` and
``search_engine/search_engine_faiss_api.py`` with the engines beside them (read at a5bfd20 and 1fddfea). There
* ``queries`` is a list of texts, or one text, which counts as a list of one; nothing at all is an empty list;
* ``top_k`` is 3 if it is not given, and never more than the corpus has;
* every query has one entry in ``results``, in order: ``{"score": [...], "indice": [...], "data": [...]}``, three lists of
  one length, best first; ``data`` holds ``{"type": "text"|"image"|"video", "file_path"}``, a text its ``content`` too;
* ``search_corpus`` names one corpus; null searches all of them together, and an unknown name gives ``{"results": []}``
  whatever the queries are;
* ``vrag_ret`` asks for another answer: one list a query, ``[{"idx", "image_file"}]``, of the hits that are images.

Ours differs where it has to. A corpus is a dataset of ours. ``indice`` is a row number there; here it is a number made from
the item's id, equal for equal ids. ``file_path`` is the address of the image on this server, for our images lie in
shards; of a text it is the item's source. ``uid`` is the item's id.
"""

import hashlib
from collections.abc import Sequence
from urllib.parse import quote

from anyio import to_thread
from fastapi import APIRouter
from starlette.requests import Request

from app.server.routes.search import hits_of
from app.server.schema.requests import UpstreamBody
from app.server.schema.responses import UpstreamDatum, UpstreamImage, UpstreamResult, UpstreamResults
from app.server.state import ServerState
from assets.index.search import IndexHit

INDICE_BITS = 53  # exact in every JSON reader

router = APIRouter(tags=["search"])


@router.post("/search", response_model_exclude_none=True)
async def search(request: Request, body: UpstreamBody) -> UpstreamResults | list[list[UpstreamImage]]:
    """Search as the clients of VRAG do; one result a query."""
    state: ServerState = request.app.state.server
    queries = [body.queries] if isinstance(body.queries, str) else list(body.queries)
    answers = await to_thread.run_sync(_search, state, queries, body, limiter=state.searchers)
    if body.vrag_ret:
        return [_images(hits) for hits in answers]
    return UpstreamResults(results=[_result(hits) for hits in answers])


def _search(state: ServerState, queries: Sequence[str], body: UpstreamBody) -> list[list[IndexHit]]:
    datasets = state.corpus.snapshot().datasets
    if body.search_corpus is not None and body.search_corpus not in datasets:
        return []
    if not queries:
        return []
    return hits_of(state, queries, body.top_k, None if body.search_corpus is None else [body.search_corpus])


def _result(hits: Sequence[IndexHit]) -> UpstreamResult:
    return UpstreamResult(
        score=[hit.score for hit in hits],
        indice=[indice_of(hit.item_id) for hit in hits],
        data=[_datum(hit) for hit in hits],
    )


def _datum(hit: IndexHit) -> UpstreamDatum:
    return UpstreamDatum(
        type=str(hit.modality),
        file_path=_address(hit),
        uid=hit.item_id,
        title=hit.title,
        content=hit.text if hit.modality == "text" else None,
    )


def _address(hit: IndexHit) -> str:
    item = quote(hit.item_id, safe="")
    return f"/v1/items/{item}" if hit.modality == "text" else f"/v1/media?item={item}"


def _images(hits: Sequence[IndexHit]) -> list[UpstreamImage]:
    return [
        UpstreamImage(idx=place, image_file=_address(hit))
        for place, hit in enumerate(hits)
        if hit.modality == "image"
    ]


def indice_of(item_id: str) -> int:
    """A number for an item; equal ids have equal ones."""
    digest = hashlib.blake2b(item_id.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> (64 - INDICE_BITS)
