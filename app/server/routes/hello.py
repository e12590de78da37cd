"""``GET /v1/hello``: proof, for other commands of this user, that this is the server whose file they found. Needs no token."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request

from app.answers.running.announcement import proof
from app.answers.running.client import HELLO
from app.server.errors import ApiError
from app.server.state import ServerState

router = APIRouter(include_in_schema=False)


@router.get(HELLO)
async def hello(
    request: Request, nonce: Annotated[str, Query(min_length=16, max_length=100)]
) -> dict[str, str]:
    """A hash of the nonce and of what only the file of this server says."""
    state: ServerState = request.app.state.server
    if state.key is None:
        raise ApiError(404, "not_found", "this server is not announced")
    return {"proof": proof(state.key, nonce)}
