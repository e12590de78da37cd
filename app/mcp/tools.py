"""The tools: what each takes (with the bounds of the HTTP interface), and what it gives, as text, pictures and records.

Nothing here knows how a client is connected; ``stdio.py`` does. Refusals are results that say what was wrong.
"""

import base64
import json
from typing import Annotated, Any

from anyio import to_thread
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import CallToolResult, ContentBlock, ImageContent, TextContent
from pydantic import Field

from app.answers.cited_text import marked
from app.answers.events import AskRequest, EndEvent, FailureEvent, StreamEvent
from app.answers.records import ItemRecord
from app.answers.terminal import citation_line, harmless
from app.server.asking import open_question
from app.server.chat.replies import step_of
from app.server.errors import ApiError, explain
from app.server.rendering import RenderedImage, RenderRequest
from app.server.routes.search import hits_of
from app.server.running import Rollout
from app.server.schema.requests import MOST_CALLS, MOST_HITS, DatasetNames, Modality, Query
from app.server.state import ServerState
from infra.errors import MediaError

PICTURE_PX = 1280  # longest side of a page that is opened: models are shown no more
MOST_PX = 4096
TEXT_CHARS = 20_000
SNIPPET_CHARS = 600
ItemId = Annotated[
    str,
    Field(min_length=1, max_length=1000, description="As search and citations name it: documents:page:..."),
]


class CorpusTools:
    """The tools over one root; at once no more questions than the settings allow."""

    def __init__(self, state: ServerState) -> None:
        self._state = state

    async def search(
        self,
        query: Query,
        top_k: Annotated[int, Field(ge=1, le=MOST_HITS)] = 5,
        datasets: DatasetNames | None = None,
        modality: Annotated[
            Modality | None, Field(description="Only text, image (pages too) or video.")
        ] = None,
    ) -> CallToolResult:
        """Find the passages, pages, pictures and clips that fit a question best, by words and by meaning."""
        with _Refusals():
            [hits] = await to_thread.run_sync(
                hits_of, self._state, [query], top_k, datasets, modality, limiter=self._state.searchers
            )
        lines = [
            f"{place}. {harmless(hit.title or hit.item_id)}  [{hit.modality}]  {hit.item_id}\n"
            f"   {harmless(' '.join(hit.text.split())[:SNIPPET_CHARS])}"
            for place, hit in enumerate(hits, start=1)
        ]
        found = {"hits": [hit.to_json() for hit in hits]}
        return _result([_text("\n".join(lines) or "nothing found")], found)

    async def open(
        self,
        item: ItemId,
        second: Annotated[
            float | None, Field(ge=0, le=1e6, allow_inf_nan=False, description="Of a clip, from its start.")
        ] = None,
        size: Annotated[int, Field(ge=64, le=MOST_PX, description="Longest side, in pixels.")] = PICTURE_PX,
    ) -> CallToolResult:
        """Open one item: the picture of a page or of a second of a clip, with its text; of a passage its text."""
        with _Refusals():
            found = await to_thread.run_sync(self._state.catalogue.find, [item], limiter=self._state.readers)
            if item not in found:
                raise ApiError(
                    404, "not_found", f"there is no item {item[:200]!r}; search gives the names of items"
                )
            record = found[item]
            if second is not None and record.modality != "video":
                raise ApiError(400, "malformed", f"{item[:200]} is no clip, so it has no seconds")
            content: list[ContentBlock] = [_text(_described(record))]
            if record.modality != "text":
                at = (second or 0.0) if record.modality == "video" else None
                request = RenderRequest(item, at, size, size)
                picture = await to_thread.run_sync(self._render, request, limiter=self._state.decoders)
                content.append(_image(picture))
        return _result(content, {"item": record.model_dump()})

    async def ask(
        self,
        question: Query,
        context: Context[Any, Any],
        datasets: DatasetNames | None = None,
        memory: Annotated[str, Field(max_length=100)] = "vimrag",
        calls: Annotated[
            int | None, Field(ge=1, le=MOST_CALLS, description="Most calls of the model.")
        ] = None,
    ) -> CallToolResult:
        """Have the agent answer a question over the corpus; each sentence is checked and cites its source as [1]."""
        state, last = self._state, list[StreamEvent]()

        async def keep(event: StreamEvent) -> None:
            last[:] = [event]
            if step := step_of(event):
                steps.append(step)
                await context.report_progress(len(steps), message=step)

        steps: list[str] = []
        with _Refusals():
            request = AskRequest(question, memory, calls, datasets)
            serializer = await open_question(state, request)
            with state.questions.take():
                silence_s = state.settings.question_s
                await Rollout(serializer, keep, silence_s=silence_s, closing=state.closing).run()
        match last:
            case [EndEvent() as end]:
                return _result([_text(_answer(end))], end.model_dump(exclude={"event", "svg", "nodes"}))
            case [FailureEvent() as failed]:
                raise ToolError(f"{failed.code}: {failed.message}")
        raise ToolError("stopped: the question was stopped")

    def _render(self, request: RenderRequest) -> RenderedImage:
        try:
            return self._state.renderings.of(request, self._state.corpus.media())
        except KeyError:
            raise ApiError(404, "not_found", "there is no image of this item") from None
        except MediaError as error:
            raise ApiError(404, "unreadable", f"the image cannot be read ({error.reason})") from None


class _Refusals:
    """What is refused as a result that the client's model can read."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Exception) and not isinstance(error, ToolError):
            refusal = explain(error)
            raise ToolError(f"{refusal.code}: {refusal.message}") from error


def _answer(end: EndEvent) -> str:
    if not end.answer.strip():
        calls = end.counters.model_calls
        return f"No answer: the model gave none that could be read, in {calls} calls ({end.outcome})."
    sources = "\n".join(citation_line(citation) for citation in end.citations)
    notes = "".join(f"\nNote: {notice}" for notice in end.notices)
    return harmless(marked(end)) + (f"\n\nSources\n{sources}" if sources else "") + notes


def _described(item: ItemRecord) -> str:
    place = f", page {item.page}" if item.page is not None and f"page {item.page}" not in item.title else ""
    clip = "" if item.start_s is None else f", from second {item.start_s:g}, {item.duration_s:g} seconds long"
    cut = "" if len(item.text) <= TEXT_CHARS else f"\n(cut at {TEXT_CHARS:,} characters)"
    return harmless(
        f"{item.title}{place}{clip}  [{item.modality}]  {item.id}\n\n{item.text[:TEXT_CHARS]}{cut}"
    )


def _text(text: str) -> TextContent:
    return TextContent(type="text", text=text)


def _image(picture: RenderedImage) -> ImageContent:
    return ImageContent(
        type="image", data=base64.b64encode(picture.data).decode("ascii"), mime_type=picture.media_type
    )


def _result(content: list[ContentBlock], record: dict[str, Any]) -> CallToolResult:
    plain = json.loads(json.dumps(record))  # tuples as lists, as the schema of the wire has them
    return CallToolResult(content=content, structured_content=plain)
