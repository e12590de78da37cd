"""The body of a chat request, and what a server was found not to take.

Every server knows the messages and the length limit; some refuse a seed, a nucleus or a temperature with status 400, some
answer in a stream only, or never, and some allow shorter replies. What one refuses is left out or changed from then on, with
a warning.
"""

import logging
import re
from collections.abc import Mapping
from typing import Any

from infra.llm import refusals
from infra.llm.errors import ServerError, is_too_long
from infra.llm.types import ChatMessages, DecodingOptions

logger = logging.getLogger(__name__)

OPTIONAL = ("seed", "top_p", "stream_options", "temperature")
_COMPLAINT = re.compile(
    r"un(supported|known|recogni[sz]ed|expected)|not (supported|support|permitted|allowed|recogni[sz]ed)|invalid|extra",
    re.IGNORECASE,
)


class RequestBodyBuilder:
    """Builds bodies for one endpoint; remembers what it refuses."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._length_key = "max_tokens"
        self.refused: frozenset[str] = frozenset()
        self._stream: bool | None = None  # what the server insists on
        self._no_thinking = False
        self._most_tokens: int | None = None  # of a reply

    def body(
        self, model: str, messages: ChatMessages, request: DecodingOptions, *, stream: bool
    ) -> dict[str, Any]:
        """The JSON of one request. A nucleus of 1 is everybody's default and is not sent."""
        stream = stream if self._stream is None else self._stream
        max_tokens = min(request.max_tokens, self._most_tokens or request.max_tokens)
        body: dict[str, Any] = {
            "model": model,
            "messages": list(messages),
            "stream": stream,
            self._length_key: max_tokens,
            "temperature": request.temperature,
        }
        if request.top_p < 1:
            body["top_p"] = request.top_p
        if request.seed is not None:
            body["seed"] = request.seed
        if stream:
            body["stream_options"] = {"include_usage": True}
        if self._no_thinking:
            body["enable_thinking"] = False
        return {name: value for name, value in body.items() if name not in self.refused}

    def adapt(self, words: ServerError, body: Mapping[str, Any]) -> bool:
        """Whether the refusal of ``body`` is about something that can be left out or changed; from now on it is."""
        change = self._length_change(words, body) or self._way_change(words, body)
        if change is None and not is_too_long(words):
            change = self._omission(words, body)
        if change is None:
            return False
        logger.warning("%s: %s from now on", self._where, change)
        return True

    def _length_change(self, words: ServerError, body: Mapping[str, Any]) -> str | None:
        """A shorter reply, where the refusal says what would fit."""
        room, asked = refusals.room_for_reply(words.message), body.get(self._length_key)
        if room is None or not isinstance(asked, int) or room >= asked:
            return None
        self._most_tokens = room
        return f"replies of at most {room} tokens are asked for"

    def _way_change(self, words: ServerError, body: Mapping[str, Any]) -> str | None:
        """Another way of answering: streamed, not streamed, without thinking."""
        message, streams = words.message, bool(body["stream"])
        if not streams and (refusals.wants_stream(message) or refusals.wants_no_thinking(message)):
            self._stream = True
            return "replies are asked for as streams"
        if refusals.wants_no_thinking(message) and not self._no_thinking:
            self._no_thinking = True
            return "thinking is switched off"
        if (
            streams
            and self._stream is None
            and (refusals.wants_no_stream(message) or words.param == "stream")
        ):
            self._stream = False
            return "replies are asked for whole, not as streams"
        return None

    def _omission(self, words: ServerError, body: Mapping[str, Any]) -> str | None:
        if (
            "max_completion_tokens" in words.message
            and "max_tokens" in body
            and _COMPLAINT.search(words.message)
        ):
            self._length_key = "max_completion_tokens"
            return "max_tokens is sent as max_completion_tokens"
        named = next((name for name in OPTIONAL if name in body and _names(words, name)), None)
        if named is None:
            return None
        self.refused |= {named}
        return f"{named} is refused and left out"


def _names(words: ServerError, parameter: str) -> bool:
    """Whether a refusal is about ``parameter``: its field says so, or its text quotes or blames it."""
    if words.param:
        return words.param == parameter
    if re.search(rf"['\"`]{parameter}['\"`]", words.message):
        return True
    blamed = re.search(rf"(?<![\w-]){parameter}(?![\w-])", words.message)
    return blamed is not None and _COMPLAINT.search(words.message) is not None
