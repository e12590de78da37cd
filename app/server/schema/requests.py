"""The bodies of requests, each field with its bounds; ``/openapi.json`` is made from them.

Strict: no field beyond these, no number in place of a text or the other way round. Responses are in ``responses.py``.
"""

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

BoundedText = Annotated[str, Field(max_length=8_000)]
Query = Annotated[str, Field(min_length=1, max_length=8_000)]
DatasetName = Annotated[str, Field(min_length=1, max_length=100)]
Modality: TypeAlias = Literal["text", "image", "video"]
DatasetNames = Annotated[list[DatasetName], Field(min_length=1, max_length=64)]

MOST_HITS = 100
MOST_QUERIES = 64
MOST_CALLS = 100


class Body(BaseModel):
    """What a request may hold."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _is_unicode(cls, data: Any) -> Any:
        """Refuse half a surrogate pair, which JSON can write and nothing behind this server can take."""
        waiting = [data]
        while waiting:
            value = waiting.pop()
            if isinstance(value, str) and any("\ud800" <= char <= "\udfff" for char in value):
                raise ValueError("a text holds half a surrogate pair")
            if isinstance(value, dict):
                waiting += [*value, *value.values()]
            elif isinstance(value, list):
                waiting += value
        return data


class AskBody(Body):
    """A question for the agent."""

    question: Query
    memory: Annotated[str, Field(max_length=100, description="Memory policy; /v1/status lists them.")] = (
        "vimrag"
    )
    calls: Annotated[int | None, Field(ge=1, le=MOST_CALLS, description="Most calls of the model.")] = None
    datasets: Annotated[DatasetNames | None, Field(description="Search only these; null searches all.")] = (
        None
    )

    files: Annotated[
        Annotated[
            list[Annotated[str, Field(min_length=1, max_length=200)]], Field(min_length=1, max_length=800)
        ]
        | None,
        Field(
            description="Search only these of one's own files, by the keys of /v1/sources; null searches all."
        ),
    ] = None
    conversation: Annotated[
        str | None,
        Field(max_length=64, description="A conversation of /v1/conversations that this follows up."),
    ] = None
    keep: Annotated[
        bool, Field(description="Write question and answer into the history; needs detached.")
    ] = False
    timeout_s: Annotated[
        float | None, Field(ge=1, le=86400, description="Longest silence; null takes the server's.")
    ] = None
    detached: Annotated[
        bool, Field(description="Goes on when the connection ends; GET /v1/ask/{ask_id} follows it again.")
    ] = False


class SearchBody(Body):
    """A search for items."""

    query: Query
    top_k: Annotated[int, Field(ge=1, le=MOST_HITS)] = 5
    datasets: DatasetNames | None = None
    modality: Annotated[Modality | None, Field(description="Only text, image (pages too) or video.")] = None


class FilesBody(Body):
    """Some of one's own files."""

    files: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=200)]],
        Field(min_length=1, max_length=800, description="Keys of /v1/sources."),
    ]


class UpstreamBody(Body):
    """A search as the clients of VRAG send it."""

    queries: Annotated[
        str | Annotated[list[BoundedText], Field(max_length=MOST_QUERIES)],
        Field(description="One text counts as a list of one."),
    ] = []
    top_k: Annotated[int, Field(ge=1, le=MOST_HITS)] = 3
    search_corpus: Annotated[
        str | None, Field(max_length=100, description="A dataset; null searches all.")
    ] = None
    vrag_ret: Annotated[bool, Field(description="Only the images, in the older form.")] = False
