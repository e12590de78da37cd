"""What responses hold, field by field; ``/openapi.json`` is made from them. Requests are in ``requests.py``."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict


class ResponseBody(BaseModel):
    """What a response holds."""

    model_config = ConfigDict(frozen=True)


class ErrorText(ResponseBody):
    """What went wrong: a stable word, and a sentence for a person."""

    code: str
    message: str


class ErrorBody(ResponseBody):
    """Every response that is no success."""

    error: ErrorText


class IndexStatus(ResponseBody):
    """The index in use."""

    version: str
    items: int
    datasets: dict[str, int]


class ServerStatus(ResponseBody):
    """What this server has and allows."""

    version: str
    root: str
    model: str | None
    memory: list[str]
    index: IndexStatus | None
    token_required: bool
    limits: dict[str, int | float]
    upload: bool


class HitRecord(ResponseBody):
    """One item that was found; ``score`` compares hits of one search only."""

    id: str
    score: float
    dataset: str
    modality: str
    title: str
    text: str
    media: str | None


class HitList(ResponseBody):
    """Best first."""

    hits: list[HitRecord]


class UpstreamResult(ResponseBody):
    """The hits of one query, as three lists of one length."""

    score: list[float]
    indice: list[int]
    data: list[dict[str, Any]]


class UpstreamResults(ResponseBody):
    """One result a query."""

    results: list[UpstreamResult]


class ItemDetail(ResponseBody):
    """One item of the corpus."""

    id: str
    dataset: str
    modality: str
    title: str
    text: str
    page: int | None
    start_s: float | None
    duration_s: float
    width: int
    height: int
    licence: str
    source: str


class UploadedFile(ResponseBody):
    """What became of a file."""

    file: str
    items: int
    skipped: dict[str, int]
    seconds: float


class RunFile(ResponseBody):
    """One file of trajectories."""

    name: str
    rows: int
    bytes: int


class RunListing(ResponseBody):
    """A folder of trajectories; ``path/name`` of a file is what other requests call it."""

    path: str
    files: list[RunFile]


class RunList(ResponseBody):
    """Every run of the root."""

    runs: list[RunListing]


class TrajectoryRow(ResponseBody):
    """One trajectory in a list."""

    row: int
    task_id: str
    dataset: str
    question: str
    answer: str
    answers: list[str]
    correct: bool | None
    outcome: str
    memory: str
    reward: float | None
    advantage: float | None
    counters: dict[str, int]


class TrajectoryPage(ResponseBody):
    """Some rows of a file; ``total`` counts those that pass the filters, the facets count all rows."""

    total: int
    offset: int
    rows: list[TrajectoryRow]
    facets: dict[str, dict[str, int]]


class ItemInNode(ResponseBody):
    """A kept item. ``pixels`` and ``tokens`` are 0 where it is remembered and not shown any more."""

    item_id: str
    modality: str
    title: str
    priority: int
    energy: float | None
    pixels: int
    tokens: int
    width: int
    height: int
    timestamps: list[float]


class NodeRecord(ResponseBody):
    """A search node of the memory graph."""

    id: str
    parents: list[str]
    query: str
    summary: str
    dead_end: bool
    on_critical_path: bool
    items: list[ItemInNode]


class TurnRecord(ResponseBody):
    """One turn of a prompt; each U+FFFC stands for a picture, in the order of the call's images."""

    role: str
    text: str


class ImageRecord(ResponseBody):
    """A picture at the size the model saw it."""

    item_id: str
    width: int
    height: int
    timestamp_s: float | None


class CallRecord(ResponseBody):
    """One call of the model."""

    turns: list[TurnRecord]
    text: str
    images: list[ImageRecord]
    prompt_tokens: int
    completion_tokens: int


class SegmentRecord(ResponseBody):
    """The calls of one node (of the answer, without an id), and whether GGPO trains on them."""

    node_id: str | None
    pruned: bool
    reason: str
    calls: list[CallRecord]


class TrajectoryDetail(ResponseBody):
    """One whole trajectory."""

    task_id: str
    question: str
    answers: list[str]
    answer: str
    correct: bool | None
    outcome: str
    memory: str
    reward: float | None
    advantage: float | None
    counters: dict[str, int]
    error: str
    svg: str
    nodes: list[NodeRecord]
    segments: list[SegmentRecord]
