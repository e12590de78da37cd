"""What an answer is, once for the terminal, the page and programs: its citations, the nodes of its graph, its figures."""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict

from model.types import Counters


def _unicode(value: object) -> object:
    """Half a surrogate pair, which has no UTF-8, as a question mark; models can write it."""
    return value.encode("utf-8", errors="replace").decode() if isinstance(value, str) else value


Text = Annotated[str, BeforeValidator(_unicode)]
"""Text of a model or a document."""


class Record(BaseModel):
    """Frozen fields, published by name in ``/openapi.json``."""

    model_config = ConfigDict(
        frozen=True, from_attributes=True, json_schema_serialization_defaults_required=True
    )


class ItemRecord(Record):
    """One item as a reader is shown it. ``page`` counts from 1, ``start_s`` from the beginning of the video."""

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
    file: str | None
    """The key of the file, the document or the film that it is a part of."""


class CitationRecord(Record):
    """One item that the answer rests on, with its place in its source. What the corpus does not know is null.

    ``number`` is what the answer's sentences call it, in the order in which they do.
    """

    number: int
    node_id: str
    item_id: str
    modality: str
    title: Text
    page: int | None
    start_s: float | None
    times_s: tuple[float, ...]


class ClaimRecord(Record):
    """A sentence of the answer, and what the sources say of it.

    ``verdict`` is "supported", "partly" or "no source found"; offsets are characters (code points) of the answer and of the
    text of the cited item. ``missing`` are its numbers and names that do not stand at that place.
    """

    text: Text
    start: int
    end: int
    verdict: str
    citation: int | None
    quote: Text
    quote_start: int
    quote_end: int
    missing: tuple[Text, ...]


class ItemInNode(Record):
    """A kept item. ``pixels`` and ``tokens`` are 0 where it is remembered and not shown any more."""

    item_id: str
    modality: str
    title: Text
    priority: int
    energy: float | None
    pixels: int
    tokens: int
    width: int
    height: int
    timestamps: tuple[float, ...]


class NodeRecord(Record):
    """A search node of the memory graph."""

    id: str
    parents: tuple[str, ...]
    query: Text
    summary: Text
    dead_end: bool
    on_critical_path: bool
    items: tuple[ItemInNode, ...]


class AnswerRecord(Record):
    """A finished rollout: ``outcome`` says how it ended, ``cost`` is null where no prices were given."""

    outcome: str
    answer: Text
    claims: tuple[ClaimRecord, ...]
    citations: tuple[CitationRecord, ...]
    nodes: tuple[NodeRecord, ...]
    counters: Counters
    seconds: float
    cost: float | None
    tokens_estimated: bool
    """Whether the server did not count the tokens of some call, so that the counts (and the cost) are estimates."""
    sees_pictures: bool | None
    """Whether the model reads pictures; null where none was shown, so that nobody asked."""
    notices: tuple[Text, ...]
    """What went otherwise than asked for: prompts that were shortened or cut, replies that were all thought."""


class CommandAnswer(AnswerRecord):
    """What ``vimrag ask --json`` prints."""

    question: Text
    model: str
    index: str
