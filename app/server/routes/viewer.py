"""The trajectory viewer's endpoints: runs, rows, one trajectory with the verdict on each of its segments."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any, Literal

from anyio import to_thread
from fastapi import APIRouter, Query
from pydantic import ValidationError
from starlette.requests import Request

from app.answers.catalogue import Catalogue
from app.answers.graph_view import node_records, svg
from app.server.errors import ApiError
from app.server.schema.responses import RunList, SegmentRecord, TrajectoryDetail, TrajectoryPage
from app.server.state import ServerState
from app.server.trajectory_files import Filters, NoSuchFileError, TrajectoryFiles
from memory_graph import codec
from memory_graph.budget import Allocation
from memory_graph.credit import Credit, PruneReason, segment_credits
from memory_graph.graph import MemoryGraph
from model.agent.graph_state import graph_state
from model.config.limits import Limits
from model.rl.trajectory_store import upgraded

MOST_ROWS = 500
NO_VERDICT = Credit(False, PruneReason.NO_VERDICT)
FileName = Annotated[str, Query(min_length=1, max_length=1000)]
Chosen = Annotated[str | None, Query(max_length=200)]

router = APIRouter(tags=["trajectories"])


@router.get("/v1/runs")
async def runs(request: Request) -> RunList:
    """Every run of the root that has trajectories."""
    state: ServerState = request.app.state.server
    return await to_thread.run_sync(TrajectoryFiles(state.corpus.storage).runs, limiter=state.readers)


@router.get("/v1/trajectories")
async def trajectories(  # noqa: PLR0913 - one parameter a filter
    request: Request,
    file: FileName,
    offset: Annotated[int, Query(ge=0, le=1_000_000_000)] = 0,
    limit: Annotated[int, Query(ge=1, le=MOST_ROWS)] = 50,
    verdict: Literal["right", "wrong", "unscored", ""] = "",
    memory: Chosen = None,
    dataset: Chosen = None,
    outcome: Chosen = None,
    q: Annotated[str, Query(max_length=1000)] = "",
) -> TrajectoryPage:
    """Some rows of a file, filtered; ``q`` is looked for in question, answer and task id."""
    state: ServerState = request.app.state.server
    filters = Filters(verdict=verdict, memory=memory, dataset=dataset, outcome=outcome, text=q.strip())

    def read() -> TrajectoryPage:
        with _readable():
            return TrajectoryFiles(state.corpus.storage).page(file, filters, offset=offset, limit=limit)

    return await to_thread.run_sync(read, limiter=state.readers)


@router.get("/v1/trajectory")
async def trajectory(
    request: Request, file: FileName, row: Annotated[int, Query(ge=0, le=1_000_000_000)]
) -> TrajectoryDetail:
    """One trajectory: its graph, its segments, and why each of them is trained on or not."""
    state: ServerState = request.app.state.server

    def read() -> TrajectoryDetail:
        with _readable():
            return detail(TrajectoryFiles(state.corpus.storage).row(file, row), state.catalogue)

    return await to_thread.run_sync(read, limiter=state.readers)


@contextmanager
def _readable() -> Iterator[None]:
    """Raise ``ApiError`` for a file or row that is not there, and for values that no trajectory has."""
    try:
        yield
    except NoSuchFileError as error:
        raise ApiError(404, "not_found", str(error)) from None
    except (ValidationError, TypeError, AttributeError, KeyError) as error:
        raise ApiError(
            404, "unreadable", f"this is no trajectory that can be read: {type(error).__name__}"
        ) from error


def detail(stored: Mapping[str, Any], catalogue: Catalogue) -> TrajectoryDetail:
    """A stored row as the viewer shows it. Raises ``ApiError`` for a row that this version cannot read."""
    try:
        graph = codec.decode(stored["graph"])
        row = upgraded({**stored, "segments": stored["segments"] or []})
        limits, allocation = Limits(**row["limits"]), Allocation(row["allocation"])
    except ValueError as error:
        raise ApiError(404, "unreadable", f"this row cannot be read: {error}") from None
    kept = {item.item_id for node in graph.nodes for item in node.items}
    titles = {item_id: item.title for item_id, item in catalogue.find(kept).items()}
    state = graph_state(graph, limits=limits, allocation=allocation, titles=titles)
    by_ggpo = credits_of(graph, row["correct"], frozenset(row["gold"] or ()))
    shown = {
        "error": row["error"] or "",
        "svg": svg(state),
        "nodes": node_records(state),
        "segments": [_segment(segment, by_ggpo) for segment in row["segments"]],
    }
    return TrajectoryDetail.model_validate({**row, **shown})


def credits_of(graph: MemoryGraph, correct: bool | None, gold: frozenset[str]) -> dict[str | None, Credit]:
    """The credit that GGPO gives the segment of each node; None is the segment of the answer."""
    ids = (*(node.id for node in graph.nodes), None)
    if correct is None or (correct and graph.answer is None):
        return dict.fromkeys(ids, NO_VERDICT)
    return dict(zip(ids, segment_credits(graph, correct=correct, gold=gold), strict=True))


def _segment(segment: Mapping[str, Any], by_ggpo: Mapping[str | None, Credit]) -> SegmentRecord:
    """The segment with the credit it was trained with, or else with that of GGPO."""
    credit = by_ggpo.get(segment["node_id"], NO_VERDICT)
    trained = segment.get("credit") or {"pruned": credit.pruned, "reason": credit.reason.value}
    return SegmentRecord.model_validate({**segment, **trained})
