"""``GET /v1/status``: what this server has and allows; what the page asks first."""

from importlib import metadata

from anyio import to_thread
from fastapi import APIRouter
from starlette.requests import Request

from app.answers.agent import DEFAULT_MEMORY, OFFERED
from app.answers.corpus_handle import NoIndexError
from app.server.schema.responses import IndexStatus, ServerStatus
from app.server.state import ServerState
from model.config.limits import BY_PROFILE, Limits

router = APIRouter(tags=["status"])


@router.get("/v1/status")
async def status(request: Request) -> ServerStatus:
    """Version, model, index, limits."""
    state: ServerState = request.app.state.server
    index = await to_thread.run_sync(_index, state, limiter=state.searchers)
    model, settings = state.model, state.settings
    return ServerStatus(
        version=_version(),
        root=state.corpus.storage.root,
        model=model.name if model else None,
        sees_pictures=model.sees if model else None,
        memory=[DEFAULT_MEMORY, *(name for name in OFFERED if name != DEFAULT_MEMORY)],
        index=index,
        token_required=settings.token is not None,
        limits={
            **_agent_limits(BY_PROFILE[model.profile.name] if model else Limits()),
            "questions_at_once": settings.questions_at_once,
            "question_seconds": settings.question_s,
            "json_bytes": settings.json_bytes,
            "picture_bytes": settings.picture_bytes,
            "upload_bytes": settings.upload_bytes,
        },
        upload=settings.upload and state.corpus.storage.is_local,
    )


def _agent_limits(limits: Limits) -> dict[str, int | float]:
    names = (
        "calls",
        "top_k",
        "total_pixels",
        "kept_items",
        "observation_pixels",
        "max_frames",
        "context_tokens",
    )
    return {name: getattr(limits, name) for name in names}


def _index(state: ServerState) -> IndexStatus | None:
    try:
        snapshot = state.corpus.snapshot()
    except NoIndexError:
        return None
    datasets = dict(snapshot.datasets)
    items = sum(datasets.values())
    return IndexStatus(version=snapshot.version, items=items, datasets=datasets, sees=snapshot.index.sees)


def _version() -> str:
    try:
        return metadata.version("vimrag")
    except metadata.PackageNotFoundError:
        return "unknown"
