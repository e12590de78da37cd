"""The body of ``POST /v1/chat/completions``: OpenAI's fields, and those of ours beside them.

Fields that are unknown or that tune a model (temperature, max_tokens, seed, ...) are taken and do nothing, for chat clients send
them unasked: how the agent's model is drawn from is a setting of the server. Fields that would promise something else than a
cited answer in text are refused.
"""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from app.server.errors import ApiError
from app.server.schema.requests import MOST_CALLS, Body, DatasetNames

MODEL = "vimrag"
"""The model that searches everything; ``vimrag/NAME`` searches the dataset NAME."""
MOST_MESSAGES = 1000
QUESTION_CHARS = 8_000
EARLIER_TURNS = 6
EARLIER_CHARS = 400  # of one earlier turn
_REFUSED = ("tools", "functions", "audio", "logprobs", "prediction", "web_search_options")
_PLAIN = ({"type": "text"}, None)


class ContentPart(Body):
    """One part of a message; only text is read."""

    model_config = ConfigDict(extra="ignore", strict=False)
    type: str
    text: str | None = None


class ChatMessage(Body):
    """One turn of the conversation."""

    model_config = ConfigDict(extra="ignore", strict=False)
    role: Annotated[str, Field(max_length=40)]
    content: str | list[ContentPart] | None = None


class StreamOptions(Body):
    """What a stream holds beside the answer."""

    model_config = ConfigDict(extra="ignore", strict=False)
    include_usage: bool = False


class ChatBody(Body):
    """A conversation whose last message is the question; ``memory``, ``calls``, ``datasets`` and ``timeout_s`` are ours."""

    model_config = ConfigDict(extra="allow", strict=False)
    model: Annotated[str, Field(max_length=200)] = MODEL
    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=MOST_MESSAGES)]
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    n: Literal[1] | None = None
    response_format: Any = None
    memory: Annotated[str, Field(max_length=100)] = "vimrag"
    calls: Annotated[int | None, Field(ge=1, le=MOST_CALLS)] = None
    datasets: DatasetNames | None = None
    timeout_s: Annotated[float | None, Field(ge=1, le=86400)] = None

    def require_text_only(self) -> None:
        """Raise ``ApiError`` for what would need another kind of answer."""
        extra = self.model_extra or {}
        if named := next((name for name in _REFUSED if extra.get(name)), None):
            raise ApiError(
                400, "unsupported", f"{named}: the agent answers in text and calls no tools of a client"
            )
        if self.response_format not in _PLAIN:
            raise ApiError(400, "unsupported", "response_format: the answer is text; leave the field out")


def question_of(messages: list[ChatMessage]) -> str:
    """The last message, with what was said before it in short. System messages are not followed.

    Raises:
        ApiError: if the last message is not a user's, holds more than text, is empty or too long.
    """
    last = messages[-1]
    if last.role != "user":
        raise ApiError(400, "malformed", "messages: the last one must be the user's question")
    question = _text(last).strip()
    if not question:
        raise ApiError(400, "malformed", "messages: the question is empty")
    earlier = [turn for message in messages[:-1] if (turn := _earlier(message))][-EARLIER_TURNS:]
    whole = "\n".join([question, "", "Said before in this conversation:", *earlier]) if earlier else question
    if len(whole) > QUESTION_CHARS:
        raise ApiError(400, "malformed", f"messages: the question has more than {QUESTION_CHARS} characters")
    return whole


def _earlier(message: ChatMessage) -> str:
    names = {"user": "Question", "assistant": "Answer"}
    if message.role not in names:
        return ""
    text = " ".join(_text(message, strict=False).split())
    return f"{names[message.role]}: {text[:EARLIER_CHARS]}" if text else ""


def _text(message: ChatMessage, *, strict: bool = True) -> str:
    if not isinstance(message.content, list):
        return message.content or ""
    if strict and (other := next((part.type for part in message.content if part.type != "text"), None)):
        words = f"messages: a part of the question is {other}, and only text is read; POST /v1/search/image takes pictures"
        raise ApiError(400, "unsupported", words)
    return "\n".join(part.text or "" for part in message.content if part.type == "text")
