"""What responses hold, field by field; ``/openapi.json`` is made from them. Requests are in ``requests.py``."""

import math
from typing import Annotated

from pydantic import BeforeValidator, Field

from app.answers.events import ImageRecord, TurnRecord
from app.answers.records import NodeRecord, Record

OrEmpty = BeforeValidator(lambda value: value or [])
"""A list that older files lack."""
Finite = Annotated[
    float | None, BeforeValidator(lambda value: value if value is not None and math.isfinite(value) else None)
]
"""A number that JSON has; null for any other."""
Counts = Annotated[
    dict[str, int],
    BeforeValidator(lambda counts: {name: n for name, n in (counts or {}).items() if n is not None}),
]
"""Numbers by name; those that are missing are left out."""


class ErrorText(Record):
    """What went wrong: a stable word, and a sentence for a person."""

    code: str
    message: str


class ErrorBody(Record):
    """Every response that is no success."""

    error: ErrorText


class IndexStatus(Record):
    """The index in use."""

    version: str
    items: int
    datasets: dict[str, int]
    sees: bool
    """Whether it can be searched by a picture."""


class ServerStatus(Record):
    """What this server has and allows."""

    version: str
    root: str
    model: str | None
    sees_pictures: bool | None
    """Whether the model reads pictures; null as long as nobody has found out."""
    memory: list[str]
    index: IndexStatus | None
    token_required: bool
    limits: dict[str, int | float]
    upload: bool


class HitRecord(Record):
    """One item that was found; ``score`` compares hits of one search only."""

    id: str
    score: float
    dataset: str
    modality: str
    title: str
    text: str
    media: str | None


class HitList(Record):
    """Best first."""

    hits: list[HitRecord]


class UpstreamDatum(Record):
    """A hit in the contract of VRAG; ``content`` of a text only."""

    type: str
    file_path: str
    uid: str
    title: str
    content: str | None = None


class UpstreamImage(Record):
    """An image in the older form of that contract; ``idx`` is its rank."""

    idx: int
    image_file: str


class UpstreamResult(Record):
    """The hits of one query, as three lists of one length."""

    score: list[float]
    indice: list[int]
    data: list[UpstreamDatum]


class UpstreamResults(Record):
    """One result a query."""

    results: list[UpstreamResult]


class UploadedFile(Record):
    """What became of a file."""

    file: str
    items: int
    skipped: dict[str, int]
    replaced: bool
    """Whether it took the place of another file of this name that was sent before."""
    seconds: float


class ReadingStage(Record):
    """What is done with a file at the moment: ``done`` of ``total`` units of ``stage``."""

    stage: str
    done: int
    total: int | None
    """Null where it cannot be known before the end."""
    seconds: float
    """Since the stage began."""


class Reading(Record):
    """Whether this server reads a file now, and how far it is."""

    reading: ReadingStage | None
    """Null while nothing is read."""


class ChangedFiles(Record):
    """What became of files: how many were meant, and how many items are searchable now."""

    files: int
    items: int
    skipped: dict[str, int]


class RunFile(Record):
    """One file of trajectories."""

    name: str
    rows: int
    bytes: int


class RunListing(Record):
    """A folder of trajectories; ``path/name`` of a file is what other requests call it."""

    path: str
    files: list[RunFile]


class RunList(Record):
    """Every run of the root."""

    runs: list[RunListing]


class TrajectorySummary(Record):
    """What a list and a detail say of a trajectory."""

    task_id: str
    question: str
    answers: Annotated[list[str], OrEmpty]
    answer: str
    correct: bool | None
    outcome: str
    memory: str
    reward: Finite
    advantage: Finite
    counters: Counts


class TrajectoryRow(TrajectorySummary):
    """One trajectory in a list."""

    row: int
    dataset: str


class TrajectoryPage(Record):
    """Some rows of a file; ``total`` counts those that pass the filters, the facets count all rows."""

    total: int
    offset: int
    rows: list[TrajectoryRow]
    facets: dict[str, dict[str, int]]


class CallRecord(Record):
    """One call of the model."""

    turns: Annotated[list[TurnRecord], OrEmpty, Field(default_factory=list)]
    text: str
    images: list[ImageRecord]
    prompt_tokens: int
    completion_tokens: int


class SegmentRecord(Record):
    """The calls of one node (of the answer, without an id), and whether they are trained on.

    The credit is the one that was trained with where the file holds it, else the one that GGPO would give.
    """

    node_id: str | None
    pruned: bool
    reason: str
    calls: list[CallRecord]


class TrajectoryDetail(TrajectorySummary):
    """One whole trajectory."""

    algorithm: dict[str, str | float | bool] | None
    """The objective that it was trained with; null where it was not trained on, or nobody noted it."""
    error: str
    svg: str
    nodes: list[NodeRecord]
    segments: list[SegmentRecord]
