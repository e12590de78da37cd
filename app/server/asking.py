"""How a question is begun, whoever asks it: the page, a program, a chat client or a tool. What follows is in ``running.py``."""

from anyio import to_thread

from app.answers.events import AskRequest, EventSerializer
from app.errors import UsageError
from app.server.errors import ApiError
from app.server.routes.search import require_datasets
from app.server.state import ServerState


async def open_question(state: ServerState, request: AskRequest) -> EventSerializer:
    """One rollout over the index as it is now, not yet begun; it can be hurried by its id.

    Raises:
        ApiError: for an empty question, an unknown memory policy or dataset, and where there is no model.
        NoIndexError: if there is no index.
    """
    if not request.question.strip():
        raise ApiError(400, "malformed", "the question is empty")
    if state.model is None:
        raise ApiError(
            503,
            "no_model",
            "no model to ask: start vimrag with --model FOLDER, or --endpoint URL --model NAME",
        )
    snapshot = await to_thread.run_sync(state.corpus.snapshot, limiter=state.searchers)
    require_datasets(request.datasets, snapshot.datasets)
    try:
        serializer = EventSerializer(request, snapshot, state.model, state.catalogue)
    except UsageError as error:
        raise ApiError(400, "unknown_memory", str(error)) from None
    state.controls[serializer.start.ask_id] = serializer
    return serializer
